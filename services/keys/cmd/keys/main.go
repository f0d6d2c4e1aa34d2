// Command keys runs the keys service as a standalone service.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/keys"
)

func main() { servicekit.Main("keys", keys.New) }
