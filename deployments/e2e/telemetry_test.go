package e2e

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// observed is a platform with a collector, everything recorded and logged.
type observed struct {
	*system
	collector   *testkit.OTLP
	wire        *wiretap
	application *httptest.Server // publishes keys and hears of logouts
	keys        jose.JSONWebKeySet
	metrics     map[string]string // what /metrics said, by process
}

// observe starts a platform in one of its ways.
func observe(t *testing.T, launch func(t *testing.T, env []string) *system) *observed {
	t.Helper()
	o := &observed{collector: testkit.NewOTLP(t), wire: tapWire(t), metrics: map[string]string{}}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /jwks", func(w http.ResponseWriter, _ *http.Request) { _ = json.NewEncoder(w).Encode(o.keys) })
	mux.HandleFunc("POST /out", func(w http.ResponseWriter, r *http.Request) {
		if err := r.ParseForm(); err != nil || r.Header.Get("Traceparent") == "" {
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		o.wire.noteValues(r.PostForm)
	})

	o.application = httptest.NewServer(mux)
	t.Cleanup(o.application.Close)
	o.system = launch(t, []string{
		"OTEL_EXPORTER_OTLP_ENDPOINT=" + o.collector.URL, "OTEL_TRACES_SAMPLER=always_on", "OTEL_BSP_SCHEDULE_DELAY=50",
		"OTEL_METRIC_EXPORT_INTERVAL=2000",
		"PLATFORM_LOG_LEVEL=debug", "PLATFORM_LOG_FORMAT=json",
		"PLATFORM_OUTBOUND_ALLOW=" + strings.TrimPrefix(o.application.URL, "http://"), "PLATFORM_LIMIT_SIGN_IN=3",
	})

	return o
}

// end scrapes the metrics and stops the processes, which sends what is left.
func (o *observed) end(t *testing.T) {
	t.Helper()

	for name := range o.procs {
		status, text := fetch(t.Context(), "http://"+o.admin[name]+"/metrics")
		require.Equal(t, http.StatusOK, status)
		o.metrics[name] = text
	}

	for _, p := range o.procs {
		p.terminate(t)
	}

	for _, p := range o.procs {
		p.waitForEnd(t)
	}
}

// TestWhatIsSeenFromOutside drives every flow once and looks at everything that
// the platform told a collector, its log and its metrics.
func TestWhatIsSeenFromOutside(t *testing.T) {
	for way, launch := range map[string]func(t *testing.T, env []string) *system{
		"together": func(t *testing.T, env []string) *system { t.Helper(); return togetherWith(t, env...) },
		"apart":    func(t *testing.T, env []string) *system { t.Helper(); return deploy(t, fleet{env: env}) },
	} {
		t.Run(way, func(t *testing.T) {
			o := observe(t, launch)
			o.signInOnce(t)
			beforeDevice := len(o.settledSpans(t))
			o.deviceOnce(t)
			beforeOthers := len(o.settledSpans(t))
			o.everythingElse(t)
			o.end(t)
			spans := o.collector.Spans()

			t.Run("the redirects of one sign-in are tied together", func(t *testing.T) {
				requireTied(t, spans[:beforeDevice], "POST "+prefix+"/oauth/token", []string{
					"GET " + prefix + "/oauth/authorize", "GET /auth/flows/{flow}", "POST /auth/flows/{flow}/email",
					"POST /auth/flows/{flow}/password", "POST /auth/flows/{flow}/consent",
					"POST " + prefix + "/oauth/token",
				})
			})

			t.Run("so are a device and its second screen", func(t *testing.T) {
				requireTied(t, spans[beforeDevice:beforeOthers], "POST "+prefix+"/oauth/token", []string{
					"POST " + prefix + "/oauth/device/authorize", "GET /device", "POST /auth/flows/{flow}/password",
					"POST " + prefix + "/oauth/device/verify", "POST " + prefix + "/oauth/token",
				})
			})

			t.Run("every statement and outbound request is a span of its request",
				func(t *testing.T) { requireNested(t, spans) })
			t.Run("a client's trace is linked to and not continued",
				func(t *testing.T) { o.requireStrangersApart(t, spans) })
			t.Run("lines of the log name their trace", func(t *testing.T) { o.requireLinesTraced(t, spans) })
			t.Run("nothing secret is in any of it", func(t *testing.T) { o.requireNoSecrets(t) })
			t.Run("the metrics are there, by both ways", func(t *testing.T) { o.requireMetrics(t) })
			t.Run("dashboard and alerts name only metrics that are there",
				func(t *testing.T) { requireKnownMetrics(t, o.metrics) })
		})
	}
}

// settledSpans waits until the spans of what was done so far have arrived: all of
// a process come in order.
func (o *observed) settledSpans(t *testing.T) []testkit.Span {
	t.Helper()

	for _, service := range []string{"authorize", "token", "device", "session", "keys"} {
		marker := map[string]string{
			"authorize": "/oauth/authorize",
			"token":     "/oauth/userinfo",
			"device":    "/oauth/device/verify",
			"session":   "/oauth/logout",
			"keys":      "/.well-known/jwks.json",
		}[service]

		before := len(o.collector.Spans())
		res, _ := exchange(t, http.MethodHead, o.url(marker), "", nil)
		require.Less(t, res.StatusCode, 500)
		o.collector.WaitFor(t, "the spans of "+service, func(spans []testkit.Span) bool {
			return slices.ContainsFunc(spans[before:],
				func(s testkit.Span) bool { return s.Name == "HEAD "+prefix+marker })
		})
	}

	return o.collector.Spans()
}

// signInOnce is the authorization code flow, with consent.
func (o *observed) signInOnce(t *testing.T) {
	t.Helper()
	rp := newRelyingParty(t, o.system, "web", webCallback, "openid", "profile", "email")
	a := newAttempt()
	code := rp.code(t, o.system, a, signIn(formbrowser.New(t, "https://").Get(rp.begin(a)), "ada@acme.test"))
	rp.redeem(t, a, code)
}

// deviceOnce is a device whose person signs in for it.
func (o *observed) deviceOnce(t *testing.T) {
	t.Helper()
	device := oauth2.Config{ClientID: "native", Scopes: []string{"openid"}, Endpoint: oauth2.Endpoint{
		DeviceAuthURL: o.url("/oauth/device/authorize"), TokenURL: o.url("/oauth/token"),
		AuthStyle: oauth2.AuthStyleInParams,
	}}
	code, err := device.DeviceAuth(t.Context())
	require.NoError(t, err)
	code.Interval = 1 // the first poll is never too fast
	page := formbrowser.New(t).Get(code.VerificationURIComplete)
	page.Submit("Continue", url.Values{"email": {"ada@acme.test"}}).Submit("Sign in",
		url.Values{"password": {password}}).Submit("Allow", nil)
	_, err = device.DeviceAccessToken(t.Context(), code)
	require.NoError(t, err)
}

// everythingElse is every other flow, right and wrong.
func (o *observed) everythingElse(t *testing.T) {
	t.Helper()
	browser := formbrowser.New(t, "https://")
	rp := newRelyingParty(t, o.system, "portal", portalCallback, "openid", "email", "offline_access", "api:read")
	_, err := o.database(t).Exec(t.Context(), "test",
		`UPDATE applications SET backchannel_logout_uri = $1 WHERE client_id = 'portal'`, o.application.URL+"/out")
	require.NoError(t, err)
	a := newAttempt()
	hinted := browser.Get(rp.begin(a, oauth2.SetAuthURLParam("login_hint", "marked-hint@acme.test")))
	require.True(t, hinted.Has("password"), "the hint takes the place of the first page")
	a = newAttempt()
	wrong := browser.Get(rp.begin(a)).Submit("Continue", url.Values{"email": {"ada@acme.test"}})
	page := wrong.Submit("Sign in", url.Values{"password": {"a-marked-wrong-password"}}).Submit("Sign in",
		url.Values{"password": {password}})
	for page.Status == http.StatusOK && page.Has("action") {
		page = page.Submit("Allow", nil)
	}

	code := rp.code(t, o.system, a, page.Location())
	rp.redeem(t, a, code)
	_, err = rp.Exchange(t.Context(), code, oauth2.VerifierOption(a.verifier))
	requireOAuthError(t, err, http.StatusBadRequest, "invalid_grant") // and the grant is gone
	a = newAttempt()
	tokens, _ := rp.redeem(t, a, rp.code(t, o.system, a, browser.Get(rp.begin(a)).Location()))
	renewed, err := rp.renew(t, tokens)
	require.NoError(t, err)
	o.useTokens(t, rp, renewed)
	o.machines(t, renewed)
	o.strangers(t)

	account := browser.Get(o.Origin + "/account")
	require.Contains(t, account.Text(), "Your account")
	browser.Get(o.Origin+"/account/password").Submit("Change",
		url.Values{
			"current_password": {"a-marked-wrong-password"},
			"new_password":     {"a-marked-new-password"},
			"repeat_password":  {"a-marked-new-password"},
		})

	for range 5 { // the last of which are blocked
		p := formbrowser.New(t).Get(rp.begin(newAttempt())).Submit("Continue",
			url.Values{"email": {"marked-nobody@acme.test"}})
		p.Submit("Sign in", url.Values{"password": {"a-marked-wrong-password"}})
	}

	browser.Get(o.url("/oauth/logout?" + url.Values{
		"id_token_hint": {renewed.Extra("id_token").(string)}, "post_logout_redirect_uri": {"https://portal.test/bye"},
		"state": {"a-marked-state"},
	}.Encode()))
	o.collector.WaitFor(t, "the span of the back-channel logout", func(spans []testkit.Span) bool {
		return slices.ContainsFunc(spans, func(s testkit.Span) bool {
			return s.Name == "POST" && s.Kind == 3 && number(s.Attributes, "http.response.status_code") == 200
		})
	})
}

// useTokens presents them wherever tokens are taken.
func (o *observed) useTokens(t *testing.T, rp *relyingParty, tokens *oauth2.Token) {
	t.Helper()
	_, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
	require.NoError(t, err)
	res, _ := exchange(t, http.MethodPost, o.url("/oauth/userinfo"),
		url.Values{"access_token": {tokens.AccessToken}}.Encode(), nil)
	require.Equal(t, http.StatusOK, res.StatusCode)

	for _, wrong := range []string{
		"a-marked-access-token", tokens.AccessToken[:len(tokens.AccessToken)-9] + "AAAAAAAAA",
	} {
		res, _ = exchange(t, http.MethodGet, o.url("/oauth/userinfo"), "",
			http.Header{"Authorization": {"Bearer " + wrong}})
		require.Equal(t, http.StatusUnauthorized, res.StatusCode)
	}

	for _, token := range []string{tokens.AccessToken, tokens.RefreshToken, "a-marked-other-token"} {
		status, _ := rp.about(t, o.url("/oauth/introspect"), token)
		require.Equal(t, http.StatusOK, status)
	}

	status, _ := rp.about(t, o.url("/oauth/revoke"), "a-marked-other-token")
	require.Equal(t, http.StatusOK, status)
	form := portal(url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"subject_token":      {tokens.AccessToken},
		"subject_token_type": {accessType},
		"audience":           {billingAPI},
		"scope":              {"api:read"},
	})

	exchange(t, http.MethodPost, o.url("/oauth/token"), form.Encode(), nil)
}

// machines authenticate in every way, right and wrong.
func (o *observed) machines(t *testing.T, tokens *oauth2.Token) {
	t.Helper()
	inline, published := newMachine(t, o.system, "billing-api"), newMachine(t, o.system, "published-api")
	o.keys = jose.JSONWebKeySet{Keys: []jose.JSONWebKey{published.key.Public()}}
	o.register(t, &directory.Application{
		ClientID:  published.id,
		Type:      directory.Service,
		JWKSURI:   o.application.URL + "/jwks",
		Grants:    []oauth.GrantType{oauth.GrantClientCredentials},
		Scopes:    oauth.Scopes{"api:read"},
		Audiences: []string{ledgerAPI},
	})

	for _, m := range []*machine{inline, published} {
		require.Eventually(t, func() bool { // the registry is cached for some seconds
			status, _ := m.send(t, o.system, "/oauth/token",
				url.Values{"grant_type": {"client_credentials"}, "resource": {ledgerAPI}})
			return status == http.StatusOK
		}, testkit.Patience, 200*time.Millisecond, m.id)
	}

	inline.send(t, o.system, "/oauth/token", url.Values{
		"grant_type":         {"urn:ietf:params:oauth:grant-type:token-exchange"},
		"audience":           {ledgerAPI},
		"subject_token":      {tokens.AccessToken},
		"subject_token_type": {accessType},
	})

	service := url.Values{"grant_type": {"client_credentials"}, "resource": {billingAPI}}
	basic := func(secret string) http.Header {
		r := &http.Request{Header: http.Header{}}
		r.SetBasicAuth("service", secret)
		return r.Header
	}
	for _, tt := range []struct {
		secret string
		status int
	}{{secrets["service"], http.StatusOK}, {"a-marked-wrong-secret", http.StatusUnauthorized}} {
		res, _ := exchange(t, http.MethodPost, o.url("/oauth/token"), service.Encode(), basic(tt.secret))
		require.Equal(t, tt.status, res.StatusCode)
		post := url.Values{
			"grant_type":    {"client_credentials"},
			"client_id":     {"service"},
			"client_secret": {tt.secret},
			"resource":      {billingAPI},
		}

		res, _ = exchange(t, http.MethodPost, o.url("/oauth/token"), post.Encode(), nil)
		require.Equal(t, tt.status, res.StatusCode)
	}
}

// strangers sends nonsense, with secrets where none belong.
func (o *observed) strangers(t *testing.T) {
	t.Helper()
	token, marked := o.url("/oauth/token"), func(form url.Values) string { return portal(form).Encode() }
	header := http.Header{
		"Traceparent": {strangersTrace},
		"Tracestate":  {"vendor=a-marked-tracestate"},
		"Baggage":     {"user=a-marked-baggage"},
	}
	for _, r := range []struct {
		method, target, body string
		header               http.Header
	}{
		{http.MethodPost, token, marked(url.Values{
			"grant_type":    {"authorization_code"},
			"code":          {"a-marked-code"},
			"redirect_uri":  {portalCallback},
			"code_verifier": {strings.Repeat("marked-verifier", 4)},
		}), header},
		{
			http.MethodPost, token,
			marked(url.Values{"grant_type": {"refresh_token"}, "refresh_token": {"a-marked-refresh-token"}}), nil,
		},
		{
			http.MethodPost, token,
			marked(url.Values{"grant_type": {"a-marked-grant-type"}, "password": {"a-marked-password"}}), nil,
		},
		{
			http.MethodPost, token,
			marked(url.Values{
				"grant_type":    {"refresh_token"},
				"refresh_token": {"a-marked-one-of-two", "a-marked-two-of-two"},
			}), nil,
		},
		{http.MethodPost, token, "client_secret=a-marked-secret&code=%zz", nil},
		{
			http.MethodPost, token, `{"client_secret":"a-marked-json-secret"}`,
			http.Header{"Content-Type": {"application/json"}},
		},
		{
			http.MethodPost, o.url("/oauth/device/verify"),
			url.Values{"user_code": {"BCDF-GHJK"}, "csrf_token": {"a-marked-form-token"}}.Encode(), nil,
		},
		{http.MethodGet, o.url("/oauth/device/verify?user_code=BCDF-GHJK"), "", nil},
		{
			http.MethodGet,
			o.url("/oauth/authorize?client_id=web&response_type=code&redirect_uri=https://evil.test&state=a-marked-evil-state&code=a-marked-query-code"), "", nil,
		},
		{
			http.MethodGet,
			o.url("/oauth/logout?id_token_hint=eyJhbGciOiJub25lIn0.eyJzdWIiOiJtYXJrZWQifQ.bWFya2VkLXNpZw"), "", nil,
		},
		{
			http.MethodGet, o.Origin + "/account", "",
			http.Header{"Cookie": {"platform_session=a-marked-session-cookie; platform_browser=a-marked-browser-cookie"}},
		},
		{
			http.MethodPost, o.Origin + "/auth/flows/flw_unknown/password",
			"password=a-marked-stray-password&csrf_token=a-marked-stray-token", nil,
		},
		{http.MethodPatch, o.Origin + "/nowhere?access_token=a-marked-stray-access-token", "", nil},
	} {
		res, _ := exchange(t, r.method, r.target, r.body, r.header)
		require.Less(t, res.StatusCode, 500, r.target)
	}
}

// strangersTrace is a trace that a client asks us to continue.
const (
	strangersID    = "0af7651916cd43dd8448eb211c80319c"
	strangersTrace = "00-" + strangersID + "-b7ad6b7169203331-01"
)

// requireNoSecrets searches everything that left the platform sideways.
func (o *observed) requireNoSecrets(t *testing.T) {
	t.Helper()
	require.Greater(t, len(o.wire.seen), 100, "the wiretap hears something")
	kinds := map[string]bool{}
	for _, what := range o.wire.seen {
		kinds[what] = true
	}

	for _, what := range []string{
		"code", "code_verifier", "client_secret", "client_assertion", "password", "email", "refresh_token",
		"access_token", "id_token", "device_code",
		"user_code", "csrf_token", "logout_token", "the cookie platform_session", "the credentials of Bearer",
		"the credentials of Basic", "Tracestate",
	} {
		require.Contains(t, kinds, what, "no flow has shown one")
	}

	for place, text := range o.told() {
		require.NotEmpty(t, text, place)
		require.Empty(t, o.wire.found(text), "in %s", place)
	}
}

// told is all that was told, by place.
func (o *observed) told() map[string][]byte {
	all := map[string][]byte{"what the collector got": bytes.Join(o.collector.Bodies(), []byte("\n"))}
	for name, p := range o.procs {
		all["the log of "+name] = []byte(withoutSeed(p.out.String()))
		all["the metrics of "+name] = []byte(o.metrics[name])
	}
	return all
}

// TestASecretThatIsToldIsFound plants secrets where the test above looks, by the
// ways that the platform itself takes.
func TestASecretThatIsToldIsFound(t *testing.T) {
	const secret = "a-marked-secret-that-is-told?"
	wire := &wiretap{seen: map[string]string{}}
	wire.note("client_secret", secret)
	collector := testkit.NewOTLP(t)
	telemetry, err := servicekit.NewTelemetry(t.Context(), "token",
		[]string{"OTEL_EXPORTER_OTLP_ENDPOINT=" + collector.URL})
	require.NoError(t, err)
	var lines bytes.Buffer
	logger := servicekit.NewLogger(&lines, config.Log{Level: "debug", Format: "json"})
	requests, err := telemetry.MeterProvider.Meter("test").Int64Counter("requests")
	require.NoError(t, err)

	found := func(text []byte) bool { return len(wire.found(text)) > 0 }
	for form, planted := range encodings(secret) {
		lines.Reset()
		logger.Debug("request", "query", "before "+planted+" after")
		require.True(t, found(lines.Bytes()), "%s in the log", form)
		_, span := telemetry.TracerProvider.Tracer("test").Start(t.Context(), "POST /token")
		span.SetAttributes(attribute.String("query", planted))
		span.End()
	}

	logger.Debug("nothing")
	lines.Reset()
	logger.Debug("request failed", "cause",
		&url.Error{Op: "Get", URL: "https://a.test/?code=" + url.QueryEscape(secret), Err: http.ErrHandlerTimeout})
	require.True(t, found(lines.Bytes()), "in an error")
	requests.Add(t.Context(), 1, metric.WithAttributes(attribute.String("client", secret)))
	scraped := httptest.NewRecorder()
	telemetry.Metrics.ServeHTTP(scraped, httptest.NewRequest(http.MethodGet, "/metrics", nil))
	require.True(t, found(scraped.Body.Bytes()), "in the metrics")
	require.NoError(t, telemetry.Shutdown(t.Context()))
	bodies := collector.Bodies()
	require.Len(t, bodies, 2, "traces and metrics")

	for _, body := range bodies {
		require.True(t, found(body), "at the collector")
	}

	require.Empty(t, wire.found([]byte("a-marked-secret-that-is-not")))
}
