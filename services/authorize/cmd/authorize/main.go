// Command authorize runs the authorization endpoint as a standalone service.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/authorize"
)

func main() { servicekit.Main("authorize", authorize.New) }
