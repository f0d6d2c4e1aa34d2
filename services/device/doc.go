// Package device is the device authorization grant (RFC 8628): it gives devices
// without a browser their codes, and shows the pages on which a person enters the
// user code, signs in by way of the sign-in pages, and allows or refuses. Polling
// with the device code is the token service's.
//
// Wrong guesses of user codes are counted in the database, so that all replicas
// see them: of each address and session, which then have to wait, longer each
// time, and of everybody together. Where those come near to a chance of one in a
// thousand to hit a code in its lifetime, only signed-in people may look codes up
// until the next such time. A right code resets nothing (RFC 8628 5.1).
package device
