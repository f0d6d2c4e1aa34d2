package device_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
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
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/device"
)

const (
	origin        = "https://id.test"
	authorizePath = "/api/v1/platform/oauth/device/authorize"
	verifyPath    = "/api/v1/platform/oauth/device/verify"
	pagePath      = "/device"
	ada           = "usr_ada"
	grace         = "usr_grace"
	acme          = "tnt_acme"
	appSecret     = "a-long-random-string-of-the-operator"

	browserCookie = "__Host-platform_browser"
	sessionCookie = "__Host-platform_session"
)

// world is the service on a real database, with a clock that only the test moves.
type world struct {
	t       testing.TB
	db      *database.DB
	clock   *testkit.Clock
	service *servicekit.Service
}

// sealer is the service's.
func (w *world) sealer() *sealed.Sealer {
	w.t.Helper()
	encryption := config.Encryption{Keys: []config.EncryptionKey{{1}}}
	s, err := sealed.New(encryption.DeriveAll(sealed.Label), rand.Reader)
	require.NoError(w.t, err)
	return s
}

// request is the flow that a browser was sent to the sign-in pages with.
func (w *world) request(flow string) *grants.AuthorizationRequest {
	w.t.Helper()
	r, err := grantstore.NewForSession(w.db).Sealing(w.sealer()).Request(context.Background(), flow)
	require.NoError(w.t, err)
	return r
}

// decide does what the session service does with a sign-in.
func (w *world) decide(flow, sessionID string) {
	w.t.Helper()
	rows, r := grantstore.NewForSession(w.db), w.request(flow)
	require.NoError(w.t, rows.Settle(context.Background(), r, w.clock.Now()))
	require.NoError(w.t, rows.Decide(context.Background(), r.ID, grants.SignedIn, sessionID, acme, w.clock.Now()))
}

func newWorld(t testing.TB, db *database.DB) *world {
	t.Helper()
	return newWorldAs(t, db, db)
}

// newWorldAs runs the service on a connection of its own; db is the test's.
func newWorldAs(t testing.TB, db, own *database.DB) *world {
	t.Helper()
	w := &world{t: t, db: db, clock: testkit.NewClock(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC))}
	w.seed()
	w.service = w.replica(own)
	return w
}

// replica is the service once more, as another process runs it.
func (w *world) replica(db *database.DB) *servicekit.Service {
	w.t.Helper()
	return w.logging(db, testkit.Logger(w.t))
}

// logging is a replica whose logs are kept.
func (w *world) logging(db *database.DB, logger *slog.Logger) *servicekit.Service {
	w.t.Helper()
	public, err := url.Parse(origin)
	require.NoError(w.t, err)
	service, err := device.New(device.Config{
		Server:   config.Server{PublicURL: public},
		Sessions: config.Sessions{Idle: 12 * time.Hour, Lifetime: 720 * time.Hour},
		Tokens:   config.Tokens{DeviceCodeTTL: 10 * time.Minute},
		Limits: config.Limits{
			UserCode:   10,
			Flows:      60,
			ClientAuth: 20,
			Window:     15 * time.Minute,
		},
		Encryption: config.Encryption{Keys: []config.EncryptionKey{{1}}},
	}, device.Deps{
		DB:     db,
		Logger: logger,
		Now:    w.clock.Now,
		Random: rand.Reader,
	})

	require.NoError(w.t, err)

	return service
}

func (w *world) seed() {
	application := func(id string, kind directory.ApplicationType) *directory.Application {
		return &directory.Application{
			ClientID:   id,
			Name:       "The " + id,
			Type:       kind,
			ScopeLevel: directory.Global,
			Active:     true,
			FirstParty: true,
			Grants:     []oauth.GrantType{oauth.GrantDeviceCode, oauth.GrantRefreshToken},
			Scopes:     oauth.Scopes{"openid", "profile", "offline_access"},
		}
	}

	noGrant := application("no-grant", directory.Native)
	noGrant.Grants = []oauth.GrantType{oauth.GrantAuthorizationCode}
	tenant := application("tenant", directory.Native)
	tenant.ScopeLevel, tenant.TenantID = directory.TenantScoped, acme
	strict := application("strict", directory.Web)
	strict.DeviceRequiresAuth = true
	apps := []*directory.Application{
		application("tv", directory.Native), application("web", directory.Web),
		application("disabled", directory.Native), noGrant, tenant, strict,
	}
	ctx, now := w.t.Context(), w.clock.Now()
	require.NoError(w.t, directorystore.NewOperator(w.db).Tx(ctx, func(op *directorystore.Writer) error {
		require.NoError(w.t, op.SaveTenant(ctx, directory.Tenant{
			ID:     acme,
			Slug:   "acme",
			Name:   "Acme",
			Active: true,
		}, nil, now))

		require.NoError(w.t, op.SaveUser(ctx, directory.User{
			ID:     ada,
			Email:  "ada@acme.test",
			Name:   "Ada",
			Active: true,
		}, []string{acme}, now))

		require.NoError(w.t,
			op.SaveUser(ctx, directory.User{ID: grace, Email: "grace@acme.test", Active: true}, []string{acme}, now))

		for _, app := range apps {
			require.NoError(w.t, op.SaveApplication(ctx, app, now))
		}

		for _, id := range []string{"web", "strict"} {
			require.NoError(w.t,
				op.SetSecrets(ctx, id,
					[]directory.ApplicationSecret{{ID: "sec_" + id, Hash: oauth.HashSecret(appSecret)}}, now))
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

// signIn writes a session of Ada's as the session service does.
func (w *world) signIn() (id, value string) {
	w.t.Helper()
	return w.signInAs(ada)
}

func (w *world) signInAs(userID string) (id, value string) {
	w.t.Helper()
	id, err := oauth.NewID("ses_", rand.Reader)
	require.NoError(w.t, err)
	value, err = oauth.NewSecret(rand.Reader)
	require.NoError(w.t, err)
	now := database.At(w.clock.Now())
	w.exec(`INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)`,
		id, oauth.HashSecret(value), userID, acme, now, "1", database.JSON[[]string]{V: []string{"pwd"}}, now, now,
		database.At(now.Add(720*time.Hour)))
	return id, value
}

// visit is a request.
type visit struct {
	method  string
	path    string
	query   url.Values
	form    url.Values
	body    string // instead of form
	kind    string // Content-Type of body
	browser string
	session string
	page    bool   // the caller is a browser that navigates
	foreign bool   // the request does not come from a page of ours
	from    string // address; httptest's when empty
	headers http.Header
}

type reply struct {
	*http.Response
	t    testing.TB
	body string
}

func (w *world) do(v visit) *reply {
	w.t.Helper()
	method := v.method
	if method == "" {
		method = http.MethodGet
	}

	body, kind := v.body, v.kind
	if v.form != nil {
		body, kind = v.form.Encode(), "application/x-www-form-urlencoded"
	}

	r := httptest.NewRequest(method, v.path, strings.NewReader(body))
	r.URL.RawQuery = v.query.Encode()

	if kind != "" {
		r.Header.Set("Content-Type", kind)
	}

	r.Header.Set("Accept", "application/json")

	if v.page {
		r.Header.Set("Accept", "text/html,application/xhtml+xml,*/*;q=0.8")
	}

	if !v.foreign && method == http.MethodPost {
		r.Header.Set("Sec-Fetch-Site", "same-origin")
	}

	for name, values := range v.headers {
		r.Header[name] = values
	}

	if v.from != "" {
		r.RemoteAddr = netip.AddrPortFrom(netip.MustParseAddr(v.from), 4711).String()
	}

	if v.browser != "" {
		r.AddCookie(&http.Cookie{Name: browserCookie, Value: v.browser})
	}

	if v.session != "" {
		r.AddCookie(&http.Cookie{Name: sessionCookie, Value: v.session})
	}

	rec := httptest.NewRecorder()
	w.service.Handler.ServeHTTP(rec, r)
	return &reply{Response: rec.Result(), t: w.t, body: rec.Body.String()}
}

// json demands a status and reads the answer.
func (r *reply) json(status int) map[string]any {
	r.t.Helper()
	require.Equal(r.t, status, r.StatusCode, r.body)
	require.Equal(r.t, "no-store", r.Header.Get("Cache-Control"))
	require.Equal(r.t, "no-cache", r.Header.Get("Pragma"))
	var body map[string]any
	require.NoError(r.t, json.Unmarshal([]byte(r.body), &body))
	return body
}

// device asks for codes as the application tv.
func (w *world) device() (userCode string) {
	w.t.Helper()
	res := w.do(visit{
		method: http.MethodPost,
		path:   authorizePath,
		form:   url.Values{"client_id": {"tv"}, "scope": {"openid profile"}},
	})
	return res.json(http.StatusOK)["user_code"].(string)
}

// csrf reads the token of a signed-in caller.
func (w *world) csrf(userCode, session string) string {
	w.t.Helper()
	res := w.do(visit{path: verifyPath, query: url.Values{"user_code": {userCode}}, session: session})
	token, _ := res.json(http.StatusOK)["csrf_token"].(string)
	require.NotEmpty(w.t, token)
	return token
}
