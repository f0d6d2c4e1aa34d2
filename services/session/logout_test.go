package session

import (
	"encoding/base64"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	signingstore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const (
	issuer = origin + "/api/v1/platform/oauth"
	bye    = "https://rp.test/bye"
)

// signer makes tokens as the token service does.
type signer func(typ string, claims map[string]any) string

func (w *world) signer() signer {
	w.t.Helper()
	key := signingtest.NewKey(w.t, w.keys, signing.RS256, 1, started.Add(-time.Hour))
	store := signingstore.New(w.db)
	require.NoError(w.t, store.Insert(w.t.Context(), key))
	ring := signing.NewRing(signing.RingOptions{Schedule: store, Backend: w.keys, Now: w.clock.Now})
	require.NoError(w.t, ring.Load(w.t.Context()))

	return func(typ string, claims map[string]any) string {
		w.t.Helper()
		token, err := ring.Sign(w.t.Context(), signing.RS256, typ, claims)
		require.NoError(w.t, err)
		return token
	}
}

// idToken is the claims of an ID token that expired long ago, for a session.
func idToken(sid string) map[string]any {
	return map[string]any{"iss": issuer, "aud": "billing", "sub": "usr_ada", "sid": sid, "exp": 1}
}

func query(pairs ...string) string {
	values := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		values.Set(pairs[i], pairs[i+1])
	}
	return logoutURL + "?" + values.Encode()
}

// signedIn is a browser in which ada is signed in.
func (w *world) signedIn() *visitor {
	w.t.Helper()
	b := w.newBrowser()
	_, page := b.flow(nil)
	b.signIn(page, "ada@acme.test")
	require.NotNil(w.t, b.session())
	return b
}

func (w *world) ended(id string) bool {
	w.t.Helper()
	s, err := w.sessions.Session(w.t.Context(), id)
	require.NoError(w.t, err)
	return !s.EndedAt.IsZero()
}

// OpenID Connect RP-Initiated Logout 1.0 2 and 3.
func TestAHintForTheCurrentSessionLogsOutAtOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		sign := w.signer()
		for name, c := range map[string]struct{ uri, state, want string }{
			"with state":            {bye, "a b&c=d", bye + "?state=a+b%26c%3Dd"},
			"without state":         {bye, "", bye},
			"keeping its own query": {bye + "?keep=1", "x", bye + "?keep=1&state=x"},
		} {
			b := w.signedIn()
			sid := b.session().ID
			w.insertGrant("gnt_"+sid, sid, false)
			w.insertGrant("gnt_off_"+sid, sid, true)
			p := b.Get(query("id_token_hint", sign("JWT", idToken(sid)), "client_id", "billing",
				"post_logout_redirect_uri", c.uri, "state", c.state))
			require.Equal(t, http.StatusSeeOther, p.Status, name)
			require.Equal(t, c.want, p.Location().String())
			require.True(t, w.ended(sid))
			require.Nil(t, b.session(), "the cookie is gone")
			require.True(t, w.revoked("gnt_"+sid))
			require.False(t, w.revoked("gnt_off_"+sid))
		}

		b := w.signedIn()
		p := b.Get(query("id_token_hint", sign("JWT", idToken(b.session().ID))))
		require.Equal(t, "You are signed out", p.H1(), "nowhere to return to")
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2: an expired hint is accepted.
func TestAValidHintWithoutASessionReturnsAtOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		p := w.newBrowser().Get(query("id_token_hint", w.signer()("JWT", idToken("ses_gone")),
			"post_logout_redirect_uri", bye, "state", "s"))
		require.Equal(t, bye+"?state=s", p.Location().String())
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2 and 6: otherwise any site could log people out.
func TestOtherwiseThePersonDecides(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		sign := w.signer()
		for name, target := range map[string]string{
			"nothing at all":   logoutURL,
			"only state":       query("state", "s"),
			"only a client_id": query("client_id", "billing", "post_logout_redirect_uri", bye, "state", "s"),
			"another session's hint": query("id_token_hint", sign("JWT", idToken("ses_other")),
				"post_logout_redirect_uri", bye, "state", "s"),
			"a hint without sid": query("id_token_hint",
				sign("JWT", map[string]any{"iss": issuer, "aud": []string{"billing"}}),
				"post_logout_redirect_uri", bye, "state", "s"),
		} {
			b := w.signedIn()
			sid := b.session().ID
			w.insertGrant("gnt_"+sid, sid, false)
			p := b.Get(target)
			require.Equal(t, "Sign out?", p.H1(), name)
			require.Contains(t, p.Text(), "ada@acme.test")
			require.False(t, w.ended(sid), "a GET must not log people out")

			p = p.Submit("Sign out", nil)
			require.True(t, w.ended(sid))
			require.True(t, w.revoked("gnt_"+sid))
			require.Nil(t, b.session())

			if strings.Contains(target, "post_logout_redirect_uri") {
				require.Equal(t, bye+"?state=s", p.Location().String())
			} else {
				require.Equal(t, "You are signed out", p.H1())
			}
		}
	})
}

// RFC 6749 10.12, OpenID Connect RP-Initiated Logout 1.0 2.
func TestTheConfirmationMustComeFromOurPage(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.signedIn()
		sid := b.session().ID

		for _, token := range []string{"", "x", b.Get(logoutURL).Hidden("csrf_token") + "x"} {
			p := b.Post(logoutURL, url.Values{
				"csrf_token":               {token},
				"client_id":                {"billing"},
				"post_logout_redirect_uri": {bye},
				"state":                    {"s"},
			})

			require.Equal(t, "Sign out?", p.H1(), "a foreign POST becomes our GET")
			require.Contains(t, p.URL.RawQuery, "post_logout_redirect_uri=")
			require.NotContains(t, p.URL.RawQuery, "csrf_token")
		}

		require.False(t, w.ended(sid))
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2: GET and POST.
func TestAnApplicationsPostBecomesAGet(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.signedIn()
		p := b.Post(logoutURL, url.Values{
			"id_token_hint":            {w.signer()("JWT", idToken(b.session().ID))},
			"post_logout_redirect_uri": {bye}, "unknown": {"x"},
		})
		require.Equal(t, bye, p.Location().String())
		require.Nil(t, b.session())
	})
}

// OpenID Connect RP-Initiated Logout 1.0 3.
func TestWithoutASessionThereIsNothingToConfirm(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.newBrowser()
		require.Equal(t, "You are signed out", b.Get(logoutURL).H1())
		p := b.Get(query("client_id", "billing", "post_logout_redirect_uri", bye))
		require.Equal(t, "You are signed out", p.H1())
		require.Contains(t, p.Body, `href="`+bye+`"`, "a link, because it isn't proven that the application asked")
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2: idle or not, its grants end.
func TestASessionThatWasIdleTooLongStillEnds(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.signedIn()
		sid := b.session().ID
		w.clock.Advance(13 * time.Hour)
		b.Get(logoutURL).Submit("Sign out", nil)
		require.True(t, w.ended(sid))
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2.
func TestABrowserWithoutItsCookieGetsOneForTheConfirmation(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.signedIn()
		sid := b.session().ID
		u, err := url.Parse(origin)
		require.NoError(t, err)
		b.Client().Jar.SetCookies(u, []*http.Cookie{{Name: "platform_browser", Path: "/", MaxAge: -1}})
		require.Equal(t, "You are signed out", b.Get(logoutURL).Submit("Sign out", nil).H1())
		require.True(t, w.ended(sid))
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2, 3 and 4.
func TestLogoutRequestsThatAreRefused(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		sign := w.signer()
		b := w.signedIn()
		sid := b.session().ID
		good := sign("JWT", idToken(sid))
		forged := idToken(sid)
		forged["iss"] = "https://evil.test"

		for name, target := range map[string]string{
			"a URI without hint or client_id": query("post_logout_redirect_uri", bye),
			"an unregistered URI": query("id_token_hint", good,
				"post_logout_redirect_uri", "https://evil.test/"),
			"a URI that only begins as registered": query("id_token_hint", good, "post_logout_redirect_uri", bye+"/x"),
			"an unknown application":               query("client_id", "never", "post_logout_redirect_uri", bye),
			"a disabled application":               query("client_id", "gone", "post_logout_redirect_uri", bye),
			"a client_id that is not the audience": query("id_token_hint", good, "client_id", "other"),
			"another issuer's hint":                query("id_token_hint", sign("JWT", forged)),
			"a tampered hint":                      query("id_token_hint", good[:len(good)-8]+"AAAAAAAA"),
			"an access token":                      query("id_token_hint", sign("at+jwt", idToken(sid))),
			"a logout token":                       query("id_token_hint", sign("logout+jwt", idToken(sid))),
			"a token from an exchange":             query("id_token_hint", sign("token-exchange+jwt", idToken(sid))),
			"a token without a type":               query("id_token_hint", sign("", idToken(sid))),
			"a hint without audience": query("id_token_hint",
				sign("JWT", map[string]any{"iss": issuer, "sid": sid})),
			"a hint with a strange audience": query("id_token_hint",
				sign("JWT", map[string]any{"iss": issuer, "aud": 7})),
			"an unsigned hint": query("id_token_hint",
				base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"none","typ":"JWT"}`))+".e30."),
			"nonsense":            query("id_token_hint", "nonsense"),
			"a doubled parameter": logoutURL + "?state=a&state=b",
			"a state beyond 4 KiB": query("client_id", "billing", "post_logout_redirect_uri", bye,
				"state", strings.Repeat("x", 4097)),
		} {
			p := b.Get(target)
			require.Equal(t, http.StatusBadRequest, p.Status, name)
			require.Contains(t, p.Text(), "invalid_request", name)
			require.Empty(t, p.Header.Get("Location"), name)
		}

		require.False(t, w.ended(sid))
		p := b.Post(logoutURL, url.Values{"state": {"a", "b"}})
		require.Equal(t, http.StatusBadRequest, p.Status)
	})
}

// OpenID Connect RP-Initiated Logout 1.0 4.
func TestWithoutAnyKeyAHintCannotBeJudged(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		header := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT","kid":"x"}`))
		p := w.newBrowser().Get(query("id_token_hint", header+".e30.AAAA"))
		require.Equal(t, http.StatusServiceUnavailable, p.Status)
		require.NotEmpty(t, p.Header.Get("Retry-After"))
	})
}

// OpenID Connect RP-Initiated Logout 1.0 2.
func TestLoggingOutTwiceAtOnceEndsOnce(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.signedIn()
		sid := b.session().ID
		p := b.Get(logoutURL)
		token := p.Hidden("csrf_token")
		for _, res := range b.race(logoutURL, func(int) url.Values { return url.Values{"csrf_token": {token}} }) {
			require.Equal(t, http.StatusSeeOther, res.StatusCode)
		}

		require.True(t, w.ended(sid))
		_, page := b.flow(nil)
		require.Equal(t, "Sign in", b.Get(page).H1(), "an ended session's cookie doesn't sign in")
	})
}

// FuzzLogout sends anything as the logout request (RP-Initiated Logout 1.0 2): the
// answer is a page or a redirect to a registered URI, never a fault.
func FuzzLogout(f *testing.F) {
	f.Add("client_id=web&post_logout_redirect_uri=https%3A%2F%2Fevil.test&state=s")
	f.Add("id_token_hint=a.b.c&id_token_hint=d")
	f.Add("state=%ff&client_id=%00&post_logout_redirect_uri=javascript:x")
	db := testkit.SQLite(f)
	shared := newWorld(f, db, db)
	f.Fuzz(func(t *testing.T, query string) {
		own := *shared
		w := &own
		w.t = t
		for _, method := range []string{http.MethodGet, http.MethodPost} {
			r, err := http.NewRequestWithContext(t.Context(), method, logoutURL, strings.NewReader(query))
			require.NoError(t, err)

			if method == http.MethodGet {
				r.URL.RawQuery, r.Body = query, http.NoBody
			}

			r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
			res, err := w.RoundTrip(r)
			require.NoError(t, err)
			require.Less(t, res.StatusCode, 500)

			if location := res.Header.Get("Location"); location != "" {
				require.Contains(t, location, "/oauth/logout", "an unproven request leads to our own page at most")
			}
		}
	})
}
