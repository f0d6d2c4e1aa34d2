// Command device is the device authorization grant as a service of its own.
package main

import (
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/services/device"
)

func main() { servicekit.Main("device", device.New) }
