package sqlstore_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// racers is how many goroutines want the same thing at once.
const racers = 50

var flowStart = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// bornElsewhere is flowStart as a server in another zone might say it, with
// nanoseconds that no column keeps.
var bornElsewhere = flowStart.Add(789 * time.Nanosecond).In(time.FixedZone("UTC+5:30", 19800))

var (
	flowTenant = directory.Tenant{
		ID:     "tnt_acme",
		Slug:   "acme",
		Name:   "Acme",
		Active: true,
	}
	flowUser = directory.User{
		ID:            "usr_ada",
		Email:         "ada@acme.test",
		EmailVerified: true,
		Name:          "Ada Lovelace",
		GivenName:     "Ada",
		FamilyName:    "Lovelace",
		Claims:        map[string]any{"locale": "en"},
		Active:        true,
		UpdatedAt:     flowStart,
	}
)

// cookieHash is the hash of the cookie of session ses_1.
var cookieHash = oauth.HashSecret("cookie")

// seedPeople makes a person in a tenant, signed in by session ses_1 for an hour.
func seedPeople(t testing.TB, db *database.DB) {
	t.Helper()
	require.NoError(t, directorystore.NewOperator(db).Tx(t.Context(), func(w *directorystore.Writer) error {
		return errors.Join(
			w.SaveTenant(t.Context(), flowTenant, nil, flowStart),
			w.SaveUser(t.Context(), flowUser, []string{flowTenant.ID}, flowStart),
			saveApplications(t.Context(), w, "app_web", "app_tv", "tv"),
		)
	}))

	const insert = `
INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
VALUES ('ses_1', $1, $2, $3, $4, '1', '["pwd"]', $4, $4, $5)`
	change(t, db, insert, cookieHash, flowUser.ID, flowTenant.ID, database.At(flowStart),
		database.At(flowStart.Add(time.Hour)))
}

// saveApplications makes applications of which only the ids matter.
func saveApplications(ctx context.Context, w *directorystore.Writer, ids ...string) error {
	for _, id := range ids {
		app := &directory.Application{ClientID: id, Type: directory.Web, ScopeLevel: directory.Global}
		if err := w.SaveApplication(ctx, app, flowStart); err != nil {
			return err
		}
	}
	return nil
}

// change does to the database what another service would have done.
func change(t testing.TB, db *database.DB, query string, args ...any) {
	t.Helper()
	_, err := db.Exec(t.Context(), "test.change", query, args...)
	require.NoError(t, err)
}

// empty removes every row that a test of this package makes.
func empty(t *testing.T, db *database.DB) {
	t.Helper()
	for _, table := range []string{
		"authorization_requests", "authorization_codes", "grants", "refresh_tokens", "revoked_tokens", "sessions",
		"memberships", "users", "tenants", "applications", "access_ends",
	} {
		change(t, db, `DELETE FROM `+table)
	}
}

func count(t *testing.T, db *database.DB, table string) (n int) {
	t.Helper()
	require.NoError(t, db.Get(t.Context(), "test.count", &n, `SELECT count(*) FROM `+table))
	return n
}

func newRequest(id string) *grants.Flow {
	maxAge := 0
	return &grants.Flow{
		ID:          id,
		Kind:        grants.KindAuthorize,
		BrowserHash: oauth.HashSecret("browser"),
		UILocales:   "de en",
		CreatedAt:   flowStart,
		ExpiresAt:   flowStart.Add(30 * time.Minute),
		Access: grants.Access{
			ClientID: "app_web",
			Scope:    oauth.Scopes{"openid", "email"},
			Resource: "https://api.test",
		},
		Wishes: grants.Wishes{
			Prompt:      oauth.Prompt{"login", "consent"},
			MaxAge:      &maxAge,
			LoginHint:   "ada@acme.test",
			ACRValues:   "2 1",
			HintSubject: "usr_ada",
		},
		Authorize: &grants.Authorization{
			RedirectURI:   "https://app.test/cb?a=1",
			ResponseMode:  oauth.ResponseModeFormPost,
			State:         "st\"ate ü",
			Nonce:         "n",
			CodeChallenge: "c",
		},
	}
}

func newCode(secret, requestID string) *grants.AuthorizationCode {
	return &grants.AuthorizationCode{
		Hash:          oauth.HashSecret(secret),
		RequestID:     requestID,
		ClientID:      "app_web",
		RedirectURI:   "https://app.test/cb",
		CodeChallenge: "c",
		Scope:         oauth.Scopes{"openid", "email"},
		Nonce:         "n",
		Resource:      "https://api.test",
		GrantID:       "grt_" + secret,
		Offline:       true,
		UserID:        flowUser.ID,
		TenantID:      flowTenant.ID,
		SessionID:     "ses_1",
		AuthTime:      flowStart.Add(-time.Minute),
		ACR:           oauth.ACRPassword,
		AMR:           []string{oauth.AMRPassword},
		CreatedAt:     flowStart,
		ExpiresAt:     flowStart.Add(time.Minute),
	}
}

func grantOf(c *grants.AuthorizationCode) grants.Grant {
	return grants.Grant{
		ID:        c.GrantID,
		ClientID:  c.ClientID,
		UserID:    c.UserID,
		TenantID:  c.TenantID,
		SessionID: c.SessionID,
		Scope:     c.Scope,
		Resource:  c.Resource,
		Offline:   c.Offline,
		AuthTime:  c.AuthTime,
		ACR:       c.ACR,
		AMR:       c.AMR,
		CreatedAt: flowStart,
	}
}

// race starts n calls at the same moment and counts what they answered.
func race(n int, f func(i int) error) (none int, failed []error) {
	errs := make([]error, n)
	gate := make(chan struct{})
	var done sync.WaitGroup
	for i := range n {
		done.Go(func() {
			<-gate
			errs[i] = f(i)
		})
	}

	close(gate)
	done.Wait()

	for _, err := range errs {
		if err == nil {
			none++
		} else {
			failed = append(failed, err)
		}
	}

	return none, failed
}

// requireOneWinner runs f in many goroutines: one succeeds, all others hear that
// somebody was first.
func requireOneWinner(t *testing.T, f func(i int) error) {
	t.Helper()
	winners, losers := race(racers, f)
	require.Equal(t, 1, winners)
	for _, err := range losers {
		require.ErrorIs(t, err, grants.ErrConsumed)
	}
}

// requireCanceled calls every method with a context that is over: each says so,
// and that it is worth another try.
func requireCanceled(t *testing.T, calls map[string]func(ctx context.Context) error) {
	t.Helper()
	ctx, cancel := context.WithCancel(t.Context())
	cancel()

	for name, call := range calls {
		err := call(ctx)
		require.ErrorIs(t, err, context.Canceled, name)
		var u interface{ Unavailable() bool }
		require.ErrorAs(t, err, &u, name)
		require.True(t, u.Unavailable(), name)
	}
}
