// Package device implements the device authorization grant (RFC 8628).
//
// It issues codes to devices that have no browser, and renders the pages on which a person
// enters the user code, signs in by way of the sign-in pages, and allows or refuses the
// device. The token service answers the polling with the device code.
//
// Wrong guesses of user codes are counted in the database, so that all replicas see them.
// They are counted per address and per session, which then have to wait, longer each time,
// and in total. When the total approaches a chance of one in a thousand of hitting a code
// within its lifetime, only signed-in people may look up codes until the count starts
// afresh. A right code resets nothing (RFC 8628 5.1).
package device
