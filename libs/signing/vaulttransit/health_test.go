package vaulttransit_test

import (
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
)

// session is a login whose state a test sets.
type session struct {
	err    atomic.Pointer[error]
	doubts atomic.Int32
}

func (s *session) Err() error {
	if err := s.err.Load(); err != nil {
		return *err
	}
	return nil
}

func (s *session) Doubt() { s.doubts.Add(1) }

func TestEachAnswerHasItsReason(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	root := open(t, bao, vaulttransit.Options{})
	key := signingtest.NewKey(t, root, signing.ES256, 1, time.Now())
	policyless, err := bao.Client(t, bao.RootToken).Auth().Token().CreateWithContext(t.Context(),
		&api.TokenCreateRequest{Policies: []string{"default"}})
	require.NoError(t, err)
	unknown := key
	unknown.Ref = "platform2-es256:v1"
	later := key
	later.Ref = "platform-es256:v2"
	elsewhere := open(t, bao, vaulttransit.Options{Mount: "nowhere"})
	closed := nobody(t)
	for name, c := range map[string]struct {
		engine *vaulttransit.Engine
		key    signing.Key
		want   vaulttransit.Reason
		gone   bool // as the edge sees it: 500, and not 503
	}{
		"a policy that does not allow it": {
			open(t, bao, vaulttransit.Options{Client: client(t, bao, policyless.Auth.ClientToken)}), key,
			vaulttransit.Denied, false,
		},
		"an unknown token": {
			open(t, bao, vaulttransit.Options{Client: client(t, bao, "hvs.unknown")}), key, vaulttransit.Denied, false,
		},
		"no token": {
			open(t, bao, vaulttransit.Options{Client: client(t, bao, "")}), key, vaulttransit.Denied, false,
		},
		"no such key":     {root, unknown, vaulttransit.MissingKey, true},
		"no such version": {open(t, bao, vaulttransit.Options{}), later, vaulttransit.BadVersion, true},
		"no such mount":   {elsewhere, key, vaulttransit.MissingKey, true},
		"no server": {
			open(t, closed, vaulttransit.Options{}), key, vaulttransit.Unreachable, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := c.engine.Sign(t.Context(), c.key, []byte("input"))
			requireReason(t, c.want, err)
			require.Equal(t, !c.gone, unavailable(err))
			requireReason(t, c.want, c.engine.Check(t.Context()))
			_, err = root.Sign(t.Context(), key, []byte("input"))
			require.NoError(t, err)
		})
	}
}

func TestReadinessSeesWithoutTrafficThatATroubleIsOver(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	root := bao.Client(t, bao.RootToken)
	allow := func(path string) {
		require.NoError(t,
			root.Sys().PutPolicyWithContext(t.Context(), "sign",
				`path "auth/token/lookup-self" { capabilities = ["read"] } path "`+path+
					`" { capabilities = ["update"] }`))
	}
	allow("nothing")
	secret, err := root.Auth().Token().CreateWithContext(t.Context(),
		&api.TokenCreateRequest{Policies: []string{"sign"}})
	require.NoError(t, err)
	start := time.Now()
	var passed atomic.Int64
	e := open(t, bao, vaulttransit.Options{
		Client: client(t, bao, secret.Auth.ClientToken),
		Now:    func() time.Time { return start.Add(time.Duration(passed.Load())) },
	})
	for _, alg := range []signing.Algorithm{signing.RS256, signing.ES256, signing.EdDSA} {
		key := signingtest.NewKey(t, open(t, bao, vaulttransit.Options{}), alg, 1, start)
		name := key.Ref[:len(key.Ref)-len(":v1")]
		_, err = e.Sign(t.Context(), key, []byte("input"))
		requireReason(t, vaulttransit.Denied, err)
		passed.Add(int64(10 * time.Second))
		requireReason(t, vaulttransit.Denied, e.Check(t.Context()))
		allow("transit/sign/" + name)
		require.NoError(t, e.Check(t.Context()))

		remove(t, bao, name)
		_, err = e.Sign(t.Context(), key, []byte("input"))
		requireReason(t, vaulttransit.MissingKey, err)
		again := signingtest.NewKey(t, open(t, bao, vaulttransit.Options{}), alg, 2, start)
		require.Equal(t, key.Ref, again.Ref)
		passed.Add(int64(10 * time.Second))
		requireReason(t, vaulttransit.MissingKey, e.Check(t.Context()))
		_, err = e.Sign(t.Context(), again, []byte("input"))
		require.NoError(t, err)
		require.NoError(t, e.Check(t.Context()))
		allow("nothing")
	}
}

func TestReasonsOfAnswersThatASmallServerNeverGives(t *testing.T) {
	t.Parallel()

	for name, c := range map[string]struct {
		status int
		text   string
		want   vaulttransit.Reason
	}{
		"a quota": {
			http.StatusTooManyRequests, "request path \"transit/sign\": rate limit quota exceeded",
			vaulttransit.Unreachable,
		},
		"a standby": {472, "", vaulttransit.Unreachable},
		"a server that lags behind": {
			http.StatusPreconditionFailed, "required index state not present", vaulttransit.Unreachable,
		},
		"no leader": {
			http.StatusInternalServerError,
			"local node not active but active cluster node not found", vaulttransit.Fault,
		},
		"sealed": {
			http.StatusServiceUnavailable, "Vault is sealed", vaulttransit.Sealed,
		},
		"a proxy without a server": {http.StatusBadGateway, "", vaulttransit.Fault},
		"a version that was archived": {
			http.StatusBadRequest,
			"requested version for signing does not contain a private part", vaulttransit.BadVersion,
		},
		"a key that has been deleted": {
			http.StatusBadRequest, "signing key not found", vaulttransit.MissingKey,
		},
		"something about the input": {
			http.StatusBadRequest, "unable to decode input as base64", vaulttransit.Refused,
		},
		"a permission": {
			http.StatusForbidden, "1 error occurred:\n\t* permission denied\n\n", vaulttransit.Denied,
		},
		"a request without a token (OpenBao 2)": {http.StatusBadRequest, "missing client token", vaulttransit.Denied},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			require.Equal(t, c.want, vaulttransit.ReasonOf(c.status, c.text))
		})
	}
}

func TestAKeyThatDoesNotSignCostsTheOthersNothing(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	e := open(t, bao, vaulttransit.Options{})
	key := signingtest.NewKey(t, e, signing.EdDSA, 1, time.Now())
	_, err := bao.Client(t, bao.RootToken).Logical().WriteWithContext(t.Context(), "transit/keys/platform-es256",
		map[string]any{"type": "aes256-gcm96"})
	require.NoError(t, err)

	for range 5 {
		_, err := e.Sign(t.Context(), signing.Key{Algorithm: signing.ES256, Ref: "platform-es256:v1"}, []byte("input"))
		requireReason(t, vaulttransit.Refused, err)
	}

	require.ErrorContains(t, e.Check(t.Context()), "key platform-es256:v1: vault: refused", "readiness names it")
	_, err = e.Sign(t.Context(), key, []byte("input"))
	require.NoError(t, err)
}

func TestTheBreakerOpensOnASealedServerAndClosesWithOneProbe(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	c, g := gated(t, bao, bao.RootToken)
	e := open(t, bao, vaulttransit.Options{Client: c})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	sign := func() error {
		_, err := e.Sign(t.Context(), key, []byte("input"))
		return err
	}
	require.NoError(t, sign())
	bao.Seal(t)

	for range 3 {
		requireReason(t, vaulttransit.Sealed, sign())
	}

	require.Equal(t, "open", e.BreakerState())
	before := g.requests.Load()

	for range 100 {
		err := sign()
		require.ErrorContains(t, err, "sealed", "it says why")
		require.True(t, unavailable(err))
	}

	require.ErrorContains(t, e.Check(t.Context()), "sealed")
	require.LessOrEqual(t, g.requests.Load(), before+1, "no request reaches the server, or one after a second")

	// Half-open: of all who come at once one asks.
	require.Eventually(t, func() bool { return e.BreakerState() == "half-open" }, 2*time.Minute, 10*time.Millisecond)
	letGo := g.close()
	before = g.requests.Load()
	var all crowd
	all.sign(t.Context(), e, key, 1)
	require.Eventually(t, func() bool { return g.requests.Load() == before+1 }, 2*time.Minute, time.Millisecond)

	for range 20 {
		requireReason(t, vaulttransit.BreakerOpen, sign())
	}

	letGo()
	requireReason(t, vaulttransit.Sealed, all.wait()[0])
	require.Equal(t, before+1, g.requests.Load())
	require.Equal(t, "open", e.BreakerState())

	bao.Unseal(t)
	require.Eventually(t, func() bool { return sign() == nil }, 2*time.Minute, 10*time.Millisecond)
	require.Equal(t, "closed", e.BreakerState())
	require.NoError(t, e.Check(t.Context()))
}

func TestAServerThatDiesOrHangsIsUnreachable(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	e := open(t, bao, vaulttransit.Options{Timeout: 150 * time.Millisecond})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	for name, c := range map[string]struct{ away, back func() }{
		"hangs": {func() { bao.Pause(t) }, func() { bao.Resume(t) }},
		"dies":  {func() { bao.Kill(t) }, func() { bao.Start(t); bao.Unseal(t) }},
	} {
		t.Run(name, func(t *testing.T) {
			c.away()

			for e.BreakerState() == "closed" {
				// A signal takes a moment to arrive.
				if _, err := e.Sign(t.Context(), key, []byte("input")); err != nil {
					requireReason(t, vaulttransit.Unreachable, err)
				}
			}

			var all sync.WaitGroup
			var asked atomic.Int32
			for range 64 {
				all.Go(func() {
					_, err := e.Sign(t.Context(), key, []byte("input"))
					var known *vaulttransit.Error
					if !errors.As(err, &known) || known.Reason != vaulttransit.BreakerOpen {
						asked.Add(1)
					}
				})
			}

			all.Wait()
			require.LessOrEqual(t, asked.Load(), int32(1),
				"no request waits for a server that is down, or one after a second")
			require.Error(t, e.Check(t.Context()))
			c.back()
			// No signature is asked for: readiness itself is the probe.
			require.Eventually(t, func() bool { return e.Check(t.Context()) == nil },
				2*time.Minute, 20*time.Millisecond)
			_, err := e.Sign(t.Context(), key, []byte("input"))
			require.NoError(t, err)
		})
	}
}

func TestWithoutALoginNothingIsAsked(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	c, g := gated(t, bao, bao.RootToken)
	s := &session{}
	e := open(t, bao, vaulttransit.Options{Client: c, Session: s})
	key := signingtest.NewKey(t, e, signing.ES256, 1, time.Now())
	why := http.ErrNoCookie
	s.err.Store(&why)
	before := g.requests.Load()
	_, err := e.Sign(t.Context(), key, []byte("input"))
	requireReason(t, vaulttransit.LoggedOut, err)
	require.ErrorIs(t, err, why)
	requireReason(t, vaulttransit.LoggedOut, e.Check(t.Context()))
	require.Equal(t, before, g.requests.Load())
	s.err.Store(nil)
	c.SetToken("hvs.revoked")
	_, err = e.Sign(t.Context(), key, []byte("input"))
	requireReason(t, vaulttransit.Denied, err)
	require.EqualValues(t, 1, s.doubts.Load(), "the session is told")
	require.Equal(t, "closed", e.BreakerState(), "the server is there")
}

func TestAKeyThatWasMadeAgainIsNoticed(t *testing.T) {
	t.Parallel()
	bao := prepared(t)
	now := time.Now()
	var shift atomic.Int64
	e := open(t, bao, vaulttransit.Options{Now: func() time.Time { return now.Add(time.Duration(shift.Load())) }})
	for name, between := range map[string]func(t *testing.T, key signing.Key){
		"by who found it missing": func(t *testing.T, key signing.Key) {
			_, err := e.Sign(t.Context(), key, []byte("input"))
			requireReason(t, vaulttransit.MissingKey, err)
		},
		"by who did not ask meanwhile": func(*testing.T, signing.Key) { shift.Add(int64(100 * time.Millisecond)) },
	} {
		t.Run(name, func(t *testing.T) {
			for _, alg := range []signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA} {
				key := signingtest.NewKey(t, e, alg, 1, now)
				_, err := e.Sign(t.Context(), key, []byte("input"))
				require.NoError(t, err)
				remove(t, bao, key.Ref[:len(key.Ref)-len(":v1")])
				between(t, key)
				again := signingtest.NewKey(t, e, alg, 1, now)
				require.Equal(t, key.Ref, again.Ref)

				for range 2 {
					_, err = e.Sign(t.Context(), key, []byte("input"))
					requireReason(t, vaulttransit.MissingKey, err)
					require.ErrorIs(t, err, signing.ErrKeyMissing)
				}

				_, err = e.Sign(t.Context(), again, []byte("input"))
				require.NoError(t, err)
				remove(t, bao, key.Ref[:len(key.Ref)-len(":v1")])
			}
		})
	}
}
