// Command device runs the device authorization grant as a standalone service.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/device"
)

func main() { servicekit.Main("device", device.New) }
