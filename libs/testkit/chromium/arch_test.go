package chromium_test

import (
	"testing"

	"github.com/platform-oauth/platform-oauth/libs/archtest"
)

func TestArchitecture(t *testing.T) {
	archtest.Check(t)
}
