// Package device is the device authorization grant (RFC 8628): it gives devices
// without a browser their codes, and shows the pages on which a person enters the
// user code, signs in by way of the sign-in pages, and allows or refuses. Polling
// with the device code is the token service's.
//
// Wrong guesses of user codes are not counted yet: until they are, put a limit on
// requests per address in front of the service.
package device
