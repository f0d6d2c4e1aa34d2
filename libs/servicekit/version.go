package servicekit

import (
	"fmt"
	"runtime"
	"runtime/debug"
)

// Set at build time with -ldflags "-X …".
var (
	version string
	commit  string
)

// Version is the version of this build; "dev" where the build did not set it.
func Version() string {
	if version != "" {
		return version
	}
	return "dev"
}

// Commit is the commit that was built; "unknown" where nothing tells.
func Commit() string {
	if commit != "" {
		return commit
	}

	if info, ok := debug.ReadBuildInfo(); ok {
		for _, setting := range info.Settings {
			if setting.Key == "vcs.revision" {
				return setting.Value
			}
		}
	}

	return "unknown"
}

// VersionLine is what --version prints for the program of that name.
func VersionLine(name string) string {
	return fmt.Sprintf("%s %s (commit %s, %s)", name, Version(), Commit(), runtime.Version())
}
