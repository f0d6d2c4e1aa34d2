package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	limitstore "github.com/platform-oauth/platform-oauth/libs/limits/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/domain"
)

const (
	ada   = "ada@acme.test" // of the tenant acme
	bob   = "bob@acme.test" // of the tenants acme and north
	right = "correct horse battery staple"
	other = "another long password"
)

var (
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errDisk = errors.New("could not extend file: no space left on device")
)

// world holds the use cases on a real database, whose faults and lost races a test orders.
type world struct {
	*orders
	signIn   *app.SignIn
	account  *app.Account
	logout   *app.Logout
	db       *database.DB
	sessions *sessionstore.Store
	hasher   *password.Hasher
	words    *passwords
	counts   *counts
	trail    *trail
	schedule *signingtest.Schedule // of signing keys; empty
	keys     *localkeys.Store
	ring     *signing.Ring
	clock    *testkit.Clock
	logs     *log
}

func newWorld(t *testing.T) *world {
	t.Helper()
	hasher, err := password.New(password.Options{Params: password.Params{Memory: 256, Time: 1, Threads: 1}})
	require.NoError(t, err)
	keys, err := localkeys.Open(filepath.Join(t.TempDir(), "keys"))
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, keys.Close()) })

	o := &orders{fails: map[string]error{}, firsts: map[string]func(){}}
	db := testkit.SQLite(t)
	w := &world{
		orders:   o,
		db:       db,
		sessions: sessionstore.New(db),
		hasher:   hasher,
		words:    &passwords{Passwords: hasher, orders: o},
		counts:   &counts{Limits: limitstore.New(db), orders: o},
		trail:    &trail{orders: o},
		schedule: signingtest.NewSchedule(),
		keys:     keys,
		clock:    testkit.NewClock(start),
		logs:     &log{},
	}
	w.ring = signing.NewRing(signing.RingOptions{Schedule: w.schedule, Backend: keys, Now: w.clock.Now})
	w.seed(t)
	w.build()

	return w
}

// seed writes two people, Ada and Bob, and two applications: notes asks for consent, and desk is
// the operator's own.
func (w *world) seed(t *testing.T) {
	t.Helper()
	hash, err := w.hasher.Hash(t.Context(), right)
	require.NoError(t, err)

	require.NoError(t, directorystore.NewOperator(w.db).Tx(t.Context(), func(op *directorystore.Writer) error {
		for _, name := range []string{"acme", "north"} {
			tenant := directory.Tenant{ID: "tnt_" + name, Slug: name, Name: name, Active: true}
			require.NoError(t, op.SaveTenant(t.Context(), tenant, nil, start))
		}

		for email, tenants := range map[string][]string{ada: {"tnt_acme"}, bob: {"tnt_acme", "tnt_north"}} {
			user := directory.User{ID: "usr_" + email[:3], Email: email, Active: true}
			require.NoError(t, op.SaveUser(t.Context(), user, tenants, start))
			require.NoError(t, op.SetPassword(t.Context(), user.ID, hash, start))
		}

		for _, name := range []string{"notes", "desk"} {
			require.NoError(t, op.SaveApplication(t.Context(), &directory.Application{
				ClientID:             name,
				Name:                 name,
				Type:                 directory.Web,
				ScopeLevel:           directory.Global,
				Active:               true,
				FirstParty:           name == "desk",
				BackchannelLogoutURI: "https://" + name + ".test/logout",
			}, start))
		}

		return nil
	}))
}

func (w *world) build() {
	rows, written := grantstore.NewForSession(w.db), sqlstore.New(w.db)
	people := directorystore.NewPeople(w.db)
	applications := appcache.New(directorystore.NewApplications(w.db), appcache.Options{Now: w.clock.Now})
	journal := &app.Journal{
		Trail:        w.trail,
		Refusals:     w.trail,
		PseudonymKey: []byte("pseudonyms"),
		Logger:       slog.New(slog.NewTextHandler(w.logs, nil)),
	}
	browsers := &app.Browsers{
		Sessions:     w.sessions,
		Renewals:     renewals{written, w.orders},
		Flows:        flows{rows, w.orders},
		People:       people,
		Idle:         12 * time.Hour,
		Lifetime:     30 * 24 * time.Hour,
		CookieSecret: []byte("cookies"),
		Now:          w.clock.Now,
		Random:       rand.Reader,
	}
	prover := &app.Prover{
		Credentials:  credentials{people, w.orders},
		Passwords:    w.words,
		Limits:       w.counts,
		Journal:      journal,
		Guesses:      limits.Rule{Failures: 3, Window: time.Hour},
		LimitSecret:  []byte("limits"),
		DeviceSecret: []byte("devices"),
		Now:          w.clock.Now,
		Random:       rand.Reader,
	}

	w.signIn = &app.SignIn{
		Browsers:     browsers,
		Prover:       prover,
		Journal:      journal,
		Flows:        flows{rows, w.orders},
		Entrances:    rows,
		Choices:      choices{written, w.orders},
		Sessions:     w.sessions,
		People:       people,
		Applications: applications,
		Starts:       &limits.Starts{Counter: w.counts, Secret: []byte("starts"), Most: 60, Window: time.Hour},
		Issuer:       "https://id.test",
		Now:          w.clock.Now,
		Random:       rand.Reader,
	}
	w.account = &app.Account{
		Browsers: browsers,
		Prover:   prover,
		Journal:  journal,
		Sessions: w.sessions,
		Access:   access{written, w.orders},
		Now:      w.clock.Now,
	}
	w.logout = &app.Logout{
		Browsers:     browsers,
		Journal:      journal,
		People:       people,
		Applications: applications,
		Hints:        w.ring.Hints(),
		Issuer:       "https://id.test",
	}
}

// browser keeps cookies.
type browser struct{ browser, session, accounts, device string }

func newBrowser() *browser { return &browser{browser: "browser cookie"} }

// take keeps the cookies of an answer.
func (b *browser) take(fresh *app.NewCookie) {
	b.browser, b.session, b.accounts = fresh.Browser, fresh.Value, fresh.Accounts
	if fresh.Device != "" {
		b.device = fresh.Device
	}
}

// sends returns what a request of the browser says about it.
func (b *browser) sends() app.Browser {
	sent := app.Browser{
		Hash:    oauth.HashSecret(b.browser),
		Device:  b.device,
		Address: netip.MustParseAddr("192.0.2.7"),
	}
	if b.session != "" {
		sent.SessionHash, sent.AccountsHash = oauth.HashSecret(b.session), oauth.HashSecret(b.accounts)
	}

	return sent
}

// flow starts a flow of an application in a browser and returns its id.
func (w *world) flow(t *testing.T, b *browser, clientID string) string {
	t.Helper()
	id, err := oauth.NewID("req_", rand.Reader)
	require.NoError(t, err)
	require.NoError(t, grantstore.NewForAuthorize(w.db).InsertFlow(t.Context(), &grants.Flow{
		ID:          id,
		Kind:        grants.KindAuthorize,
		BrowserHash: oauth.HashSecret(b.browser),
		CreatedAt:   w.clock.Now(),
		ExpiresAt:   w.clock.Now().Add(30 * time.Minute),
		Access:      grants.Access{ClientID: clientID, Scope: oauth.Scopes{oauth.ScopeOpenID}},
		Authorize: &grants.Authorization{
			RedirectURI:  "https://" + clientID + ".test/callback",
			ResponseMode: oauth.ResponseModeQuery,
		},
	}))

	return id
}

// open opens a flow and checks which page is due.
func (w *world) open(t *testing.T, b *browser, flow string, due domain.Step) *app.Visit {
	t.Helper()
	v, err := w.signIn.Open(t.Context(), flow, b.sends())
	require.NoError(t, err)
	require.Equal(t, due, v.Step)
	return v
}

// atPassword starts a flow and types the address.
func (w *world) atPassword(t *testing.T, b *browser, email string) *app.Visit {
	t.Helper()
	flow := w.flow(t, b, "notes")
	v, err := w.signIn.Open(t.Context(), flow, b.sends())
	require.NoError(t, err)

	valid, err := w.signIn.Email(t.Context(), v, email)
	require.NoError(t, err)
	require.True(t, valid)
	return w.open(t, b, flow, domain.StepPassword)
}

// signedIn signs a person in in a new browser, and forgets what the trail was told.
func (w *world) signedIn(t *testing.T, email string) (b *browser, flow string) {
	t.Helper()
	b = newBrowser()
	v := w.atPassword(t, b, email)
	fresh, err := w.signIn.Password(t.Context(), v, right)
	require.NoError(t, err)
	require.NotNil(t, fresh)
	b.take(fresh)
	w.trail.kinds()
	return b, v.Request.ID
}

// atHome signs a person in and opens their account page.
func (w *world) atHome(t *testing.T, email string) (*browser, *app.Me) {
	t.Helper()
	b, _ := w.signedIn(t, email)
	me, err := w.account.Me(t.Context(), b.sends())
	require.NoError(t, err)
	return b, me
}

// live returns a person's sessions that haven't ended.
func (w *world) live(t *testing.T, userID string) []*sessions.Session {
	t.Helper()
	all, err := w.sessions.OfUser(t.Context(), userID)
	require.NoError(t, err)
	return all
}

// accepts reports whether a password is a person's.
func (w *world) accepts(t *testing.T, email, typed string) bool {
	t.Helper()
	account, err := directorystore.NewPeople(w.db).Account(t.Context(), email)
	require.NoError(t, err)
	ok, err := w.hasher.Verify(t.Context(), account.PasswordHash, typed)
	require.NoError(t, err)
	return ok
}

// row returns a flow as it is stored.
func (w *world) row(t *testing.T, flow string) *grants.Flow {
	t.Helper()
	row, err := grantstore.NewForSession(w.db).Flow(t.Context(), flow)
	require.NoError(t, err)
	return row
}

// log is a buffer for lines of several goroutines.
type log struct {
	mu    sync.Mutex
	lines bytes.Buffer
}

func (l *log) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.Write(p)
}

func (l *log) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.lines.String()
}

// canceled returns a context that a method ends when it is called next.
func (w *world) canceled(t *testing.T, method string) context.Context {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	w.before(method, cancel)
	return ctx
}
