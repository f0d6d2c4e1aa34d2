// Package domain holds the rules of device authorization (RFC 8628): what a device may ask
// for, and whether a code is still waiting for a decision. It doesn't depend on HTTP or
// storage.
package domain
