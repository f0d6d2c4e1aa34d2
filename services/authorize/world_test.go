package authorize_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/authorize"
)

const (
	endpoint  = "/api/v1/platform/oauth/authorize"
	origin    = "https://id.test"
	issuer    = origin + "/api/v1/platform/oauth"
	callback  = "https://web.test/callback?own=1"
	loopback  = "http://127.0.0.1/callback"
	private   = "com.example.app:/callback"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM" // RFC 7636 appendix B
	mostFlows = 60                                            // of an address in 15 minutes
	ada       = "usr_ada"
	bob       = "usr_bob"
	acme      = "tnt_acme"

	browserCookie  = "__Host-platform_browser"
	sessionCookie  = "__Host-platform_session"
	accountsCookie = "__Host-platform_accounts"
)

// world is the service on a real database, with a clock that only the test moves.
type world struct {
	t       testing.TB
	db      *database.DB
	clock   *testkit.Clock
	service *servicekit.Service
	cookies map[string]string // of the session cookies, by session
	holds   map[string]string // of the session that decided, by flow
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	return newWorldAs(t, db, db)
}

// newWorldAs runs the service on a connection of its own; db is the test's.
func newWorldAs(t testing.TB, db, own *database.DB) *world {
	t.Helper()
	w := &world{
		t:       t,
		db:      db,
		clock:   testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)),
		cookies: map[string]string{},
		holds:   map[string]string{},
	}

	w.seed()
	public, err := url.Parse(origin)
	require.NoError(t, err)
	w.service, err = authorize.New(authorize.Config{
		Server:     config.Server{PublicURL: public, HTTP: config.HTTP{RequestDeadline: testkit.Patience}},
		Sessions:   config.Sessions{Idle: 12 * time.Hour, Lifetime: 720 * time.Hour},
		Tokens:     config.Tokens{AccessTokenTTL: time.Hour, CodeTTL: time.Minute},
		Limits:     config.Limits{Flows: mostFlows, Window: 15 * time.Minute},
		Encryption: config.Encryption{Keys: []config.EncryptionKey{{1}}},
	}, authorize.Deps{
		DB:     own,
		Logger: testkit.Logger(t),
		Now:    w.clock.Now,
		Random: rand.Reader,
	})

	require.NoError(t, err)

	return w
}

func application(id string, kind directory.ApplicationType, redirects ...string) *directory.Application {
	return &directory.Application{
		ClientID:     id,
		Name:         id,
		Type:         kind,
		ScopeLevel:   directory.Global,
		Active:       true,
		RedirectURIs: redirects,
		Grants:       []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantRefreshToken},
		Scopes:       oauth.Scopes{"openid", "profile", "offline_access"},
		Audiences:    []string{"https://api.test"},
	}
}

func (w *world) seed() {
	web := application("web", directory.Web, callback)
	first := application("first", directory.Web, callback)
	first.FirstParty = true
	codeOnly := application("code-only", directory.Web, callback)
	codeOnly.Grants = []oauth.GrantType{oauth.GrantAuthorizationCode}
	noGrant := application("no-grant", directory.Web, callback)
	noGrant.Grants = []oauth.GrantType{oauth.GrantClientCredentials}
	tenant := application("tenant", directory.Web, callback)
	tenant.ScopeLevel, tenant.TenantID = directory.TenantScoped, acme
	native := application("native", directory.Native, loopback, private, "https://native.test/cb")
	native.FirstParty = true
	apps := []*directory.Application{
		web, first, codeOnly, noGrant, tenant, native,
		application("disabled", directory.Web, callback), application("spa", directory.SPA, "https://spa.test/cb"),
	}
	ctx, now := w.t.Context(), w.clock.Now()
	require.NoError(w.t, directorystore.NewOperator(w.db).Tx(ctx, func(op *directorystore.Writer) error {
		require.NoError(w.t, op.SaveTenant(ctx, directory.Tenant{
			ID:     acme,
			Slug:   "acme",
			Name:   "Acme",
			Active: true,
		}, nil, now))

		for _, id := range []string{ada, bob} {
			require.NoError(w.t, op.SaveUser(ctx, directory.User{
				ID:     id,
				Email:  id + "@acme.test",
				Name:   id,
				Active: true,
			}, []string{acme}, now))
		}

		for _, app := range apps {
			require.NoError(w.t, op.SaveApplication(ctx, app, now))
		}

		return op.DisableApplication(ctx, "disabled", now)
	}))
}

func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	_, err := w.db.Exec(context.Background(), "test.exec", query, args...)
	require.NoError(w.t, err)
}

func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	var n int
	require.NoError(w.t, w.db.Get(context.Background(), "test.count", &n, query, args...))
	return n
}

// signIn writes a session as the session service does, and returns its id and
// cookie.
func (w *world) signIn(userID string, change func(*sessions.Session)) (id, value string) {
	w.t.Helper()
	id, err := oauth.NewID("ses_", rand.Reader)
	require.NoError(w.t, err)
	value, err = oauth.NewSecret(rand.Reader)
	require.NoError(w.t, err)
	now := w.clock.Now()
	s := &sessions.Session{
		ID:         id,
		UserID:     userID,
		TenantID:   acme,
		AuthTime:   now,
		ACR:        "1",
		AMR:        []string{"pwd"},
		CreatedAt:  now,
		LastSeenAt: now,
		ExpiresAt:  now.Add(720 * time.Hour),
	}
	if change != nil {
		change(s)
	}

	w.exec(`INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, ended_at, browser_hash)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		s.ID, oauth.HashSecret(value), s.UserID, s.TenantID, database.At(s.AuthTime), s.ACR,
		database.JSON[[]string]{V: s.AMR},
		database.At(s.CreatedAt), database.At(s.LastSeenAt), database.At(s.ExpiresAt),
		database.At(s.EndedAt), s.Proof)
	w.cookies[id] = value
	return id, value
}

func (w *world) consent(userID, clientID, resource, scope string) {
	w.t.Helper()
	w.exec(`INSERT INTO consents (user_id, tenant_id, client_id, resource, scope, updated_at) VALUES ($1, $2, $3, $4, $5, $6)`,
		userID, acme, clientID, resource, scope, database.At(w.clock.Now()))
}

// sealer is the service's.
func (w *world) sealer() *sealed.Sealer {
	w.t.Helper()
	encryption := config.Encryption{Keys: []config.EncryptionKey{{1}}}
	s, err := sealed.New(encryption.DeriveAll(sealed.Label), rand.Reader)
	require.NoError(w.t, err)
	return s
}

// request is the flow that the browser was sent to the pages with.
func (w *world) request(flow string) *grants.Flow {
	w.t.Helper()
	r, err := grantstore.NewForSession(w.db).Sealing(w.sealer()).Flow(context.Background(), flow)
	require.NoError(w.t, err)
	return r
}

// settle does what the session service does when a person first does something in a
// flow, and returns the id of its row.
func (w *world) settle(flow string) string {
	w.t.Helper()
	r := w.request(flow)
	require.NoError(w.t, grantstore.NewForSession(w.db).Settle(context.Background(), r, w.clock.Now()))
	return r.ID
}

// long makes a request that does not fit in an address.
func long(change url.Values) url.Values {
	p := webParams(change)
	p.Set("state", strings.Repeat("s", 4000))
	return p
}

// decide does what the session service does at the end of the pages.
func (w *world) decide(flow, sessionID string, d grants.Decision) {
	w.t.Helper()
	w.holds[flow] = w.cookies[sessionID]
	require.NoError(w.t,
		grantstore.NewForSession(w.db).Decide(context.Background(), flow, d, sessionID, acme, w.clock.Now()))
}

// visit is a request by one browser.
type visit struct {
	method  string
	params  url.Values
	browser string
	session string
	account string // the cookie that the browser's sessions share
	json    bool
	raw     string // the query, instead of params
	headers http.Header
	host    string // where the request says it goes to, or the usual one
	from    string // the address and port, or the usual one
}

type reply struct {
	*http.Response
	t    testing.TB
	body string
}

func (w *world) do(v visit) *reply {
	w.t.Helper()
	var r *http.Request
	if v.method == http.MethodPost {
		r = httptest.NewRequest(http.MethodPost, endpoint, strings.NewReader(v.params.Encode()))
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	} else {
		r = httptest.NewRequest(http.MethodGet, endpoint, http.NoBody)
		if v.method != "" {
			r.Method = v.method
		}
		if r.URL.RawQuery = v.raw; v.raw == "" {
			r.URL.RawQuery = v.params.Encode()
		}
	}

	r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")

	if v.json {
		r.Header.Set("Accept", "application/json")
	}

	if v.from != "" {
		r.RemoteAddr = v.from
	}

	if v.host != "" {
		r.Host = v.host
	}

	for name, values := range v.headers {
		r.Header[name] = values
	}

	if v.browser != "" {
		r.AddCookie(&http.Cookie{Name: browserCookie, Value: v.browser})
	}

	if v.session != "" {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: v.session})
	}

	if v.account != "" {
		r.AddCookie(&http.Cookie{Name: accountsCookie, Value: v.account})
	}

	rec := httptest.NewRecorder()
	w.service.Handler.ServeHTTP(rec, r)
	return &reply{Response: rec.Result(), t: w.t, body: rec.Body.String()}
}

// toApplication is the query of a redirect to the application.
func (r *reply) toApplication(redirectURI string) url.Values {
	r.t.Helper()
	require.Equal(r.t, http.StatusSeeOther, r.StatusCode, r.body)
	location := r.Header.Get("Location")
	require.True(r.t, strings.HasPrefix(location, redirectURI), location)
	u, err := url.Parse(location)
	require.NoError(r.t, err)
	require.Equal(r.t, issuer, u.Query().Get("iss"), "RFC 9207 2")
	require.Equal(r.t, "no-store", r.Header.Get("Cache-Control"))
	return u.Query()
}

// toPages is the flow that the browser is sent to the sign-in pages with.
func (r *reply) toPages() string {
	r.t.Helper()
	require.Equal(r.t, http.StatusSeeOther, r.StatusCode, r.body)
	flow, ok := strings.CutPrefix(r.Header.Get("Location"), "/auth/flows/")
	require.True(r.t, ok, r.Header.Get("Location"))
	return flow
}

// noCode demands an answer that leads to no application: a page here, or the flow's own,
// which says what happened.
func (r *reply) noCode() {
	r.t.Helper()
	if r.StatusCode == http.StatusSeeOther {
		require.True(r.t, strings.HasPrefix(r.Header.Get("Location"), "/auth/flows/"), r.Header.Get("Location"))
		return
	}
	r.refusedHere(http.StatusBadRequest)
}

// refusedHere requires a response that isn't a redirect, and returns its error code.
func (r *reply) refusedHere(status int) string {
	r.t.Helper()
	require.Equal(r.t, status, r.StatusCode, r.body)
	require.Empty(r.t, r.Header.Get("Location"))

	if !strings.HasPrefix(r.Header.Get("Content-Type"), "application/json") {
		require.Contains(r.t, r.Header.Get("Content-Type"), "text/html")
		return ""
	}

	var body struct {
		Error       string `json:"error"`
		Description string `json:"error_description"`
	}
	require.NoError(r.t, json.Unmarshal([]byte(r.body), &body))
	require.NotEmpty(r.t, body.Description)
	return body.Error
}

// over demands that a person is led to the flow's own page, which says what has
// become of it, and nowhere else.
func (r *reply) over() {
	r.t.Helper()
	require.Equal(r.t, http.StatusSeeOther, r.StatusCode, r.body)
	require.Regexp(r.t, `^/auth/flows/[^/?#]+\?problem=over$`, r.Header.Get("Location"))
	require.Empty(r.t, r.Cookies())
}

func (r *reply) browserCookie() string {
	for _, c := range r.Cookies() {
		if c.Name == browserCookie {
			return c.Value
		}
	}
	return ""
}

// params are a good request of an application with changes; an empty list removes
// a parameter.
func params(clientID, redirectURI string, changes url.Values) url.Values {
	p := url.Values{
		"response_type":         {"code"},
		"client_id":             {clientID},
		"redirect_uri":          {redirectURI},
		"scope":                 {"openid profile"},
		"state":                 {"st+a te&"},
		"nonce":                 {"n-1"},
		"code_challenge":        {challenge},
		"code_challenge_method": {"S256"},
	}
	for name, values := range changes {
		if len(values) == 0 {
			delete(p, name)
		} else {
			p[name] = values
		}
	}

	return p
}

func webParams(changes url.Values) url.Values { return params("web", callback, changes) }

func secret(t testing.TB) string {
	t.Helper()
	s, err := oauth.NewSecret(rand.Reader)
	require.NoError(t, err)
	return s
}
