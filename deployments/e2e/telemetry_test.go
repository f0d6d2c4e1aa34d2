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

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/metric"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/config"
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
