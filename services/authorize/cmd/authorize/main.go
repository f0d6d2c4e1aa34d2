// Command authorize is the authorization endpoint as a service of its own.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/authorize"
)

func main() { servicekit.Main("authorize", authorize.New) }
