package cli

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/together"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
)

// readyPatience is how long `up` waits for the services to become ready. The first start
// makes an RSA key.
const readyPatience = time.Minute

// serve runs the platform until ctx ends, and prints a notice once everything is ready. It
// returns an error if that doesn't happen in time.
func serve(
	ctx context.Context, opts servicekit.ServeOptions, waitReady func(context.Context) error, say func() error,
) error {
	running, stop := context.WithCancelCause(ctx)
	var saying sync.WaitGroup
	opts.OnListening = func(net.Addr, net.Addr) {
		saying.Go(func() {
			waiting, cancel := context.WithTimeout(running, readyPatience)
			defer cancel()
			err := waitReady(waiting)
			if err == nil {
				err = say()
			}
			if err != nil {
				stop(err)
			}
		})
	}

	err := servicekit.Serve(running, opts)
	gaveUp := context.Cause(running)
	stop(nil)
	saying.Wait()

	if err != nil || ctx.Err() != nil {
		return err
	}

	return gaveUp
}

// notice is what `up` prints when it is ready.
type notice struct {
	Version string      `json:"version"`
	URL     string      `json:"url"`
	Issuer  string      `json:"issuer"`
	Data    string      `json:"data"`
	Demo    *demoNotice `json:"demo,omitempty"`
}

func newNotice(p together.Config) notice {
	return notice{
		Version: servicekit.Version(),
		URL:     p.Server.Origin(),
		Issuer:  p.Server.Issuer(),
		Data:    where(p),
	}
}

func (a *app) printReady(n notice) error {
	if a.output == "json" {
		return a.printJSON(n)
	}

	var b strings.Builder
	fmt.Fprintf(&b, "\nplatform %s is ready\n\n  URL       %s\n  issuer    %s\n  data      %s\n",
		n.Version, n.URL, n.Issuer, n.Data)

	if d := n.Demo; d != nil {
		b.WriteString("\n" + d.String())
	}

	_, err := fmt.Fprintln(a.streams.Out, b.String())
	return err
}

// where returns where the data is, without a password.
func where(p together.Config) string {
	keys := filepath.Clean(p.Signing.DataDir)
	if !p.Database.SQLite() {
		return "PostgreSQL, and signing keys in " + keys
	}

	path := p.Database.SQLitePath(p.Signing.DataDir)
	if filepath.Dir(path) == keys {
		return keys + " (SQLite and signing keys)"
	}
	return path + ", and signing keys in " + keys
}
