package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/firststart"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Names in the demo set.
const (
	Email         = "ada@acme.test"
	WebClient     = "demo-web"     // asks for consent
	SecondClient  = "demo-second"  // first party: signs in without a page
	ServiceClient = "demo-service" // client credentials
	DeviceClient  = "demo-device"  // public, device grant
)

// Credentials are the demo's credentials. They are made once and kept in the data folder
// (0600), so that a restart prints the same ones.
type Credentials struct {
	Password      string `json:"password"`
	WebSecret     string `json:"web_secret"`
	SecondSecret  string `json:"second_secret"`
	ServiceSecret string `json:"service_secret"`
}

// LoadCredentials reads dir/demo.json, or creates it.
func LoadCredentials(dir string, random io.Reader) (Credentials, error) {
	path := filepath.Join(dir, "demo.json")
	data, err := os.ReadFile(path) //nolint:gosec // the operator's own data folder
	if errors.Is(err, fs.ErrNotExist) {
		data, err = makeCredentials(path, random)
	}
	if err != nil {
		return Credentials{}, fmt.Errorf("demo credentials: %w", err)
	}

	var c Credentials
	if err := json.Unmarshal(data, &c); err != nil || c.Password == "" || c.WebSecret == "" || c.SecondSecret == "" ||
		c.ServiceSecret == "" {
		return Credentials{}, fmt.Errorf("demo credentials: %s is damaged: remove it, and new ones will be generated", path)
	}

	return c, nil
}

// makeCredentials creates the file and returns its content, which may come from another
// process that created it at the same time.
func makeCredentials(path string, random io.Reader) ([]byte, error) {
	var c Credentials
	for _, field := range []*string{&c.Password, &c.WebSecret, &c.SecondSecret, &c.ServiceSecret} {
		secret, err := oauth.NewSecret(random)
		if err != nil {
			return nil, err
		}
		*field = secret
	}

	// People type it by hand: 16 characters of base64url are 96 bits.
	c.Password = c.Password[:16]
	data, err := json.MarshalIndent(c, "", "  ") //nolint:gosec // this file is what keeps them
	if err != nil {
		return nil, err
	}

	return firststart.Keep(path, append(data, '\n'))
}

// Set returns the demo set in the form of a declarative file.
func Set(origin string, c Credentials) manifest.File {
	callback := []string{origin + callbackPath}
	scopes := []string{oauth.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail}
	application := func(id, name, secret string, firstParty bool) manifest.Application {
		return manifest.Application{
			ClientID:               id,
			Name:                   name,
			Type:                   "WEB",
			ScopeLevel:             "GLOBAL",
			ClientSecret:           secret,
			FirstParty:             firstParty,
			RedirectURIs:           callback,
			PostLogoutRedirectURIs: []string{origin + Path},
			Grants:                 []string{"authorization_code"},
			Scopes:                 scopes,
		}
	}

	return manifest.File{
		Tenants: []manifest.Tenant{{Slug: "acme", Name: "Acme Corp", Domains: []string{"acme.test"}}},
		Users: []manifest.User{{
			Email:         Email,
			EmailVerified: true,
			Name:          "Ada Lovelace",
			GivenName:     "Ada",
			FamilyName:    "Lovelace",
			Password:      c.Password,
			Tenants:       []string{"acme"},
			Claims:        map[string]any{"locale": "en-GB"},
		}},
		Applications: []manifest.Application{
			application(WebClient, "Demo", c.WebSecret, false),
			application(SecondClient, "Second demo", c.SecondSecret, true),
			{
				ClientID:     ServiceClient,
				Name:         "Demo service",
				Type:         "SERVICE",
				ScopeLevel:   "GLOBAL",
				ClientSecret: c.ServiceSecret,
				Grants:       []string{"client_credentials"},
				Scopes:       []string{"api:read", "api:write"},
			},
			{
				ClientID:   DeviceClient,
				Name:       "Demo device",
				Type:       "NATIVE",
				ScopeLevel: "GLOBAL",
				Grants:     []string{"device_code"},
				Scopes:     scopes,
			},
		},
	}
}
