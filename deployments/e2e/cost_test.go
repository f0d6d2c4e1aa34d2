package e2e

import (
	"context"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/bench/load"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// BenchmarkTelemetryCost compares client_credentials of a platform without and
// with telemetry, which records one request of a hundred for a collector that
// runs. Both run all the time and are asked in turn, each for a slice of time an
// iteration, so that whatever else the machine does is shared; -benchtime 40x is
// a good run. cpu-% is what a request costs the process in processor time, which
// other programs disturb less than the throughput.
func BenchmarkTelemetryCost(b *testing.B) {
	collector := testkit.NewOTLP(b)
	off := newCostSide(b)
	on := newCostSide(
		b, "OTEL_EXPORTER_OTLP_ENDPOINT="+collector.URL, "OTEL_TRACES_SAMPLER=parentbased_traceidratio",
		"OTEL_TRACES_SAMPLER_ARG=0.01",
		"OTEL_METRIC_EXPORT_INTERVAL=10000",
	)
	sides := []*costSide{off, on}
	for _, side := range sides {
		side.ask(b, time.Second) // warm
		side.rates, side.requests = nil, 0
		side.cpu = -side.processorTime(b)
	}

	for b.Loop() {
		for _, side := range sides {
			side.ask(b, 250*time.Millisecond)
		}
		slices.Reverse(sides)
	}

	for _, side := range sides {
		side.cpu += side.processorTime(b)
	}

	b.ReportMetric(off.perSecond(), "off-req/s")
	b.ReportMetric(on.perSecond(), "on-req/s")
	b.ReportMetric(100*(1-on.perSecond()/off.perSecond()), "throughput-%")
	b.ReportMetric(100*(on.cpu/float64(on.requests)/(off.cpu/float64(off.requests))-1), "cpu-%")
	b.ReportMetric(float64(len(collector.Spans())), "spans")
	b.ReportMetric(0, "ns/op")
}

// costSide is one of the two platforms.
type costSide struct {
	admin    string
	workers  []load.Step
	rates    []float64 // requests a second, by slice
	requests int
	cpu      float64 // seconds
}

func newCostSide(b *testing.B, env ...string) *costSide {
	b.Helper()
	addr, admin := testkit.FreeAddr(b), testkit.FreeAddr(b)
	p := start(b, "platform", append([]string{"PATH=" + os.Getenv("PATH")}, env...), "up", "--apply", seed(b),
		"--listen", addr, "--admin-listen", admin, "--public-url", "http://"+addr, "--data", b.TempDir())
	p.waitFor(b, admin, "/readyz")
	workers, err := load.Workers(b.Context(), "client_credentials", load.Target{
		URL:          "http://" + addr,
		ClientID:     "service",
		ClientSecret: secrets["service"],
		Resource:     billingAPI,
	}, 8)

	require.NoError(b, err)

	return &costSide{admin: admin, workers: workers}
}

func (s *costSide) ask(b *testing.B, slice time.Duration) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), slice)
	defer cancel()
	result := load.Run(ctx, s.workers)
	require.Zero(b, result.Errors, result.FirstError)
	s.rates = append(s.rates, result.PerSecond)
	s.requests += result.Requests
}

// perSecond is the median over the slices.
func (s *costSide) perSecond() float64 {
	sorted := slices.Sorted(slices.Values(s.rates))
	return sorted[len(sorted)/2]
}

var cpuSeconds = regexp.MustCompile(`(?m)^process_cpu_seconds_total (\S+)$`)

func (s *costSide) processorTime(b *testing.B) float64 {
	b.Helper()
	_, text := fetch(b.Context(), "http://"+s.admin+"/metrics")
	found := cpuSeconds.FindStringSubmatch(text)
	require.NotNil(b, found)
	seconds, err := strconv.ParseFloat(found[1], 64)
	require.NoError(b, err)
	return seconds
}
