// Command token runs the token service on its own.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

func main() { servicekit.Main("token", token.New) }
