package authorize_test

import (
	"context"
	"crypto/rand"
	"net/http"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// code is the row that a code stands for.
type code struct {
	ClientID    string        `db:"client_id"`
	RedirectURI string        `db:"redirect_uri"`
	Challenge   string        `db:"code_challenge"`
	Scope       string        `db:"scope"`
	Nonce       string        `db:"nonce"`
	Resource    string        `db:"resource"`
	GrantID     string        `db:"grant_id"`
	Offline     bool          `db:"offline"`
	UserID      string        `db:"user_id"`
	TenantID    string        `db:"tenant_id"`
	SessionID   string        `db:"session_id"`
	AuthTime    database.Time `db:"auth_time"`
	ACR         string        `db:"acr"`
	ExpiresAt   database.Time `db:"expires_at"`
}

func (w *world) code(value string) code {
	w.t.Helper()
	var c code
	require.NoError(w.t,
		w.db.Get(context.Background(), "test.code", &c,
			`SELECT client_id, redirect_uri, code_challenge, scope, nonce, resource,
		grant_id, offline, user_id, tenant_id, session_id, auth_time, acr, expires_at FROM authorization_codes WHERE code_hash = $1`, oauth.HashSecret(
				value)))
	return c
}

// OpenID Connect Core 3.1.2.1 (scope, max_age, prompt=none) and 3.1.2.5: a session that
// suffices answers, with unknown and unallowed scopes dropped (RFC 6749 3.3).
func TestASessionAnswersAtOnceWithoutAFlow(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.consent(ada, "web", "https://api.test", "openid profile offline_access")
		sid, session := w.signIn(ada, nil)
		w.clock.Advance(10 * time.Second)

		for _, prompt := range []string{"", "none"} {
			q := w.do(visit{session: session, params: webParams(url.Values{
				"prompt":   {prompt},
				"scope":    {"openid offline_access admin"},
				"resource": {"https://api.test"},
				"max_age":  {"10"},
			})}).toApplication(callback + "&")

			require.Equal(t, "st+a te&", q.Get("state"))
			require.Len(t, q.Get("code"), 43)
			got := w.code(q.Get("code"))
			require.Regexp(t, `^gnt_[a-z2-7]{26}$`, got.GrantID)
			require.Equal(t, w.clock.Now().Add(time.Minute), got.ExpiresAt.UTC())
			require.Equal(t, w.clock.Now().Add(-10*time.Second), got.AuthTime.UTC())
			got.GrantID, got.ExpiresAt, got.AuthTime = "", database.Time{}, database.Time{}
			require.Equal(t, code{
				ClientID:    "web",
				RedirectURI: callback,
				Challenge:   challenge,
				Scope:       "openid offline_access",
				Nonce:       "n-1",
				Resource:    "https://api.test",
				Offline:     true,
				UserID:      ada,
				TenantID:    acme,
				SessionID:   sid,
				ACR:         "1",
			}, got)
		}

		require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests`), "no flow row")
	})
}

// OpenID Connect Core 3.1.2.6.
func TestPromptNoneWithSeveralPeopleInOneBrowserAsksWhoIsMeant(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		accounts := secret(t)
		in := func(s *sessions.Session) { s.Proof = oauth.HashSecret(accounts) }
		_, alone := w.signIn(ada, in)
		ask := func(session, prompt string) url.Values {
			return w.do(visit{
				session: session,
				account: accounts,
				params:  params("first", callback, url.Values{"prompt": {prompt}}),
			}).toApplication(callback)
		}
		require.NotEmpty(t, ask(alone, "none").Get("code"), "a single person need not be chosen")
		require.Equal(t, "account_selection_required", ask("", "none").Get("error"), "signed in, but not in use")
		other, _ := w.signIn(bob, in)
		require.Equal(t, "account_selection_required", ask(alone, "none").Get("error"))
		require.NotEmpty(t, ask(alone, "").Get("code"), "without prompt=none the session in use answers")
		elsewhere := visit{
			session: alone,
			account: secret(t),
			params:  params("first", callback, url.Values{"prompt": {"none"}}),
		}
		require.NotEmpty(t, w.do(elsewhere).toApplication(callback).Get("code"),
			"another browser's people are none of this one's")

		w.exec(`UPDATE sessions SET last_seen_at = $1 WHERE id = $2`,
			database.At(w.clock.Now().Add(-12*time.Hour)), other)
		require.NotEmpty(t, ask(alone, "none").Get("code"), "who was idle too long is signed in no more")
	})
}

// OpenID Connect Core 3.1.2.1 and 3.1.2.6.
func TestWhatPromptNoneAnswersOverHTTP(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.consent(ada, "web", "", "openid profile")
	w.consent(ada, "native", "", "openid profile")
	alive := func(change func(*sessions.Session)) string {
		_, value := w.signIn(ada, change)
		return value
	}
	_, outsider := w.signIn(bob, nil)
	w.exec(`DELETE FROM memberships WHERE user_id = $1`, bob)
	good := alive(nil)
	for _, tc := range []struct {
		name     string
		session  string
		client   string
		redirect string
		change   url.Values
		want     string // empty: a code
	}{
		{"a good session", good, "web", callback, nil, ""},
		{"no session", "", "web", callback, nil, "login_required"},
		{"an unknown cookie", secret(t), "web", callback, nil, "login_required"},
		{
			"an ended session", alive(func(s *sessions.Session) { s.EndedAt = w.clock.Now() }), "web",
			callback, nil, "login_required",
		},
		{
			"an expired session", alive(func(s *sessions.Session) { s.ExpiresAt = w.clock.Now() }), "web",
			callback, nil, "login_required",
		},
		{
			"an idle session", alive(func(s *sessions.Session) { s.LastSeenAt = w.clock.Now().Add(-12 * time.Hour) }),
			"web", callback, nil, "login_required",
		},
		{"a person who left the tenant", outsider, "first", callback, nil, "login_required"},
		{"max_age=0", good, "web", callback, url.Values{"max_age": {"0"}}, "login_required"},
		{
			"a session without a tenant", alive(func(s *sessions.Session) { s.TenantID = "" }), "web", callback, nil,
			"account_selection_required",
		},
		{
			"a wider scope than remembered", good, "web", callback,
			url.Values{"scope": {"openid offline_access"}},
			"consent_required",
		},
		{
			"another resource than remembered", good, "web", callback,
			url.Values{"resource": {"https://api.test"}},
			"consent_required",
		},
		{
			"a first-party application needs no consent", good, "first", callback,
			url.Values{"scope": {"openid offline_access"}},
			"",
		},
		{
			"loopback: neither first party nor memory counts (RFC 8252 8.6)", good, "native",
			"http://127.0.0.1:9999/callback", nil, "interaction_required",
		},
		{"a private scheme likewise (RFC 8252 8.6)", good, "native", private, nil, "interaction_required"},
		{"a native application on https counts as itself", good, "native", "https://native.test/cb", nil, ""},
		{"an acr we cannot vouch for is only a wish", good, "web", callback, url.Values{"acr_values": {"2"}}, ""},
	} {
		t.Run(tc.name, func(t *testing.T) {
			p := params(tc.client, tc.redirect, tc.change)
			p.Set("prompt", "none")
			q := w.do(visit{session: tc.session, params: p}).toApplication(tc.redirect)
			require.Equal(t, tc.want, q.Get("error"))
			require.Equal(t, tc.want == "", q.Get("code") != "")
		})
	}

	require.Zero(t, w.count(`SELECT count(*) FROM authorization_requests`), "prompt=none never reaches the pages")
}

// OpenID Connect Core 3.1.2.3 and 3.1.2.4.
func TestWhatSendsASignedInPersonToThePages(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	w.consent(ada, "web", "", "openid profile")
	_, session := w.signIn(ada, nil)
	w.clock.Advance(time.Hour)

	for name, tc := range map[string]struct {
		client   string
		redirect string
		change   url.Values
	}{
		"prompt=login":                    {"web", callback, url.Values{"prompt": {"login"}}},
		"prompt=consent":                  {"web", callback, url.Values{"prompt": {"consent"}}},
		"prompt=select_account":           {"web", callback, url.Values{"prompt": {"select_account"}}},
		"a max_age that has passed":       {"web", callback, url.Values{"max_age": {"3599"}}},
		"a scope not allowed yet":         {"web", callback, url.Values{"scope": {"openid offline_access"}}},
		"a native application's loopback": {"native", loopback, nil},
		"a stronger acr":                  {"web", callback, url.Values{"acr_values": {"2"}}},
	} {
		t.Run(name, func(t *testing.T) {
			flow := w.do(visit{session: session, params: params(tc.client, tc.redirect, tc.change)}).toPages()
			require.Equal(t, tc.change.Get("prompt"), w.request(flow).Prompt.String())
		})
	}
}

// OpenID Connect Core 3.1.2.3: using a session keeps it from idling out.
func TestASessionIsTouchedAtMostOnceAMinute(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	sid, session := w.signIn(ada, nil)
	seen := func() time.Time {
		var at database.Time
		require.NoError(t,
			w.db.Get(t.Context(), "test.seen", &at, `SELECT last_seen_at FROM sessions WHERE id = $1`, sid))
		return at.UTC()
	}

	start := w.clock.Now()
	w.clock.Advance(59 * time.Second)
	w.do(visit{session: session, params: params("first", callback, nil)}).toApplication(callback)
	require.Equal(t, start, seen())
	w.clock.Advance(time.Second)
	w.do(visit{session: session, params: params("first", callback, nil)}).toApplication(callback)
	require.Equal(t, start.Add(time.Minute), seen())
}

// OpenID Connect Core 3.1.2.1, id_token_hint.
func TestIDTokenHint(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	sign := w.runWithKeys()
	w.consent(ada, "web", "", "openid profile")
	_, session := w.signIn(ada, nil)
	old := w.clock.Now().Add(-time.Hour).Unix()
	claims := func(iss, sub string, aud any) map[string]any {
		return map[string]any{"iss": iss, "sub": sub, "aud": aud, "exp": old}
	}
	tampered := sign("JWT", claims(issuer, ada, "web"))
	tampered = tampered[:len(tampered)-6] + "AAAAAA"
	for name, tc := range map[string]struct{ hint, want string }{
		"an expired one of the same person": {sign("JWT", claims(issuer, ada, "web")), ""},
		"several audiences":                 {sign("JWT", claims(issuer, ada, []string{"other", "web"})), ""},
		"another person":                    {sign("JWT", claims(issuer, bob, "web")), "login_required"},
		"another application's":             {sign("JWT", claims(issuer, ada, "other")), "invalid_request"},
		"another issuer's":                  {sign("JWT", claims("https://else.test", ada, "web")), "invalid_request"},
		"an access token":                   {sign("at+jwt", claims(issuer, ada, "web")), "invalid_request"},
		"a logout token":                    {sign("logout+jwt", claims(issuer, ada, "web")), "invalid_request"},
		"a token from an exchange":          {sign("token-exchange+jwt", claims(issuer, ada, "web")), "invalid_request"},
		"a token without a type":            {sign("", claims(issuer, ada, "web")), "invalid_request"},
		"a wrong signature":                 {tampered, "invalid_request"},
		"no token at all":                   {"x", "invalid_request"},
		"no subject":                        {sign("JWT", claims(issuer, "", "web")), "invalid_request"},
	} {
		t.Run(name, func(t *testing.T) {
			q := w.do(visit{
				session: session,
				params:  webParams(url.Values{"id_token_hint": {tc.hint}, "prompt": {"none"}}),
			}).toApplication(callback)
			require.Equal(t, tc.want, q.Get("error"))
		})
	}

	flow := w.do(visit{
		session: session,
		params:  webParams(url.Values{"id_token_hint": {sign("JWT", claims(issuer, bob, "web"))}}),
	}).toPages()
	require.Equal(t, bob, w.request(flow).HintSubject, "without prompt=none another person signs in")
}

// OpenID Connect Core 3.1.2.1, id_token_hint.
func TestAHintThatCannotBeCheckedIsNotIgnored(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t)) // no keys yet
	res := w.do(visit{json: true, params: webParams(url.Values{"id_token_hint": {"a.b.c"}})})
	require.Equal(t, "temporarily_unavailable", res.refusedHere(http.StatusServiceUnavailable))
}

// runWithKeys adds a signing key, starts the background tasks and waits until
// they have read it.
func (w *world) runWithKeys() (sign func(typ string, claims any) string) {
	w.t.Helper()
	ctx := w.t.Context()
	keys, err := localkeys.Open(filepath.Join(w.t.TempDir(), "keys"))
	require.NoError(w.t, err)
	ref, public, err := keys.Create(ctx, signing.ES256)
	require.NoError(w.t, err)
	kid := signing.Thumbprint(public)
	schedule := keystore.New(w.db)
	require.NoError(w.t, schedule.Insert(ctx, signing.Key{
		KID:         kid,
		Algorithm:   signing.ES256,
		Generation:  1,
		Ref:         ref,
		PublicKey:   public,
		PublishedAt: w.clock.Now(),
		ActiveFrom:  w.clock.Now(),
	}))

	ring := signing.NewRing(signing.RingOptions{
		Schedule: schedule,
		Backend:  keys,
		Now:      w.clock.Now,
		Logger:   testkit.Logger(w.t),
	})

	require.NoError(w.t, ring.Load(ctx))
	running, cancel := context.WithCancel(ctx)
	done := make(chan error, 1)
	go func() { done <- w.service.Run(running) }()
	w.t.Cleanup(func() {
		cancel()
		require.NoError(w.t, <-done)
	})
	sign = func(typ string, claims any) string {
		w.t.Helper()
		token, err := ring.Sign(ctx, signing.ES256, typ, claims)
		require.NoError(w.t, err)
		return token
	}

	hint := sign("JWT", map[string]any{"iss": issuer, "sub": ada, "aud": "web", "jti": rand.Text()})
	require.Eventually(w.t, func() bool {
		return w.do(visit{params: webParams(url.Values{
			"prompt":        {"none"},
			"id_token_hint": {hint},
		})}).StatusCode == http.StatusSeeOther
	}, testkit.Patience, 20*time.Millisecond)

	return sign
}

// A tenant that has become sso_only is not entered by a password: neither by a session
// from before, nor by one whose row says that it was made by a password since.
func TestAPasswordSessionGoesOnNowhereOnceItsTenantIsSSOOnly(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.consent(ada, "web", "", "openid profile")
		_, before := w.signIn(ada, nil)
		require.NotEmpty(t, w.do(visit{session: before, params: webParams(nil)}).toApplication(callback).Get("code"))

		w.exec(`UPDATE tenants SET sso_only = true WHERE id = $1`, acme)
		_, since := w.signIn(ada, nil)

		for name, session := range map[string]string{"before": before, "since": since} {
			w.do(visit{session: session, params: webParams(nil)}).toPages()
			silent := webParams(url.Values{"prompt": {"none"}})
			q := w.do(visit{session: session, params: silent}).toApplication(callback)
			require.Equal(t, "login_required", q.Get("error"), name)
		}
	})
}
