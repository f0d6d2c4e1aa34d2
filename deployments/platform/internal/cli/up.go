package cli

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/together"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

// upConfig is the configuration of the five services in one process.
type upConfig struct {
	Platform together.Config
	Log      config.Log

	encryption encryption
}

// upFlags holds the flags of `up`; values has them by the variable that each overrides.
type upFlags struct {
	values map[string]*string
	demo   bool
	file   string
	print  bool
}

func (a *app) up() *cobra.Command {
	flags := upFlags{values: map[string]*string{}}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "Run all five services in one process",
		Long: "Run all five services in one process until SIGTERM. By default they use SQLite and local keys in the data folder.\n\n" +
			"Configuration (a name marked [_FILE] can also be read from a file):\n\n" + variableHelp(),
		Example: "  platform up --demo\n  platform up --apply platform.yaml --public-url https://id.example.com --listen :8080",
		Args:    a.noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return a.runUp(cmd.Context(), flags) },
	}
	for flag, of := range map[string][2]string{
		"listen":       {"PLATFORM_LISTEN", "address of the public listener"},
		"admin-listen": {"PLATFORM_ADMIN_LISTEN", "address of the admin listener: /livez, /readyz, /metrics"},
		"public-url": {
			"PLATFORM_PUBLIC_URL",
			"origin that browsers see (default: the listener's, if that is a loopback address)",
		},
		"data": {"PLATFORM_DATA_DIR", "folder of the SQLite file, the keys and the demo credentials"},
	} {
		flags.values[of[0]] = cmd.Flags().String(flag, "", of[1])
	}

	cmd.Flags().BoolVar(&flags.demo, "demo", false,
		"load a demo set, and serve a demo application at /demo (loopback only)")
	cmd.Flags().StringVar(&flags.file, "apply", "", "apply this declarative file before serving")
	cmd.Flags().BoolVar(&flags.print, "print-config", false, "print the configuration with secrets masked, and exit")
	return cmd
}

func variableHelp() string {
	var b strings.Builder
	_ = config.Help(&b, config.Variables(upConfig{}))
	return b.String()
}

// loadUp reads the configuration. If no public URL is set and the platform listens on
// loopback, the public URL is that address.
func (a *app) loadUp(flags upFlags) (upConfig, error) {
	defaults, overrides := config.EmbeddedDefaults(), map[string]string{}
	for name, value := range flags.values {
		if *value != "" {
			overrides[name] = *value
		}
	}

	if origin, ok := loopbackOrigin(a.setting("PLATFORM_LISTEN", overrides)); ok {
		defaults["PLATFORM_PUBLIC_URL"] = origin
	}

	var cfg upConfig
	var err error
	if cfg.encryption, err = a.encryptionKeys(defaults, overrides, rand.Reader); err != nil {
		return cfg, err
	}

	err = config.Load(&cfg, config.LoadOptions{Environ: a.environ, Defaults: defaults, Overrides: overrides})
	if err != nil {
		return cfg, err
	}

	if _, port, _ := net.SplitHostPort(cfg.Platform.Server.Listen); port == "0" &&
		a.setting("PLATFORM_PUBLIC_URL", overrides) == "" {
		return cfg, usageError{errors.New("PLATFORM_LISTEN has port 0, so the public URL isn't known: choose a port, or set PLATFORM_PUBLIC_URL")}
	}

	return cfg, nil
}

// setting returns the value of a variable from the flags or the environment, or "" if it
// isn't set.
func (a *app) setting(name string, overrides map[string]string) string {
	value := overrides[name]
	for _, entry := range a.environ {
		if of, said, _ := strings.Cut(entry, "="); of == name && value == "" {
			value = said
		}
	}
	return value
}

// loopbackOrigin returns the origin of a listener that only this machine can reach.
func loopbackOrigin(listen string) (string, bool) {
	host, port, err := net.SplitHostPort(listen)
	if err != nil || port == "0" || (host != "localhost" && !net.ParseIP(host).IsLoopback()) {
		return "", false
	}
	return "http://" + net.JoinHostPort(host, port), true
}

// runUp serves until ctx ends. Being asked to stop isn't a failure, whatever was in
// progress.
func (a *app) runUp(ctx context.Context, flags upFlags) error {
	cfg, err := a.loadUp(flags)
	if err != nil {
		return err
	}

	if flags.print {
		return a.printConfig(cfg)
	}

	if server := cfg.Platform.Server; flags.demo && !server.Loopback() {
		return usageError{fmt.Errorf("--demo needs a loopback address, but PLATFORM_PUBLIC_URL is %s: leave one of them out", server.PublicURL)}
	}

	err = a.runPlatform(ctx, cfg, flags)
	if ctx.Err() != nil && canceled(err) {
		return nil
	}

	return err
}

// canceled reports whether an error is only the end of a context.
func canceled(err error) bool {
	var known *database.Error
	return errors.Is(err, context.Canceled) || (errors.As(err, &known) && known.Kind == database.KindCanceled)
}

func (a *app) printConfig(cfg upConfig) error {
	if a.output != "json" {
		return config.Print(a.streams.Out, cfg)
	}

	values := map[string]string{}
	for _, s := range config.Settings(cfg) {
		values[s.Name] = s.Value
	}
	return a.printJSON(values)
}

// runPlatform opens what the services need, builds them and serves.
func (a *app) runPlatform(ctx context.Context, cfg upConfig, flags upFlags) error {
	if err := cfg.encryption.keep(&cfg.Platform.Encryption); err != nil {
		return err
	}

	p := cfg.Platform
	logger := servicekit.NewLogger(a.streams.Err, cfg.Log)
	telemetry, err := servicekit.NewTelemetry(ctx, "platform", a.environ)
	if err != nil {
		return err
	}

	telemetry.Install(logger)
	defer telemetry.Flush(logger)

	deps := a.deps()
	deps.Logger, deps.TracerProvider, deps.MeterProvider = logger, telemetry.TracerProvider, telemetry.MeterProvider
	keys, err := servicekit.OpenSigning(ctx, p.Signing, deps)
	if err != nil {
		return err
	}

	defer func() { _ = keys.Close() }()
	deps.Signing, deps.KeyMaker = keys.Backend, keys.Maker
	deps.DB, err = openDatabase(ctx, p.Database, p.Signing.DataDir, deps)
	if err != nil {
		return err
	}

	defer func() { _ = deps.DB.Close() }()

	if err := a.prepare(ctx, p, flags, deps); err != nil {
		return err
	}

	watching, err := servicekit.WatchChanges(p.Database, &deps)
	if err != nil {
		return err
	}

	platform, err := together.New(p, deps)
	if err != nil {
		return err
	}

	if keys.Service != nil {
		platform.Services[p.Signing.Backend] = keys.Service
	}

	platform.Services["changes"] = watching
	ready := newNotice(p)
	handler := platform.Handler
	if flags.demo {
		handler, ready.Demo, err = a.withDemo(ctx, p, deps, handler)
		if err != nil {
			return err
		}
	}

	return serve(ctx, servicekit.ServeOptions{
		Server:   p.Server,
		Handler:  handler,
		Services: platform.Services,
		Logger:   logger,
		Metrics:  telemetry.Metrics,
		Checks:   map[string]servicekit.Check{"database": servicekit.DatabaseCheck(deps.DB)},
	}, platform.WaitReady, func() error { return a.printReady(ready) })
}

// prepare migrates an embedded database to this version and applies the file. It doesn't
// migrate PostgreSQL, which `platform migrate` does with a role that has the rights.
func (a *app) prepare(ctx context.Context, p together.Config, flags upFlags, deps servicekit.Deps) error {
	if p.Database.SQLite() {
		if _, _, err := database.Migrate(ctx, deps.DB, deps.Logger); err != nil {
			return err
		}
	} else if err := deps.DB.CheckSchema(ctx); err != nil {
		return err
	}

	if flags.file == "" {
		return nil
	}

	doc, err := a.parse(flags.file)
	if err != nil {
		return err
	}

	err = a.applyAndPrint(ctx, deps.DB, doc, p.Server, manifest.ApplyOptions{}, deps)
	var conflicts conflictError
	if errors.As(err, &conflicts) {
		// They have been printed. Conflicts with a command's changes don't keep the
		// platform from starting.
		return nil
	}

	return err
}
