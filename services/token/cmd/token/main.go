// Command token runs the token service as a standalone service.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

func main() { servicekit.Main("token", token.New) }
