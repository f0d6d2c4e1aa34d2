// Package app holds the use cases of device authorization: issuing codes to a device,
// looking up a user code, sending the person to sign in, and recording the decision.
package app
