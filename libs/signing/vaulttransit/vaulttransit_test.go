package vaulttransit_test

import (
	"net/http"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// prepared starts a server with a transit engine.
func prepared(t testing.TB) *testkit.BaoServer {
	t.Helper()
	bao := testkit.OpenBao(t)
	require.NoError(t,
		bao.Client(t, bao.RootToken).Sys().MountWithContext(t.Context(), "transit", &api.MountInput{Type: "transit"}))
	return bao
}

// client returns a client like those of the services.
func client(t testing.TB, bao *testkit.BaoServer, token string) *api.Client {
	t.Helper()
	c, _ := gated(t, bao, token)
	return c
}

// gated returns such a client whose requests pass a gate.
func gated(t testing.TB, bao *testkit.BaoServer, token string) (*api.Client, *gate) {
	t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	t.Cleanup(transport.CloseIdleConnections)
	config := &api.Config{Address: bao.Addr, HttpClient: &http.Client{Transport: transport}}
	c, err := vaulttransit.NewClient(vaulttransit.ClientOptions{Config: config, Connections: 16})
	require.NoError(t, err)
	c.SetToken(token)
	g := &gate{RoundTripper: config.HttpClient.Transport}
	config.HttpClient.Transport = g
	return c, g
}

// open creates an engine on the server, with the root token unless a client is given.
func open(t testing.TB, bao *testkit.BaoServer, o vaulttransit.Options) *vaulttransit.Engine {
	t.Helper()
	if o.Client == nil {
		o.Client = client(t, bao, bao.RootToken)
	}

	e, err := vaulttransit.New(o)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, e.Close()) })
	return e
}

func TestContract(t *testing.T) {
	e := open(t, prepared(t), vaulttransit.Options{})
	signingtest.Run(t, func(*testing.T) signingtest.BackendAndMaker { return e })
}

func TestARingSignsAndVerifiesAcrossARotation(t *testing.T) {
	bao := prepared(t)
	e := open(t, bao, vaulttransit.Options{})
	now := time.Now()
	schedule := signingtest.NewSchedule(signingtest.NewKey(t, e, signing.ES256, 1, now))
	ring := signing.NewRing(signing.RingOptions{Schedule: schedule, Backend: e})
	require.NoError(t, ring.Load(t.Context()))
	token, err := ring.Sign(t.Context(), signing.ES256, "at+jwt", map[string]string{"sub": "ada"})
	require.NoError(t, err)

	// Somebody rotates the key by hand: what the schedule does not know never signs.
	_, err = bao.Client(t, bao.RootToken).Logical().WriteWithContext(t.Context(),
		"transit/keys/platform-es256/rotate", nil)
	require.NoError(t, err)
	again, err := ring.Sign(t.Context(), signing.ES256, "at+jwt", map[string]string{"sub": "ada"})
	require.NoError(t, err)

	for _, signed := range []string{token, again} {
		_, err = ring.Verify(t.Context(), signed, "at+jwt")
		require.NoError(t, err)
	}
}

// nobody is a server that doesn't listen.
func nobody(t testing.TB) *testkit.BaoServer {
	t.Helper()
	return &testkit.BaoServer{Addr: "http://" + testkit.FreeAddr(t)}
}
