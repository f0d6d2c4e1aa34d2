// Package domain holds the rules of device authorization (RFC 8628): what a device
// may ask for, and when a code still waits for its person. It knows neither HTTP
// nor storage.
package domain
