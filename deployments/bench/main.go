// Command bench puts load on a running platform and prints how fast it answered:
//
//	go run ./deployments/bench -url http://127.0.0.1:8080 -client portal -secret … \
//	  -redirect https://portal.test/callback -email … -password …
//
// Scenarios run one after the other. Each worker sends its next request once it has its
// response. The exit code is 1 if a request failed.
package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/platform-oauth/platform-oauth/deployments/bench/load"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	code := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	os.Exit(code)
}

type options struct {
	target    load.Target
	scenarios string
	workers   int
	warmUp    time.Duration
	duration  time.Duration
	json      bool
}

func run(ctx context.Context, args []string, stdout, stderr io.Writer) int {
	names := slices.Sorted(maps.Keys(load.Scenarios))
	var o options
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	flags.StringVar(&o.target.URL, "url", "http://127.0.0.1:8080", "public origin of the platform")
	flags.StringVar(&o.target.ClientID, "client", "", "client_id of a confidential application")
	flags.StringVar(&o.target.ClientSecret, "secret", os.Getenv("BENCH_CLIENT_SECRET"),
		"its secret (default: BENCH_CLIENT_SECRET)")
	flags.StringVar(&o.target.RedirectURI, "redirect", "", "its redirect URI; nothing needs to listen there")
	flags.StringVar(&o.target.Resource, "resource", "",
		"resource that client_credentials requests (default: the application's)")
	flags.StringVar(&o.target.Scope, "scope", "openid offline_access", "scope that sign-ins request")
	flags.StringVar(&o.target.Email, "email", "", "e-mail address of the person who signs in")
	flags.StringVar(&o.target.Password, "password", os.Getenv("BENCH_PASSWORD"), "their password (default: BENCH_PASSWORD)")
	flags.StringVar(&o.scenarios, "scenarios", "jwks,client_credentials,code,refresh,userinfo",
		"scenarios to run, in this order: "+strings.Join(names, ", "))
	flags.IntVar(&o.workers, "workers", 16, "number of concurrent clients")
	flags.DurationVar(&o.warmUp, "warm-up", time.Second, "how long to warm up before measuring")
	flags.DurationVar(&o.duration, "duration", 10*time.Second, "how long to measure each scenario")
	flags.BoolVar(&o.json, "json", false, "print JSON instead of a table")

	if err := flags.Parse(args); err != nil {
		return 2
	}

	report, err := measure(ctx, o)
	if err == nil {
		err = write(stdout, report, o.json)
	}

	if err != nil {
		_, _ = fmt.Fprintln(stderr, "bench:", err)
		return 1
	}

	for _, m := range report {
		if m.Errors > 0 {
			return 1
		}
	}

	return 0
}

// measured is a line of the report.
type measured struct {
	Scenario string `json:"scenario"`
	Workers  int    `json:"workers"`
	load.Result
}

func measure(ctx context.Context, o options) ([]measured, error) {
	var report []measured
	for name := range strings.SplitSeq(o.scenarios, ",") {
		workers, err := load.Workers(ctx, name, o.target, o.workers)
		if err != nil {
			return nil, err
		}

		during := func(d time.Duration) load.Result {
			ctx, cancel := context.WithTimeout(ctx, d)
			defer cancel()
			return load.Run(ctx, workers)
		}

		during(o.warmUp)
		report = append(report, measured{Scenario: name, Workers: o.workers, Result: during(o.duration)})
	}

	return report, nil
}

func write(w io.Writer, report []measured, asJSON bool) error {
	if asJSON {
		encoder := json.NewEncoder(w)
		encoder.SetIndent("", "  ")
		return encoder.Encode(report)
	}

	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(table, "scenario\tworkers\trequests/s\tp50\tp99\tmax\terrors\t")

	for _, m := range report {
		_, _ = fmt.Fprintf(table, "%s\t%d\t%.0f\t%s\t%s\t%s\t%d\t\n", m.Scenario, m.Workers, m.PerSecond,
			m.P50.Round(10*time.Microsecond), m.P99.Round(10*time.Microsecond),
			m.Max.Round(10*time.Microsecond), m.Errors)
		if m.FirstError != "" {
			_, _ = fmt.Fprintf(table, "\t%s\t\n", m.FirstError)
		}
	}

	return table.Flush()
}
