package demo

import (
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

// newIssuer is a platform that can be discovered but refuses every code.
func newIssuer(t *testing.T) string {
	t.Helper()
	mux := http.NewServeMux()
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	mux.HandleFunc("GET /.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{
			"issuer":                 server.URL,
			"authorization_endpoint": server.URL + "/authorize",
			"token_endpoint":         server.URL + "/token",
			"jwks_uri":               server.URL + "/jwks",
			"userinfo_endpoint":      server.URL + "/userinfo",
		})
	})

	mux.HandleFunc("POST /token", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(http.StatusBadRequest)
		_, _ = w.Write([]byte(`{"error":"invalid_grant"}`))
	})

	return server.URL
}

// browser sends requests to the demo and keeps its cookie.
type browser struct {
	t       *testing.T
	handler http.Handler
	cookie  *http.Cookie // of sign-ins that begin
	session *http.Cookie
	change  func(r *http.Request)
}

func newDemo(t *testing.T, issuer string) (*App, *browser) {
	t.Helper()
	ui, err := webui.New()
	require.NoError(t, err)
	app, err := New(Options{
		Origin: "http://127.0.0.1:8080",
		Issuer: issuer,
		UI:     ui,
		Logger: testkit.Logger(t),
		Random: rand.Reader,
		Now:    testkit.NewClock(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC)).Now,
		Credentials: Credentials{
			Password:      "p",
			WebSecret:     "w",
			SecondSecret:  "s",
			ServiceSecret: "x",
		},
	})

	require.NoError(t, err)

	return app, &browser{t: t, handler: app.Handler()}
}

func (b *browser) get(target string) *httptest.ResponseRecorder {
	b.t.Helper()
	return b.do(http.MethodGet, target)
}

func (b *browser) do(method, target string) *httptest.ResponseRecorder {
	b.t.Helper()
	r := httptest.NewRequest(method, target, http.NoBody)
	r.Host, r.RemoteAddr = "127.0.0.1:8080", "127.0.0.1:4711"

	for _, c := range []*http.Cookie{b.cookie, b.session} {
		if c != nil {
			r.AddCookie(c)
		}
	}

	if b.change != nil {
		b.change(r)
	}

	w := httptest.NewRecorder()
	b.handler.ServeHTTP(w, r)

	for _, c := range w.Result().Cookies() {
		if c.Name == sessionCookie {
			b.session = c
			continue
		}
		b.cookie = c
	}

	return w
}

// login begins a sign-in and returns the parameters it sends.
func (b *browser) login(client string) url.Values {
	b.t.Helper()
	w := b.get("/demo/login/" + client)
	require.Equal(b.t, http.StatusSeeOther, w.Code, w.Body.String())
	location, err := url.Parse(w.Header().Get("Location"))
	require.NoError(b.t, err)
	return location.Query()
}

func callback(parameters map[string]string) string {
	q := url.Values{}
	for name, value := range parameters {
		q.Set(name, value)
	}
	return "/demo/callback?" + q.Encode()
}

func TestASignInBeginsWithEverythingThatProtectsIt(t *testing.T) {
	_, b := newDemo(t, newIssuer(t))
	first := b.login(WebClient)
	require.Equal(t, "S256", first.Get("code_challenge_method"))
	require.Equal(t, "http://127.0.0.1:8080/demo/callback", first.Get("redirect_uri"))
	require.True(t, b.cookie.HttpOnly)
	kept := b.cookie.Value
	second := b.login(SecondClient)
	require.Equal(t, kept, b.cookie.Value, "a browser keeps its cookie")
	require.Equal(t, SecondClient, second.Get("client_id"))

	for _, name := range []string{"state", "nonce", "code_challenge"} {
		require.NotEmpty(t, first.Get(name))
		require.NotEqual(t, first.Get(name), second.Get(name), name)
	}

	b.cookie.Value = ""
	b.login(WebClient)
	require.NotEmpty(t, b.cookie.Value, "an empty cookie binds to nothing")
}

func TestAnswersThatAreNotBelieved(t *testing.T) {
	const notHere = "This answer belongs to no sign-in that began in this browser."
	for name, c := range map[string]struct {
		change func(b *browser, parameters map[string]string)
		status int
		want   string
	}{
		"an unknown state": {
			func(_ *browser, p map[string]string) { p["state"] = "other" }, http.StatusBadRequest, notHere,
		},
		"no state": {
			func(_ *browser, p map[string]string) { delete(p, "state") }, http.StatusBadRequest, notHere,
		},
		"another browser": {
			func(b *browser, _ map[string]string) { b.cookie.Value = "other" }, http.StatusBadRequest, notHere,
		},
		"a browser without a cookie": {
			func(b *browser, _ map[string]string) { b.cookie = nil }, http.StatusBadRequest, notHere,
		},
		"another issuer (RFC 9207 2.4)": {
			func(_ *browser, p map[string]string) { p["iss"] = "https://evil.test" }, http.StatusBadRequest,
			"does not name the platform",
		},
		"no issuer (RFC 9207 2.4)": {
			func(_ *browser, p map[string]string) { delete(p, "iss") }, http.StatusBadRequest,
			"does not name the platform",
		},
		"an error of another issuer": {
			func(_ *browser, p map[string]string) { p["iss"], p["error"] = "https://evil.test", "<b>" },
			http.StatusBadRequest, "does not name the platform",
		},
		"an error": {
			func(_ *browser, p map[string]string) { p["error"] = "access_denied" }, http.StatusOK,
			"The platform answered access_denied<",
		},
		"an error with a description": {
			func(_ *browser, p map[string]string) { p["error"], p["error_description"] = "x", "<b>no</b>" },
			http.StatusOK, "x: &lt;b&gt;no&lt;/b&gt;",
		},
		"a code that cannot be redeemed": {
			func(*browser, map[string]string) {}, http.StatusBadGateway, "The code could not be redeemed.",
		},
	} {
		t.Run(name, func(t *testing.T) {
			issuer := newIssuer(t)
			app, b := newDemo(t, issuer)
			parameters := map[string]string{"state": b.login(WebClient).Get("state"), "iss": issuer, "code": "code"}
			c.change(b, parameters)
			w := b.get(callback(parameters))
			require.Equal(t, c.status, w.Code)
			require.Contains(t, w.Body.String(), c.want)
			require.Empty(t, app.shown.all, "no one is signed in")
			again := b.get(callback(parameters))
			require.Equal(t, http.StatusBadRequest, again.Code, "an answer counts once")
			require.Contains(t, again.Body.String(), notHere)
		})
	}
}

func TestWhatIsNotThere(t *testing.T) {
	_, b := newDemo(t, newIssuer(t))
	require.Equal(t, http.StatusNotFound, b.get("/demo/login/demo-service").Code, "only the applications with people")
	require.Equal(t, http.StatusNotFound, b.get("/demo/other").Code)
	for name, cookie := range map[string]*http.Cookie{
		"no cookie":         nil,
		"an unknown cookie": {Name: sessionCookie, Value: "x"},
	} {
		b.session = cookie
		w := b.get("/demo/tokens")
		require.Equal(t, http.StatusSeeOther, w.Code, name)
		require.Equal(t, "/demo", w.Header().Get("Location"), name)
	}
}

func TestAPlatformThatDoesNotAnswerIsAskedAgainLater(t *testing.T) {
	away := httptest.NewServer(http.NotFoundHandler())
	app, b := newDemo(t, away.URL)
	away.Close()
	w := b.get("/demo/login/" + WebClient)
	require.Equal(t, http.StatusServiceUnavailable, w.Code)
	require.Contains(t, w.Body.String(), "The platform does not answer yet.")
	app.opts.Issuer = newIssuer(t)
	b.login(WebClient)
}

func TestATokenThatIsNoJWTIsShownAsItIs(t *testing.T) {
	require.Equal(t, token{Name: "n", Raw: "opaque"}, decode("n", "opaque"))
	require.Equal(t, token{Name: "n", Raw: "!.e30.x", Payload: "{}"}, decode("n", "!.e30.x"))
}

// The demo shows tokens and a password, so it refuses other names that point at this
// machine, and requests from elsewhere (RFC 9110 7.4, 15.5.20).
func TestTheDemoAnswersAtItsOwnAddressOnly(t *testing.T) {
	_, b := newDemo(t, newIssuer(t))
	require.Contains(t, b.get("/demo").Body.String(), "<code>p</code>", "the password, on this machine")

	for _, host := range []string{"rebound.test", "rebound.test:8080", "127.0.0.1", "localhost:8080", ""} {
		b.change = func(r *http.Request) { r.Host = host }
		for _, path := range []string{"/demo", "/demo/login/" + WebClient, "/demo/callback", "/demo/tokens"} {
			w := b.get(path)
			require.Equal(t, http.StatusMisdirectedRequest, w.Code, host+path)
			require.Empty(t, w.Result().Cookies())
			require.NotContains(t, w.Body.String(), "<code>p</code>")
		}
	}

	for name, change := range map[string]func(*http.Request){
		"another machine":          func(r *http.Request) { r.RemoteAddr = "192.0.2.7:4711" },
		"a proxy on this one":      func(r *http.Request) { r.Header.Set("X-Forwarded-For", "192.0.2.7") },
		"a proxy with the new one": func(r *http.Request) { r.Header.Set("Forwarded", "for=192.0.2.7") },
		"an address that is none":  func(r *http.Request) { r.RemoteAddr = "@" },
	} {
		b.change = change
		w := b.get("/demo")
		require.Equal(t, http.StatusOK, w.Code, name)
		require.NotContains(t, w.Body.String(), "<code>p</code>", name)
		require.Contains(t, w.Body.String(), "was printed when the demo started", name)
	}
}

// RFC 9110 9.2.1.
func TestHeadBeginsNothing(t *testing.T) {
	app, b := newDemo(t, newIssuer(t))
	for _, path := range []string{"/demo", "/demo/login/" + WebClient, "/demo/callback?state=x", "/demo/tokens"} {
		require.Empty(t, b.do(http.MethodHead, path).Result().Cookies(), path)
	}
	require.Empty(t, app.started.all)
}

// An attacker may know a session that exists before the sign-in (session fixation), so
// signing in creates a new one, and signing out leaves none.
func TestASessionIsMadeAtSignInAndEndsAtSignOut(t *testing.T) {
	app, b := newDemo(t, newIssuer(t))
	planted := &http.Cookie{Name: sessionCookie, Value: "planted"}
	b.session = planted
	b.login(WebClient)
	require.Same(t, planted, b.session, "nothing is signed in yet")
	app.shown.put("planted", result{ClientID: "before"})

	w := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, callbackPath, http.NoBody)
	r.AddCookie(planted)
	app.signedIn(w, r, result{ClientID: WebClient, logoutURL: "https://id.test/logout"})
	made := w.Result().Cookies()
	require.Len(t, made, 1)
	require.Equal(t, sessionCookie, made[0].Name)
	require.NotEqual(t, "planted", made[0].Value)
	require.True(t, made[0].HttpOnly && made[0].SameSite == http.SameSiteLaxMode)
	_, there := app.shown.get("planted")
	require.False(t, there, "the one before is over")

	b.session = made[0]
	require.Equal(t, http.StatusOK, b.get("/demo/tokens").Code)
	out := b.do(http.MethodPost, "/demo/logout")
	require.Equal(t, "https://id.test/logout", out.Header().Get("Location"))
	require.Negative(t, b.session.MaxAge)
	b.session = made[0]
	require.Equal(t, http.StatusSeeOther, b.get("/demo/tokens").Code, "a kept cookie opens nothing")
}
