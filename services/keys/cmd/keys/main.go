// The keys program runs the keys service on its own.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/keys"
)

func main() { servicekit.Main("keys", keys.New) }
