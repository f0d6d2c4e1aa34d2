// Package option has the one name of Google's client options that the server
// mentions.
package option

// ClientOption is never applied.
type ClientOption any

// WithUserAgent returns no option.
func WithUserAgent(string) ClientOption { return nil }
