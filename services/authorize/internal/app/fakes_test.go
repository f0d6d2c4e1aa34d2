package app_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/app"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/domain"
	"github.com/platform-oauth/platform-oauth/services/authorize/internal/ports"
)

const (
	ada      = "usr_ada"
	acme     = "tnt_acme"
	callback = "https://web.test/callback"
)

var (
	start   = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	errDisk = errors.New("could not extend file: no space left on device")
)

// world is an Authorizer on a real store, whose faults and lost races a test orders.
type world struct {
	*app.Authorizer
	rows     *grantstore.ForSession // what the session service does meanwhile
	codes    *codes
	flows    *flows
	sessions *signedIn
	trail    *trail
	counter  *counter
	logs     *bytes.Buffer
}

func newWorld(t *testing.T) *world {
	t.Helper()
	db := testkit.SQLite(t)
	seed(t, db)
	store := grantstore.NewForAuthorize(db)
	w := &world{
		rows:     grantstore.NewForSession(db),
		codes:    &codes{Codes: store},
		flows:    &flows{Flows: store},
		sessions: &signedIn{},
		trail:    &trail{},
		counter:  &counter{},
		logs:     &bytes.Buffer{},
	}
	now := func() time.Time { return start }

	w.Authorizer = &app.Authorizer{Config: app.Config{
		Applications: appcache.New(registry{}, appcache.Options{Now: now}),
		People:       directorystore.NewPeople(db),
		Sessions:     w.sessions,
		Flows:        w.flows,
		Posted:       store,
		Codes:        w.codes,
		Trail:        w.trail,
		Starts: &limits.Starts{
			Counter: w.counter,
			Secret:  []byte("secret"),
			Most:    60,
			Window:  time.Hour,
		},
		Hints:       signing.NewRing(signing.RingOptions{Schedule: signingtest.NewSchedule(), Now: now}).Hints(),
		Issuer:      "https://id.test",
		SessionIdle: 12 * time.Hour,
		CodeTTL:     time.Minute,
		Now:         now,
		Random:      rand.Reader,
		Logger:      slog.New(slog.NewTextHandler(w.logs, nil)),
	}}

	return w
}

func seed(t *testing.T, db *database.DB) {
	t.Helper()
	require.NoError(t, directorystore.NewOperator(db).Tx(t.Context(), func(op *directorystore.Writer) error {
		require.NoError(t, op.SaveTenant(t.Context(), directory.Tenant{
			ID:     acme,
			Slug:   "acme",
			Name:   "Acme",
			Active: true,
		}, nil, start))

		return op.SaveUser(t.Context(), directory.User{
			ID:     ada,
			Email:  "ada@acme.test",
			Name:   "Ada",
			Active: true,
		}, []string{acme}, start)
	}))
}

// request returns a request of the registered application.
func request() *domain.Request {
	return &domain.Request{
		Access: grants.Access{ClientID: "web", Scope: oauth.Scopes{oauth.ScopeOpenID}},
		Authorization: grants.Authorization{
			RedirectURI:  callback,
			ResponseMode: oauth.ResponseModeQuery,
			State:        "state",
		},
	}
}

// browser is one that Ada is signed in in.
func browser() app.Visitor {
	return app.Visitor{Session: "session cookie", Address: netip.MustParseAddr("192.0.2.7")}
}

// decided starts a flow in a browser without a session, decides it as the session service does,
// and returns its id and what the browser holds then.
func (w *world) decided(t *testing.T, decision grants.Decision) (flow string, visitor app.Visitor) {
	t.Helper()
	visitor = browser()
	answer, err := w.Start(t.Context(), request(), app.Visitor{Address: visitor.Address})
	require.NoError(t, err)
	require.NotEmpty(t, answer.Pages)

	visitor.Browser = answer.Browser
	require.NoError(t, w.rows.Decide(t.Context(), answer.Pages, decision, "ses_1", acme, start))
	return answer.Pages, visitor
}

// registry holds one application, which belongs to the platform's operator.
type registry struct{}

func (registry) Application(_ context.Context, id string) (*directory.Application, error) {
	if id != "web" {
		return nil, directory.ErrNotFound
	}

	return &directory.Application{
		ClientID:     id,
		Type:         directory.Web,
		ScopeLevel:   directory.Global,
		Active:       true,
		FirstParty:   true,
		RedirectURIs: []string{callback},
		Grants:       []oauth.GrantType{oauth.GrantAuthorizationCode},
		Scopes:       oauth.Scopes{oauth.ScopeOpenID},
	}, nil
}

// codes is the real store, or says that the statement failed or lost its race.
type codes struct {
	ports.Codes
	fault  error
	issued []*grants.AuthorizationCode
}

func (c *codes) Issue(ctx context.Context, code *grants.AuthorizationCode) error {
	if c.fault != nil {
		return c.fault
	}

	c.issued = append(c.issued, code)
	return c.Codes.Issue(ctx, code)
}

func (c *codes) IssueFromRequest(ctx context.Context, code *grants.AuthorizationCode, now time.Time) error {
	if c.fault != nil {
		return c.fault
	}

	c.issued = append(c.issued, code)
	return c.Codes.IssueFromRequest(ctx, code, now)
}

// flows is the real store, or fails to end a flow.
type flows struct {
	ports.Flows
	consume error
	stored  int
}

func (f *flows) InsertFlow(ctx context.Context, r *grants.Flow) error {
	f.stored++
	return f.Flows.InsertFlow(ctx, r)
}

func (f *flows) Consume(ctx context.Context, id string, now time.Time) error {
	if f.consume != nil {
		return f.consume
	}
	return f.Flows.Consume(ctx, id, now)
}

// signedIn holds Ada's session, which was last used an hour ago.
type signedIn struct {
	list, touch error
	touched     []string
}

var _ ports.Sessions = (*signedIn)(nil)

func (*signedIn) ByCookie(context.Context, []byte) (*sessions.Session, error) {
	return &sessions.Session{
		ID:         "ses_1",
		UserID:     ada,
		TenantID:   acme,
		AuthTime:   start.Add(-time.Hour),
		ACR:        oauth.ACRPassword,
		AMR:        []string{"pwd"},
		LastSeenAt: start.Add(-time.Hour),
		ExpiresAt:  start.Add(time.Hour),
	}, nil
}

func (s *signedIn) OfBrowser(context.Context, []byte) ([]*sessions.Session, error) {
	return nil, s.list
}

func (*signedIn) Consented(context.Context, sessions.ConsentKey) (oauth.Scopes, error) {
	return nil, nil
}

func (s *signedIn) Touch(_ context.Context, id string, _ time.Time) error {
	s.touched = append(s.touched, id)
	return s.touch
}

// trail keeps what it is told, or fails.
type trail struct {
	fault  error
	events []audit.Event
}

var _ audit.Trail = (*trail)(nil)

func (t *trail) Record(_ context.Context, e audit.Event) error {
	if t.fault != nil {
		return t.fault
	}

	t.events = append(t.events, e)
	return nil
}

// counter counts nothing, or says until when a key is blocked.
type counter struct{ until time.Time }

func (c *counter) Take(context.Context, time.Time, ...limits.Claim) ([]limits.Taken, time.Time, error) {
	return nil, c.until, nil
}
