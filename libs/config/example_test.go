package config_test

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/platform-oauth/platform-oauth/libs/config"
)

// A program names the sections that it needs, and passes os.Environ.
func ExampleLoad() {
	var cfg struct {
		Database config.Database
		Log      config.Log
	}

	err := config.Load(&cfg, config.LoadOptions{
		Environ: []string{
			"PLATFORM_DATABASE_URL=postgres://app@db/platform",
			"PLATFORM_DATABASE_STATEMENT_TIMEOUT=10s",
		},
		Overrides: map[string]string{"PLATFORM_LOG_LEVEL": "debug"}, // from a flag
	})

	fmt.Println(err)
	fmt.Println(cfg.Database.StatementTimeout, cfg.Database.LockTimeout, cfg.Log.Level)

	// Output:
	// <nil>
	// 10s 3s debug
}

// All problems are reported at once, among them variables that do not exist.
func ExampleError() {
	var cfg struct{ Log config.Log }

	err := config.Load(&cfg, config.LoadOptions{Environ: []string{
		"PLATFORM_LOG_LEVEL=loud",
		"PLATFORM_LOG_FORMAT=xml",
		"PLATFORM_LOG_COLOUR=red",
	}})

	fmt.Println(err)

	// Output:
	// configuration: 3 problems
	//   PLATFORM_LOG_COLOUR: unknown; remove it, or see --help for the names
	//   PLATFORM_LOG_FORMAT: "xml" is not one of auto, json, text
	//   PLATFORM_LOG_LEVEL: "loud" is not one of debug, info, warn, error
}

// Any secret can be in a file instead. The suffix _FILE makes the variable that names it.
func ExampleLoad_secretFile() {
	dir, err := os.MkdirTemp("", "secrets")
	if err != nil {
		panic(err)
	}
	defer func() { _ = os.RemoveAll(dir) }()

	file := filepath.Join(dir, "database-url")
	if err := os.WriteFile(file, []byte("postgres://app:secret@db/platform\n"), 0o600); err != nil {
		panic(err)
	}

	var cfg struct{ Database config.Database }
	err = config.Load(&cfg, config.LoadOptions{Environ: []string{"PLATFORM_DATABASE_URL_FILE=" + file}})
	fmt.Println(cfg.Database.URL, err)

	// Output: postgres://app:secret@db/platform <nil>
}

// Secrets are masked, so that the table can go into a ticket.
func ExamplePrint() {
	var cfg struct{ Database config.Database }

	err := config.Load(&cfg, config.LoadOptions{Environ: []string{
		"PLATFORM_DATABASE_URL=postgres://app:secret@pooler/platform",
		"PLATFORM_DATABASE_DIRECT_URL=postgres://app:secret@db/platform",
	}})
	if err != nil {
		panic(err)
	}

	if err := config.Print(os.Stdout, &cfg); err != nil {
		panic(err)
	}

	// Output:
	// PLATFORM_DATABASE_URL                postgres://app:***@pooler/platform
	// PLATFORM_DATABASE_DIRECT_URL         postgres://app:***@db/platform
	// PLATFORM_DATABASE_MAX_OPEN           16
	// PLATFORM_DATABASE_MAX_IDLE           16
	// PLATFORM_DATABASE_CONN_MAX_LIFETIME  30m0s
	// PLATFORM_DATABASE_STATEMENT_TIMEOUT  5s
	// PLATFORM_DATABASE_LOCK_TIMEOUT       3s
	// PLATFORM_DATABASE_PREPARE            auto
}
