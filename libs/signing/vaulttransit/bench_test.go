package vaulttransit_test

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// concurrencies lists the numbers of concurrent callers.
var concurrencies = []int{1, 16, 64, 256}

// BenchmarkSign compares the engine with one request per signature, as the official client
// makes it. Both take turns on one server, so that other load on the machine affects both
// alike. For both (the latter with "1by1-") it reports signatures per second, the median
// wait of a caller, and signatures per CPU-second of this process and of the server, and
// also the ratio of the two.
func BenchmarkSign(b *testing.B) {
	bao := prepared(b)
	token := leastToken(b, bao)
	maker := open(b, bao, vaulttransit.Options{})
	for _, alg := range []signing.Algorithm{signing.ES256, signing.EdDSA, signing.RS256} {
		key := signingtest.NewKey(b, maker, alg, 1, time.Now())
		single := oneByOne(benchClient(b, bao, token), key)
		engine := open(b, bao, vaulttransit.Options{Client: benchClient(b, bao, token)})
		for _, n := range concurrencies {
			b.Run(fmt.Sprintf("%s/%d", alg, n), func(b *testing.B) {
				var one, together tally
				// Long turns, so that the first and the last of each count little.
				const turns = 4
				signatures := max(b.N/turns, 8*n)
				for range turns {
					one.measure(b, bao, n, signatures, single)
					together.measure(b, bao, n, signatures, engineOf(engine, key))
				}

				one.report(b, "1by1-")
				together.report(b, "")
				b.ReportMetric(together.perSecond()/one.perSecond(), "×sig/s")
				b.ReportMetric(float64(together.median())/float64(one.median()), "×p50")
				b.ReportMetric(one.theirs.Seconds()/max(together.theirs, clockTick).Seconds(), "×sig/server-cpu-s")
			})
		}
	}
}

func engineOf(e *vaulttransit.Engine, key signing.Key) func(ctx context.Context, input []byte) error {
	return func(ctx context.Context, input []byte) error {
		_, err := e.Sign(ctx, key, input)
		return err
	}
}

// BenchmarkLimits was used to choose the default limits. It tries every pair of limits in
// turn with 64 callers, and reports signatures per second by batch and slots.
func BenchmarkLimits(b *testing.B) {
	bao := prepared(b)
	token := leastToken(b, bao)
	maker := open(b, bao, vaulttransit.Options{})
	for _, family := range []struct {
		alg      signing.Algorithm
		batches  []int
		slots    []int
		oneRound int // signatures
	}{
		{signing.ES256, []int{8, 32, 64, 128}, []int{1, 2, 4, 8}, 1024},
		{signing.RS256, []int{1, 4, 8, 16}, []int{2, 4, 8, 64}, 256},
	} {
		key := signingtest.NewKey(b, maker, family.alg, 1, time.Now())
		b.Run(string(family.alg), func(b *testing.B) {
			engines, tallies := map[vaulttransit.Limits]*vaulttransit.Engine{}, map[vaulttransit.Limits]*tally{}
			for _, batch := range family.batches {
				for _, slots := range family.slots {
					l := vaulttransit.Limits{Batch: batch, Slots: slots}
					engines[l], tallies[l] = open(b, bao,
						vaulttransit.Options{Client: benchClient(b, bao, token), RSA: l, EC: l}), &tally{}
				}
			}

			for range b.N {
				for l, engine := range engines {
					tallies[l].measure(b, bao, 64, family.oneRound, engineOf(engine, key))
				}
			}

			for l, t := range tallies {
				b.ReportMetric(t.perSecond(), fmt.Sprintf("b%03d-s%02d-sig/s", l.Batch, l.Slots))
				b.ReportMetric(float64(t.signed)/max(t.theirs, clockTick).Seconds(),
					fmt.Sprintf("b%03d-s%02d-sig/server-cpu-s", l.Batch, l.Slots))
			}

			b.ReportMetric(0, "ns/op")
		})
	}
}

// leastToken returns a token without the default policy, as services have.
func leastToken(b *testing.B, bao *testkit.BaoServer) string {
	b.Helper()
	root := bao.Client(b, bao.RootToken)
	require.NoError(b,
		root.Sys().PutPolicyWithContext(b.Context(), "sign",
			`path "transit/sign/platform-*" { capabilities = ["update"] }`))
	secret, err := root.Auth().Token().CreateWithContext(b.Context(),
		&api.TokenCreateRequest{Policies: []string{"sign"}, NoDefaultPolicy: true})
	require.NoError(b, err)
	return secret.Auth.ClientToken
}

// benchClient keeps a connection for every caller, so that neither side pays for
// new ones.
func benchClient(b *testing.B, bao *testkit.BaoServer, token string) *api.Client {
	b.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConns, transport.MaxIdleConnsPerHost = 0, slices.Max(concurrencies)
	b.Cleanup(transport.CloseIdleConnections)
	c, err := vaulttransit.NewClient(vaulttransit.ClientOptions{Config: &api.Config{
		Address:    bao.Addr,
		HttpClient: &http.Client{Transport: transport},
	}})
	require.NoError(b, err)
	c.SetToken(token)
	return c
}

// oneByOne signs as Vault's manual suggests.
func oneByOne(c *api.Client, key signing.Key) func(ctx context.Context, input []byte) error {
	name, number, _ := strings.Cut(key.Ref, ":v")
	return func(ctx context.Context, input []byte) error {
		body := map[string]any{
			"key_version":          number,
			"marshaling_algorithm": "jws",
			"input":                base64.StdEncoding.EncodeToString(input),
		}
		if key.Algorithm != signing.EdDSA {
			digest := sha256.Sum256(input)
			body["input"], body["prehashed"], body["hash_algorithm"] = base64.StdEncoding.EncodeToString(
				digest[:]), true, "sha2-256"
		}

		if key.Algorithm == signing.RS256 {
			body["signature_algorithm"] = "pkcs1v15"
		}

		secret, err := c.Logical().WriteWithContext(ctx, "transit/sign/"+name, body)
		if err != nil {
			return err
		}

		_, encoded, _ := strings.Cut(strings.TrimPrefix(secret.Data["signature"].(string), "vault:"), ":")
		_, err = base64.RawURLEncoding.DecodeString(encoded)
		return err
	}
}

// clockTick is the unit of the server's CPU time.
const clockTick = 10 * time.Millisecond

// tally is the cost of some turns of a method.
type tally struct {
	signed                int
	elapsed, ours, theirs time.Duration
	waits                 []time.Duration
}

func (t *tally) perSecond() float64 { return float64(t.signed) / t.elapsed.Seconds() }

func (t *tally) median() time.Duration {
	slices.Sort(t.waits)
	return t.waits[len(t.waits)/2]
}

func (t *tally) report(b *testing.B, prefix string) {
	b.Helper()
	b.ReportMetric(t.perSecond(), prefix+"sig/s")
	b.ReportMetric(float64(t.median().Microseconds()), prefix+"p50-µs")
	b.ReportMetric(float64(t.signed)/t.ours.Seconds(), prefix+"sig/client-cpu-s")
	b.ReportMetric(float64(t.signed)/max(t.theirs, clockTick).Seconds(), prefix+"sig/server-cpu-s")
	b.ReportMetric(0, "ns/op")
}

// measure has n callers make that many signatures together.
func (t *tally) measure(
	b *testing.B, bao *testkit.BaoServer, n, signatures int, sign func(ctx context.Context, input []byte) error,
) {
	b.Helper()
	input := []byte(strings.Repeat("e", 700)) // an access token's length
	var left, failed atomic.Int64
	left.Store(int64(signatures))
	waits := make([][]time.Duration, n)
	ours, theirs, start := cpuTime(b), bao.CPUTime(b), time.Now()
	var all sync.WaitGroup
	for caller := range n {
		all.Go(func() {
			for left.Add(-1) >= 0 {
				start := time.Now()
				if err := sign(b.Context(), input); err != nil {
					failed.Add(1)
				}
				waits[caller] = append(waits[caller], time.Since(start))
			}
		})
	}

	all.Wait()
	require.Zero(b, failed.Load())
	t.elapsed += time.Since(start)
	t.ours += cpuTime(b) - ours
	t.theirs += bao.CPUTime(b) - theirs
	t.signed += signatures
	t.waits = append(t.waits, slices.Concat(waits...)...)
}

// cpuTime returns the CPU time of this process.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
