// Command session runs the session service (sign-in pages, consent and logout) as a
// standalone service. Its settings are listed by --help.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/session"
)

func main() { servicekit.Main("session", session.New) }
