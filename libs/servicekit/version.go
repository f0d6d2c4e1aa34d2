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

// Version returns the version of this build, or "dev" if the build did not set it.
func Version() string {
	if version != "" {
		return version
	}
	return "dev"
}

// Commit returns the commit that was built, or "unknown" if it isn't known.
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

// VersionLine returns what --version prints for the program of that name.
func VersionLine(name string) string {
	return fmt.Sprintf("%s %s (commit %s, %s)", name, Version(), Commit(), runtime.Version())
}
