package cli

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/libs/config"
)

// demo returns the command that runs the demo of `up --demo` for a platform that runs
// elsewhere, such as in a developer's cluster. It loads the same set and serves the same
// application, on a listener of its own.
func (a *app) demo() *cobra.Command {
	listen, applyOnly := "127.0.0.1:8090", false
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Load the demo set into a running platform and serve the demo application",
		Long: `Load the demo set into the database of a platform that runs elsewhere, such as in
a developer's cluster, and serve the demo application until SIGTERM. It talks to
the platform at PLATFORM_PUBLIC_URL like any other application.

The demo credentials are kept in the data folder (mode 0600) and printed again at
the next start. All of this works on loopback addresses only.`,
		Example: "  platform demo --listen 127.0.0.1:8090\n  PLATFORM_DATABASE_URL=postgres://operator@127.0.0.1/platform platform demo --apply-only",
		Args:    a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			origin, ok := loopbackOrigin(listen)
			if !ok {
				return usageError{fmt.Errorf("--listen must be a loopback address with a port, not %q, because the demo shows tokens", listen)}
			}

			return a.operate(cmd.Context(), func(ctx context.Context, o *operation) error {
				if !o.cfg.Server.Loopback() {
					return usageError{fmt.Errorf("the demo needs a loopback address, but PLATFORM_PUBLIC_URL is %s",
						o.cfg.Server.PublicURL)}
				}

				deps := o.deps
				deps.DB = o.db
				app, notice, err := newDemo(ctx, origin, o.cfg.Server, o.cfg.Signing.DataDir, deps)
				if err != nil {
					return err
				}

				if applyOnly {
					return a.printDemo(notice)
				}

				return a.serveDemo(ctx, listen, o.cfg.Server.HTTP, app, notice)
			})
		},
	}

	cmd.Flags().StringVar(&listen, "listen", listen, "loopback address of the demo application")
	cmd.Flags().BoolVar(&applyOnly, "apply-only", false, "load the demo set, print the credentials and exit")

	return cmd
}

func (a *app) serveDemo(
	ctx context.Context, listen string, limits config.HTTP, app http.Handler, notice *demoNotice,
) error {
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", listen)
	if err != nil {
		return fmt.Errorf("--listen: %w", err)
	}

	server := &http.Server{
		Handler:           app,
		ReadTimeout:       limits.ReadTimeout,
		WriteTimeout:      limits.WriteTimeout,
		ReadHeaderTimeout: limits.HeaderTimeout,
	}

	stopped := context.AfterFunc(ctx, func() {
		ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
		defer cancel()
		_ = server.Shutdown(ending)
	})

	defer stopped()

	if err := a.printDemo(notice); err != nil {
		return errors.Join(err, listener.Close())
	}

	if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
		return err
	}

	return nil
}

func (a *app) printDemo(notice *demoNotice) error {
	if a.output == "json" {
		return a.printJSON(notice)
	}
	_, err := fmt.Fprintln(a.streams.Out, "\n"+notice.String())
	return err
}
