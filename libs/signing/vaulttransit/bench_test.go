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

// concurrencies are how many callers sign at the same time.
var concurrencies = []int{1, 16, 64, 256}

// BenchmarkSign compares the engine with one request a signature, as the official
// client makes it, in one run on one server. It reports signatures a second, the
// median wait of a caller, signatures per CPU-second of this process and of the
// server, and how many times what one-by-one reaches at the same concurrency.
func BenchmarkSign(b *testing.B) {
	bao := prepared(b)
	token := leastToken(b, bao)
	maker := open(b, bao, vaulttransit.Options{})
	for _, alg := range []signing.Algorithm{signing.ES256, signing.EdDSA, signing.RS256} {
		key := signingtest.NewKey(b, maker, alg, 1, time.Now())
		single := oneByOne(benchClient(b, bao, token), key)
		engine := open(b, bao, vaulttransit.Options{Client: benchClient(b, bao, token)})
		for _, n := range concurrencies {
			var base rates
			b.Run(fmt.Sprintf("%s/%d/one-by-one", alg, n), func(b *testing.B) { base = measure(b, bao, n, single) })
			b.Run(fmt.Sprintf("%s/%d/engine", alg, n), func(b *testing.B) {
				got := measure(b, bao, n, func(ctx context.Context, input []byte) error {
					_, err := engine.Sign(ctx, key, input)
					return err
				})
				if base.perSecond > 0 {
					b.ReportMetric(got.perSecond/base.perSecond, "×sig/s")
					b.ReportMetric(float64(got.median)/float64(base.median), "×p50")
				}
			})
		}
	}
}

// BenchmarkLimits is what the default limits were chosen by: 64 callers.
func BenchmarkLimits(b *testing.B) {
	bao := prepared(b)
	token := leastToken(b, bao)
	maker := open(b, bao, vaulttransit.Options{})
	for _, alg := range []signing.Algorithm{signing.ES256, signing.RS256} {
		key := signingtest.NewKey(b, maker, alg, 1, time.Now())
		for _, batch := range []int{4, 8, 16, 32, 64, 128} {
			for _, slots := range []int{1, 2, 4, 8} {
				l := vaulttransit.Limits{Batch: batch, Slots: slots}
				engine := open(b, bao, vaulttransit.Options{Client: benchClient(b, bao, token), RSA: l, EC: l})
				b.Run(fmt.Sprintf("%s/batch-%d/slots-%d", alg, batch, slots), func(b *testing.B) {
					measure(b, bao, 64, func(ctx context.Context, input []byte) error {
						_, err := engine.Sign(ctx, key, input)
						return err
					})
				})
			}
		}
	}
}

// leastToken is one such as a service has: without the default policy.
func leastToken(b *testing.B, bao *testkit.BaoServer) string {
	b.Helper()
	root := bao.Client(b, bao.RootToken)
	require.NoError(b, root.Sys().PutPolicyWithContext(b.Context(), "sign", `path "transit/sign/platform-*" { capabilities = ["update"] }`))
	secret, err := root.Auth().Token().CreateWithContext(b.Context(), &api.TokenCreateRequest{Policies: []string{"sign"}, NoDefaultPolicy: true})
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
	c, err := vaulttransit.NewClient(vaulttransit.ClientOptions{Config: &api.Config{Address: bao.Addr, HttpClient: &http.Client{Transport: transport}}})
	require.NoError(b, err)
	c.SetToken(token)
	return c
}

// oneByOne signs as somebody would who reads the manual.
func oneByOne(c *api.Client, key signing.Key) func(ctx context.Context, input []byte) error {
	name, number, _ := strings.Cut(key.Ref, ":v")
	return func(ctx context.Context, input []byte) error {
		body := map[string]any{"key_version": number, "marshaling_algorithm": "jws", "input": base64.StdEncoding.EncodeToString(input)}
		if key.Algorithm != signing.EdDSA {
			digest := sha256.Sum256(input)
			body["input"], body["prehashed"], body["hash_algorithm"] = base64.StdEncoding.EncodeToString(digest[:]), true, "sha2-256"
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

type rates struct {
	perSecond float64
	median    time.Duration
}

// measure lets n callers sign b.N times together.
func measure(b *testing.B, bao *testkit.BaoServer, n int, sign func(ctx context.Context, input []byte) error) rates {
	b.Helper()
	input := []byte(strings.Repeat("e", 700)) // an access token's length
	var left, failed atomic.Int64
	left.Store(int64(b.N))
	waits := make([][]time.Duration, n)
	ours, theirs := cpuTime(b), bao.CPUTime(b)
	b.ResetTimer()
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
	b.StopTimer()
	ours, theirs = cpuTime(b)-ours, bao.CPUTime(b)-theirs
	require.Zero(b, failed.Load())
	every := slices.Concat(waits...)
	slices.Sort(every)
	got := rates{float64(b.N) / b.Elapsed().Seconds(), every[len(every)/2]}
	b.ReportMetric(got.perSecond, "sig/s")
	b.ReportMetric(float64(got.median.Microseconds()), "p50-µs")
	b.ReportMetric(float64(b.N)/ours.Seconds(), "sig/client-cpu-s")
	b.ReportMetric(float64(b.N)/max(theirs, 10*time.Millisecond).Seconds(), "sig/server-cpu-s")
	b.ReportMetric(0, "ns/op")
	return got
}

// cpuTime is how long this process has computed.
func cpuTime(b *testing.B) time.Duration {
	b.Helper()
	var usage syscall.Rusage
	require.NoError(b, syscall.Getrusage(syscall.RUSAGE_SELF, &usage))
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}
