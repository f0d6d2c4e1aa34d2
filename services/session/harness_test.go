package session

import (
	"context"
	"crypto/rand"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sealed"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

const (
	origin     = "http://127.0.0.1:8080"
	logoutURL  = origin + "/api/v1/platform/oauth/logout"
	mostFlows  = 100 // of an address in 15 minutes
	rightWords = "correct horse battery staple"
)

var started = time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC)

// world is a session service over a real database with some people in it.
type world struct {
	t        testing.TB
	db       *database.DB // the owner's, for the tests' own statements
	service  *database.DB // the service's: on PostgreSQL under its own role
	clock    *testkit.Clock
	hasher   *password.Hasher
	keys     *localkeys.Store
	handler  http.Handler
	requests *grantstore.ForAuthorize
	sessions *sessionstore.Store
	people   *directorystore.People
	agent    string // the User-Agent of the browsers
}

// onEachDatabase is testkit's, but on PostgreSQL the service may do only what
// roles.sql grants it.
func onEachDatabase(t *testing.T, f func(t *testing.T, w *world)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) {
		db := testkit.SQLite(t)
		f(t, newWorld(t, db, db))
	})
	t.Run("postgres", func(t *testing.T) {
		server := testkit.PostgresServer(t)
		owner := server.NewDatabase(t)
		db := testkit.OpenPostgres(t, owner)
		f(t, newWorld(t, db, testkit.OpenPostgres(t, server.LoginURL(t, owner, "platform_session"))))
	})
}

func testConfig(t testing.TB) Config {
	t.Helper()
	public, err := url.Parse(origin)
	require.NoError(t, err)
	return Config{
		Server:     config.Server{PublicURL: public, HTTP: config.HTTP{RequestDeadline: testkit.Patience}},
		Sessions:   config.Sessions{Idle: 12 * time.Hour, Lifetime: 30 * 24 * time.Hour},
		Limits:     config.Limits{SignIn: 10, Flows: mostFlows, Window: 15 * time.Minute},
		Encryption: config.Encryption{Keys: []config.EncryptionKey{{1, 2, 3}}},
	}
}

func newWorld(t testing.TB, db, service *database.DB) *world {
	t.Helper()
	w := &world{
		t:        t,
		db:       db,
		service:  service,
		clock:    testkit.NewClock(started),
		requests: grantstore.NewForAuthorize(db),
		sessions: sessionstore.New(db),
		people:   directorystore.NewPeople(db),
	}

	var err error
	w.openKeys()
	w.hasher, err = password.New(password.Options{
		Params: password.Params{Memory: 256, Time: 1, Threads: 1},
		Queue:  1000,
	})
	require.NoError(t, err)
	built, err := build(testConfig(t), w.deps(), w.hasher)
	require.NoError(t, err)
	w.handler = built.Handler
	w.seed()

	return w
}

func (w *world) openKeys() {
	w.t.Helper()
	keys, err := localkeys.Open(filepath.Join(w.t.TempDir(), "keys"))
	require.NoError(w.t, err)
	w.t.Cleanup(func() { require.NoError(w.t, keys.Close()) })
	w.keys = keys
}

func (w *world) deps() Deps {
	return Deps{
		DB:      w.service,
		Signing: w.keys,
		Logger:  testkit.Logger(w.t),
		Now:     w.clock.Now,
		Random:  rand.Reader,
	}
}

// seed makes the tenants acme (acme.test), north and locked (locked.test, without
// passwords), the people of the tests, and four applications. The person upstream
// has no password here: they sign in at their organisation's own provider.
func (w *world) seed() {
	w.t.Helper()
	hash, err := w.hasher.Hash(w.t.Context(), rightWords)
	require.NoError(w.t, err)
	w.operate(func(ctx context.Context, o *directorystore.Writer) {
		for _, tenant := range []directory.Tenant{
			{ID: "tnt_acme", Slug: "acme", Name: "Acme Corp", Active: true},
			{ID: "tnt_north", Slug: "north", Name: "Northwind", Active: true},
			{ID: "tnt_locked", Slug: "locked", Name: "Locked Ltd", SSOOnly: true, Active: true},
		} {
			require.NoError(w.t,
				o.SaveTenant(ctx, tenant,
					map[string][]string{"tnt_acme": {"acme.test"}, "tnt_locked": {"locked.test"}}[tenant.ID], started))
		}

		for name, tenants := range map[string][]string{
			"ada":      {"tnt_acme"},
			"bob":      {"tnt_acme", "tnt_north"},
			"nobody":   nil,
			"locked":   {"tnt_locked"},
			"disabled": {"tnt_acme"},
			"upstream": {"tnt_acme"},
		} {
			user := directory.User{
				ID:     "usr_" + name,
				Email:  name + "@acme.test",
				Name:   "The " + name,
				Active: true,
			}

			require.NoError(w.t, o.SaveUser(ctx, user, tenants, started))

			if name != "upstream" {
				require.NoError(w.t, o.SetPassword(ctx, user.ID, hash, started))
			}
		}

		require.NoError(w.t, o.DisableUser(ctx, "usr_disabled", started))

		for _, app := range []*directory.Application{
			{ClientID: "billing", Name: "Billing", Type: directory.Web, FirstParty: true},
			{ClientID: "other", Name: "Other", Type: directory.Web},
			{ClientID: "native", Name: "Native", Type: directory.Native, RedirectURIs: []string{"com.example.app:/cb"}},
			{ClientID: "gone", Name: "Gone", Type: directory.Web},
		} {
			app.ScopeLevel, app.Active = directory.Global, true
			app.PostLogoutRedirectURIs = []string{"https://rp.test/bye", "https://rp.test/bye?keep=1"}
			require.NoError(w.t, o.SaveApplication(ctx, app, started))
		}

		require.NoError(w.t, o.DisableApplication(ctx, "gone", started))
	})
}

// person adds a person of acme with the tests' password.
func (w *world) person(name string) {
	w.t.Helper()
	hash, err := w.hasher.Hash(w.t.Context(), rightWords)
	require.NoError(w.t, err)
	w.operate(func(ctx context.Context, o *directorystore.Writer) {
		user := directory.User{
			ID:     "usr_" + name,
			Email:  name + "@acme.test",
			Name:   "The " + name,
			Active: true,
		}

		require.NoError(w.t, o.SaveUser(ctx, user, []string{"tnt_acme"}, started))
		require.NoError(w.t, o.SetPassword(ctx, user.ID, hash, started))
	})
}

func (w *world) operate(f func(ctx context.Context, o *directorystore.Writer)) {
	w.t.Helper()
	ctx := w.t.Context()
	require.NoError(w.t, directorystore.NewOperator(w.db).Tx(ctx, func(o *directorystore.Writer) error {
		f(ctx, o)
		return nil
	}))
}

// RoundTrip makes the world a browser's network, at one address.
func (w *world) RoundTrip(r *http.Request) (*http.Response, error) { return w.from("192.0.2.1", r) }

// from is RoundTrip from another address.
func (w *world) from(address string, r *http.Request) (*http.Response, error) {
	in := r.Clone(r.Context())
	in.RequestURI, in.RemoteAddr = r.URL.RequestURI(), net.JoinHostPort(address, "4711")

	if in.Body == nil {
		in.Body = http.NoBody
	}

	if w.agent != "" {
		in.Header.Set("User-Agent", w.agent)
	}

	rec := httptest.NewRecorder()
	w.handler.ServeHTTP(rec, in)
	res := rec.Result()
	res.Request = r

	return res, nil
}

// visitor is a person at a browser.
type visitor struct {
	*formbrowser.Browser
	w      *world
	cookie string
}

// newBrowser is one that authorize has given its cookie.
func (w *world) newBrowser() *visitor {
	w.t.Helper()
	secret, err := oauth.NewSecret(rand.Reader)
	require.NoError(w.t, err)
	b := &visitor{
		Browser: formbrowser.WithTransport(w.t, w, origin+"/api/v1/platform/oauth/authorize", origin+"/device",
			"https://", "com.example"),
		w:      w,
		cookie: secret,
	}
	u, err := url.Parse(origin)
	require.NoError(w.t, err)
	b.Client().Jar.SetCookies(u, []*http.Cookie{{Name: "platform_browser", Value: secret, Path: "/"}})
	return b
}

// flow inserts a request of this browser, as authorize does, and returns its URL.
func (b *visitor) flow(change func(r *grants.Flow)) (id, pageURL string) {
	b.w.t.Helper()
	r := b.authorization(change)
	require.NoError(b.w.t, b.w.requests.InsertFlow(b.w.t.Context(), r))

	return r.ID, origin + "/auth/flows/" + r.ID
}

// sealed is flow without a row: the request travels in its URL.
func (b *visitor) sealed(change func(r *grants.Flow)) (id, pageURL string) {
	b.w.t.Helper()
	sealer, err := sealed.New(testConfig(b.w.t).Encryption.DeriveAll(sealed.Label), rand.Reader)
	require.NoError(b.w.t, err)

	r := b.authorization(change)
	token, fits, err := sealer.Seal(sealed.Pages, r)
	require.NoError(b.w.t, err)
	require.True(b.w.t, fits)

	return r.ID, origin + "/auth/flows/" + token
}

// authorization is a request of this browser.
func (b *visitor) authorization(change func(r *grants.Flow)) *grants.Flow {
	b.w.t.Helper()
	id, err := oauth.NewID("req_", rand.Reader)
	require.NoError(b.w.t, err)
	r := &grants.Flow{
		ID:          id,
		Kind:        grants.KindAuthorize,
		BrowserHash: oauth.HashSecret(b.browserCookie()),
		CreatedAt:   b.w.clock.Now(),
		ExpiresAt:   b.w.clock.Now().Add(30 * time.Minute),
		Access:      grants.Access{ClientID: "billing", Scope: oauth.Scopes{"openid", "email"}},
		Authorize: &grants.Authorization{
			RedirectURI:  "https://rp.test/cb",
			ResponseMode: oauth.ResponseModeQuery,
			State:        "s",
		},
	}
	if change != nil {
		change(r)
	}

	return r
}

func client(id string) func(r *grants.Flow) {
	return func(r *grants.Flow) { r.ClientID = id }
}

func prompt(values ...string) func(r *grants.Flow) {
	return func(r *grants.Flow) { r.Prompt = values }
}

// signIn goes from the e-mail page through the password.
func (b *visitor) signIn(pageURL, email string) *formbrowser.Page {
	b.w.t.Helper()
	return b.Get(pageURL).Submit("Continue", url.Values{"email": {email}}).Submit("Sign in",
		url.Values{"password": {rightWords}})
}

// browserCookie is the value of the browser cookie, which changes at each sign-in.
func (b *visitor) browserCookie() string {
	b.w.t.Helper()
	for _, c := range b.Cookies(origin) {
		if c.Name == "platform_browser" {
			return c.Value
		}
	}
	return b.cookie
}

// token is that of the form on a page.
func (b *visitor) token(page string) string {
	b.w.t.Helper()
	return b.Get(page).Hidden("csrf_token")
}

// sessionCookie is the value of the browser's session cookie, or empty.
func (b *visitor) sessionCookie() string {
	b.w.t.Helper()
	for _, c := range b.Cookies(origin) {
		if c.Name == "platform_session" {
			return c.Value
		}
	}
	return ""
}

// session is what the browser's session cookie stands for, or nil.
func (b *visitor) session() *sessions.Session {
	b.w.t.Helper()
	value := b.sessionCookie()
	if value == "" {
		return nil
	}

	s, err := b.w.sessions.ByCookie(b.w.t.Context(), oauth.HashSecret(value))
	require.NoError(b.w.t, err)
	return s
}

func (w *world) request(id string) *grants.Flow {
	w.t.Helper()
	r, err := w.requests.Flow(w.t.Context(), id)
	require.NoError(w.t, err)
	return r
}

// returns asserts that a page is the way back to authorize.
func (w *world) returns(p *formbrowser.Page, id string) {
	w.t.Helper()
	require.Equal(w.t, http.StatusSeeOther, p.Status, p.Text())
	require.Equal(w.t, origin+"/api/v1/platform/oauth/authorize?flow="+id, p.Location().String())
}

// login types an address into a flow behind the pages' back.
func (w *world) login(id, email string) error {
	return grantstore.NewForSession(w.db).SetLogin(w.t.Context(), id, email, w.clock.Now())
}
