package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/probe"
	"github.com/platform-oauth/platform-oauth/libs/config"
)

const (
	probeTimeout = 10 * time.Second // per request
	probeAgain   = time.Second      // between two attempts
)

// probeFlags holds the flags of `probe`.
type probeFlags struct {
	publicURL, clientID, secretFile, resource, connectTo, caFile string
	wait                                                         time.Duration
}

func (a *app) probe() *cobra.Command {
	var f probeFlags
	cmd := &cobra.Command{
		Use:   "probe",
		Short: "Test a running platform as an application would use it",
		Long: `Test the platform at PLATFORM_PUBLIC_URL through the ingress, as an application would
use it: fetch its metadata and its keys and, with the credentials of an application
that has the client_credentials grant, get a token and verify it with those keys. It
needs no database.`,
		Example: "  platform probe --public-url https://login.example.com\n" +
			"  platform probe --client-id smoke-test --client-secret-file /run/secrets/smoke-test --wait 1m",
		Args: a.noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			options, err := a.probeOptions(f)
			if err != nil {
				return err
			}

			found, err := probeUntil(cmd.Context(), options, f.wait)
			if a.output == "json" {
				return errors.Join(a.printJSON(found), err)
			}

			for _, finding := range found {
				fmt.Fprintf(a.streams.Out, "ok  %-10s %s\n", finding.Step, finding.Detail)
			}

			return err
		},
	}

	flags := cmd.Flags()
	flags.StringVar(&f.publicURL, "public-url", "", "origin of the platform (default: PLATFORM_PUBLIC_URL)")
	flags.StringVar(&f.clientID, "client-id", "", "application that requests a token (default: none is requested)")
	flags.StringVar(&f.secretFile, "client-secret-file", "", "file with that application's secret")
	flags.StringVar(&f.resource, "resource", "",
		"resource that the token is for (default: the application's own audience)")
	flags.StringVar(&f.connectTo, "connect-to", "", "host:port to connect to instead of the public URL's")
	flags.StringVar(&f.caFile, "ca-file", "", "PEM file of certificate authorities to trust, in addition to the system's")
	flags.DurationVar(&f.wait, "wait", 0, "how long to retry while a step fails")

	return cmd
}

func (a *app) probeOptions(f probeFlags) (probe.Options, error) {
	var cfg struct{ Server config.Server }
	overrides := map[string]string{}
	if f.publicURL != "" {
		overrides["PLATFORM_PUBLIC_URL"] = f.publicURL
	}

	if err := config.Load(&cfg, config.LoadOptions{Environ: a.environ, Overrides: overrides}); err != nil {
		return probe.Options{}, err
	}

	if (f.clientID == "") != (f.secretFile == "") {
		return probe.Options{}, usageError{errors.New("--client-id and --client-secret-file belong together: give both or neither")}
	}

	o := probe.Options{
		Origin:   cfg.Server.Origin(),
		Issuer:   cfg.Server.Issuer(),
		ClientID: f.clientID,
		Resource: f.resource,
		Now:      time.Now,
	}
	if f.secretFile != "" {
		secret, err := os.ReadFile(f.secretFile)
		if err != nil {
			return probe.Options{}, fmt.Errorf("read the application's secret: %w", err)
		}
		o.ClientSecret = strings.TrimSpace(string(secret))
	}

	transport, err := probeTransport(f)
	if err != nil {
		return probe.Options{}, err
	}

	o.Client = &http.Client{
		Transport: transport, Timeout: probeTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	return o, nil
}

// probeTransport connects to the address in the flags. The certificate must still be that
// of the public URL's host.
func probeTransport(f probeFlags) (*http.Transport, error) {
	dialer := &net.Dialer{Timeout: probeTimeout}
	transport := &http.Transport{
		Proxy:             http.ProxyFromEnvironment,
		DialContext:       dialer.DialContext,
		DisableKeepAlives: true,
	}
	if f.connectTo != "" {
		transport.Proxy = nil
		transport.DialContext = func(ctx context.Context, network, _ string) (net.Conn, error) {
			return dialer.DialContext(ctx, network, f.connectTo)
		}
	}

	if f.caFile != "" {
		pem, err := os.ReadFile(f.caFile)
		if err != nil {
			return nil, fmt.Errorf("read the certificate authorities: %w", err)
		}

		roots, err := x509.SystemCertPool()
		if err != nil {
			roots = x509.NewCertPool()
		}

		if !roots.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("%s contains no PEM certificate", f.caFile)
		}

		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}

	return transport, nil
}

// probeUntil repeats the probe until it succeeds or the time is up, and returns the last
// result.
func probeUntil(ctx context.Context, o probe.Options, wait time.Duration) ([]probe.Finding, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()

	for {
		found, err := probe.Run(ctx, o)
		if err == nil {
			return found, nil
		}

		timer := time.NewTimer(probeAgain)
		select {
		case <-waiting.Done():
			timer.Stop()
			return found, err
		case <-timer.C:
		}
	}
}
