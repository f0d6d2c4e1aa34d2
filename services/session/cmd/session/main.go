// Command session runs the session service on its own: sign-in pages, consent
// and logout. Its settings are listed by --help.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/session"
)

func main() { servicekit.Main("session", session.New) }
