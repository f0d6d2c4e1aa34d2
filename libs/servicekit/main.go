package servicekit

import (
	"context"
	"crypto/rand"
	"errors"
	"flag"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/config"
)

// Exit codes of every program of the platform.
const (
	ExitDone   = 0
	ExitFailed = 1
	ExitUsage  = 2 // wrong flags or configuration
)

// flushPatience bounds how long sending the last traces and metrics may take.
const flushPatience = 5 * time.Second

// Main is a service's whole main function. It handles flags, configuration, telemetry, the
// database and the keys as far as the sections in C need them, both listeners, and draining on
// SIGTERM or SIGINT. A second signal ends the process at once.
func Main[C any](name string, build func(C, Deps) (*Service, error)) {
	ctx, release := signal.NotifyContext(context.Background(), syscall.SIGTERM, syscall.SIGINT)
	context.AfterFunc(ctx, release)
	p := process{
		args:    os.Args[1:],
		environ: os.Environ(),
		stdout:  os.Stdout,
		stderr:  os.Stderr,
	}

	os.Exit(run(ctx, p, name, build))
}

// process holds what the operating system gives a program.
type process struct {
	args, environ  []string
	stdout, stderr io.Writer
	onListening    func(public, admin net.Addr)
}

// loaded is a service's configuration plus the parts that every process has.
type loaded[C any] struct {
	Service C
	Log     config.Log
}

func run[C any](ctx context.Context, p process, name string, build func(C, Deps) (*Service, error)) int {
	var cfg loaded[C]
	printConfig, code, done := p.flags(name, config.Variables(cfg))
	if done {
		return code
	}

	if err := config.Load(&cfg, config.LoadOptions{Environ: p.environ}); err != nil {
		fmt.Fprintf(p.stderr, "%s: %v\n", name, err)
		return ExitUsage
	}

	if printConfig {
		if err := config.Print(p.stdout, cfg); err != nil {
			return ExitFailed
		}
		return ExitDone
	}

	logger := NewLogger(p.stderr, cfg.Log).With("service", name)
	if err := serveOne(ctx, p, name, &cfg.Service, build, logger); err != nil {
		logger.Error("stopped", "error", err)
		return ExitFailed
	}

	return ExitDone
}

// flags parses the command line. done means that the process should exit with code.
func (p process) flags(name string, variables []config.Variable) (printConfig bool, code int, done bool) {
	set := flag.NewFlagSet(name, flag.ContinueOnError)
	set.SetOutput(p.stderr)
	set.BoolVar(&printConfig, "print-config", false, "print the configuration with secrets masked, and exit")
	showVersion := set.Bool("version", false, "print the version and exit")
	set.Usage = func() {}
	err := set.Parse(p.args)
	switch {
	case errors.Is(err, flag.ErrHelp):
		p.help(name, variables)
		return false, ExitDone, true
	case err != nil: // the flag package has printed the error
		fmt.Fprintf(p.stderr, "see %s --help\n", name)
		return false, ExitUsage, true
	case set.NArg() > 0:
		fmt.Fprintf(p.stderr, "%s: unexpected argument %q; see --help\n", name, set.Arg(0))
		return false, ExitUsage, true
	case *showVersion:
		fmt.Fprintln(p.stdout, VersionLine(name))
		return false, ExitDone, true
	}

	return printConfig, ExitDone, false
}

func (p process) help(name string, variables []config.Variable) {
	fmt.Fprintf(p.stdout, `Usage: %[1]s [--help | --version | --print-config]

Runs the %[1]s service until SIGTERM. Its configuration comes from the environment:

`, name)

	_ = config.Help(p.stdout, variables)
	fmt.Fprintf(p.stdout, `
A name marked [_FILE] is a secret. It can also be read from the file that the variable with this suffix names.

Example:
  PLATFORM_DATABASE_URL=postgres://platform@localhost/platform PLATFORM_SIGNING_BACKEND=local %s
`, name)
}

// serveOne runs one service from loading its configuration until it ends.
func serveOne[C any](
	ctx context.Context, p process, name string, cfg *C, build func(C, Deps) (*Service, error), logger *slog.Logger,
) (failed error) {
	server, ok := config.Section[config.Server](cfg)
	if !ok {
		return errors.New("the configuration of the service has no Server section")
	}

	telemetry, err := NewTelemetry(ctx, name, p.environ)
	if err != nil {
		return err
	}

	telemetry.Install(logger)
	defer func() { telemetry.Flush(logger) }()

	deps := Deps{
		Logger:         logger,
		Now:            Clock,
		Random:         rand.Reader,
		TracerProvider: telemetry.TracerProvider,
		MeterProvider:  telemetry.MeterProvider,
	}

	checks, services := map[string]Check{}, map[string]*Service{}
	if wanted, ok := config.Section[config.Database](cfg); ok {
		deps.DB, err = startDatabase(ctx, wanted, deps)
		if err != nil {
			return err
		}

		defer func() { failed = errors.Join(failed, deps.DB.Close()) }()
		checks["database"] = DatabaseCheck(deps.DB)
		if services["changes"], err = WatchChanges(wanted, &deps); err != nil {
			return err
		}
	}

	if wanted, ok := config.Section[config.Signing](cfg); ok {
		keys, err := OpenSigning(ctx, wanted, deps)
		if err != nil {
			return err
		}

		defer func() { failed = errors.Join(failed, keys.Close()) }()
		deps.Signing, deps.KeyMaker = keys.Backend, keys.Maker
		if keys.Service != nil {
			services[wanted.Backend] = keys.Service
		}
	}

	service, err := build(*cfg, deps)
	if err != nil {
		return err
	}

	services[name] = service

	if service.FromMemory {
		checks = nil
		for other, of := range services {
			if other != name {
				services[other] = &Service{Run: of.Run}
			}
		}
	}

	return Serve(ctx, ServeOptions{
		Server:      server,
		Handler:     service.Handler,
		Services:    services,
		Checks:      checks,
		Logger:      logger,
		Metrics:     telemetry.Metrics,
		OnListening: p.onListening,
	})
}

// Flush gives telemetry a little time to send what it has buffered.
func (t *Telemetry) Flush(logger *slog.Logger) {
	ctx, cancel := context.WithTimeout(context.Background(), flushPatience)
	defer cancel()
	if err := t.Shutdown(ctx); err != nil {
		logger.Warn("telemetry: some data wasn't exported", "error", err)
	}
}
