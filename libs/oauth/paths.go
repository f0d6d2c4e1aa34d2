package oauth

// Paths of the platform, on whatever origin it is published. The endpoints below them are listed
// in api/openapi.yaml.
const (
	// PlatformPath precedes every path of the platform except those of pages and of RFC 8414
	// metadata.
	PlatformPath = "/api/v1/platform"
	// IssuerPath is the path of the issuer identifier, which precedes the OAuth endpoints.
	IssuerPath = PlatformPath + "/oauth"

	FlowsPath   = "/auth/flows/" // precedes the handle of a flow, whose pages are below it
	DevicePath  = "/device"      // the page where a person enters a user code
	AccountPath = "/account"     // a person's own page
)
