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
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	"github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

// elsewhere is start as a server in another zone might say it, with nanoseconds
// that no column keeps.
var elsewhere = start.Add(789 * time.Nanosecond).In(time.FixedZone("UTC+5:30", 19800))

var allowed = sessions.ConsentKey{
	UserID:   "usr_ada",
	TenantID: "tnt_acme",
	ClientID: "app_web",
	Resource: "https://api.test",
}

// seed makes a person, and a session for each id, whose cookie is its id.
func seed(t *testing.T, db *database.DB, ids ...string) {
	t.Helper()
	ctx := t.Context()
	require.NoError(t, directorystore.NewOperator(db).Tx(ctx, func(w *directorystore.Writer) error {
		return errors.Join(
			w.SaveTenant(ctx, directory.Tenant{ID: allowed.TenantID, Slug: "acme"}, nil, start),
			w.SaveUser(ctx, directory.User{ID: allowed.UserID, Email: "ada@acme.test"},
				[]string{allowed.TenantID}, start),
			w.SaveApplication(ctx,
				&directory.Application{ClientID: allowed.ClientID, Type: directory.Web, ScopeLevel: directory.Global},
				start),
		)
	}))

	for _, id := range ids {
		change(t, db, `
INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
VALUES ($1, $2, $3, $4, $5, '2', '["pwd","otp"]', $5, $5, $6)`,
			id, oauth.HashSecret(id), allowed.UserID, allowed.TenantID, database.At(elsewhere),
			database.At(start.Add(time.Hour)))
	}
}

// change does to the database what the session service would have done.
func change(t *testing.T, db *database.DB, query string, args ...any) {
	t.Helper()
	_, err := db.Exec(t.Context(), "test.change", query, args...)
	require.NoError(t, err)
}

func session(id string) *sessions.Session {
	return &sessions.Session{
		ID:         id,
		UserID:     allowed.UserID,
		TenantID:   allowed.TenantID,
		AuthTime:   start,
		ACR:        oauth.ACRTwoFactors,
		AMR:        []string{"pwd", "otp"},
		CreatedAt:  start,
		LastSeenAt: start,
		ExpiresAt:  start.Add(time.Hour),
	}
}

func TestASessionIsFoundByItsCookieAndById(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db, "ses_1", "ses_2")
		store := sqlstore.New(db)
		got, err := store.ByCookie(t.Context(), oauth.HashSecret("ses_1"))
		require.NoError(t, err)
		want := session("ses_1")
		want.Proof = oauth.HashSecret("ses_1")
		require.Equal(t, want, got)
		got, err = store.Session(t.Context(), "ses_2")
		require.NoError(t, err)
		require.Equal(t, session("ses_2"), got)

		for _, hash := range [][]byte{oauth.HashSecret("another"), []byte("ses_1"), {}, nil} {
			_, err = store.ByCookie(t.Context(), hash)
			require.ErrorIs(t, err, sessions.ErrNotFound)
		}

		for _, id := range []string{"ses_3", "", "SES_1"} {
			_, err = store.Session(t.Context(), id)
			require.ErrorIs(t, err, sessions.ErrNotFound)
		}
	})
}

func TestASessionIsFoundInWhateverStateItIs(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db, "ses_1")
		change(t, db, `UPDATE sessions SET ended_at = $1, tenant_id = ''`, database.At(elsewhere))
		want := session("ses_1")
		want.EndedAt, want.TenantID, want.Proof = start, "", oauth.HashSecret("ses_1")
		got, err := sqlstore.New(db).ByCookie(t.Context(), oauth.HashSecret("ses_1"))
		require.NoError(t, err)
		require.Equal(t, want, got)
	})
}

func TestConsentBelongsToPersonTenantApplicationAndResource(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db)
		change(t, db,
			`INSERT INTO consents (user_id, tenant_id, client_id, resource, scope, updated_at) VALUES ($1, $2, $3, $4, 'openid email', $5)`,
			allowed.UserID, allowed.TenantID, allowed.ClientID, allowed.Resource, database.At(start))
		store := sqlstore.New(db)
		got, err := store.Consented(t.Context(), allowed)
		require.NoError(t, err)
		require.Equal(t, oauth.Scopes{"openid", "email"}, got)

		for name, alter := range map[string]func(*sessions.ConsentKey){
			"another person":      func(k *sessions.ConsentKey) { k.UserID = "usr_bob" },
			"another tenant":      func(k *sessions.ConsentKey) { k.TenantID = "tnt_bolt" },
			"another application": func(k *sessions.ConsentKey) { k.ClientID = "app_other" },
			"no resource":         func(k *sessions.ConsentKey) { k.Resource = "" },
		} {
			key := allowed
			alter(&key)
			got, err = store.Consented(t.Context(), key)
			require.NoError(t, err, name)
			require.Empty(t, got, name)
		}
	})
}

func TestTimeOnlyMovesForwardForASession(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db, "ses_1", "ses_2")
		store := sqlstore.New(db)
		var done sync.WaitGroup
		for i := range 50 {
			done.Go(func() {
				require.NoError(t, store.Touch(t.Context(), "ses_1", elsewhere.Add(time.Duration(i)*time.Minute)))
			})
		}

		done.Wait()
		require.NoError(t, store.Touch(t.Context(), "ses_1", start))
		require.NoError(t, store.Touch(t.Context(), "ses_none", start))
		want := session("ses_1")
		want.LastSeenAt = start.Add(49 * time.Minute)
		got, err := store.Session(t.Context(), "ses_1")
		require.NoError(t, err)
		require.Equal(t, want, got)
		got, err = store.Session(t.Context(), "ses_2")
		require.NoError(t, err)
		require.Equal(t, session("ses_2"), got)
	})
}

func TestAnEndedSessionIsNotTouched(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db, "ses_1")
		change(t, db, `UPDATE sessions SET ended_at = $1`, database.At(start))
		require.NoError(t, sqlstore.New(db).Touch(t.Context(), "ses_1", start.Add(time.Minute)))
		got, err := sqlstore.New(db).Session(t.Context(), "ses_1")
		require.NoError(t, err)
		require.Equal(t, start, got.LastSeenAt)
	})
}

func TestTheCallerHearsThatItWentAway(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db, "ses_1")
		store := sqlstore.New(db)
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		_, byCookie := store.ByCookie(ctx, oauth.HashSecret("ses_1"))
		_, byID := store.Session(ctx, "ses_1")
		_, consented := store.Consented(ctx, allowed)
		touch := store.Touch(ctx, "ses_1", start.Add(time.Minute))
		for _, err := range []error{byCookie, byID, consented, touch} {
			require.ErrorIs(t, err, context.Canceled)
			var u interface{ Unavailable() bool }
			require.ErrorAs(t, err, &u)
			require.True(t, u.Unavailable())
		}

		got, err := store.Session(t.Context(), "ses_1")
		require.NoError(t, err)
		require.Equal(t, session("ses_1"), got)
	})
}

// The rights in roles.sql and the statements here must agree.
func TestEachServiceFindsSessionsAsItMay(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	seed(t, testkit.OpenPostgres(t, url), "ses_1")
	hash := oauth.HashSecret("ses_1")

	type may struct{ byCookie, ofBrowser, list, touch, consents bool }
	for group, want := range map[string]may{
		"platform_session":   {true, true, true, true, true},
		"platform_authorize": {true, true, false, true, true},
		"platform_device":    {true, false, false, false, true},
		"platform_token":     {false, false, false, false, true},
		"platform_keys":      {},
		"platform_operator":  {false, false, true, false, true},
	} {
		store := sqlstore.New(testkit.OpenPostgres(t, server.LoginURL(t, url, group)))
		_, byCookie := store.ByCookie(t.Context(), hash)
		_, ofBrowser := store.OfBrowser(t.Context(), hash)
		_, byID := store.Session(t.Context(), "ses_1")
		_, ofUser := store.OfUser(t.Context(), allowed.UserID)
		touch := store.Touch(t.Context(), "ses_1", start.Add(time.Minute))
		_, consented := store.Consented(t.Context(), allowed)

		for _, tt := range []struct {
			call string
			err  error
			may  bool
		}{
			{"ByCookie", byCookie, want.byCookie},
			{"OfBrowser", ofBrowser, want.ofBrowser},
			{"Session", byID, want.list},
			{"OfUser", ofUser, want.list},
			{"Touch", touch, want.touch},
			{"Consented", consented, want.consents},
		} {
			if tt.may {
				require.NoError(t, tt.err, "%s as %s", tt.call, group)
			} else {
				require.ErrorContains(t, tt.err, "permission denied", "%s as %s", tt.call, group)
			}
		}
	}
}

func TestTheSessionsOfABrowserAndOfAPersonAreListedLastUsedFirst(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		seed(t, db, "ses_1", "ses_2", "ses_3", "ses_4")
		browser := oauth.HashSecret("browser")
		change(t, db,
			`UPDATE sessions SET browser_hash = $1, user_agent = 'agent', address = '192.0.2.1' WHERE id <> 'ses_4'`,
			browser)
		change(t, db, `UPDATE sessions SET last_seen_at = $1 WHERE id = 'ses_2'`, database.At(start.Add(time.Minute)))
		change(t, db, `UPDATE sessions SET ended_at = $1 WHERE id = 'ses_3'`, database.At(start))
		store := sqlstore.New(db)
		names := func(found []*sessions.Session, err error) (ids []string) {
			require.NoError(t, err)
			for _, s := range found {
				ids = append(ids, s.ID)
			}
			return ids
		}

		require.Equal(t, []string{"ses_2", "ses_1"}, names(store.OfBrowser(t.Context(), browser)))
		require.Equal(t, []string{"ses_2", "ses_1", "ses_4"}, names(store.OfUser(t.Context(), allowed.UserID)))
		require.Empty(t, names(store.OfBrowser(t.Context(), nil)), "without a hash there is no session")
		require.Empty(t, names(store.OfBrowser(t.Context(), oauth.HashSecret("another"))))
		require.Empty(t, names(store.OfUser(t.Context(), "usr_unknown")))

		one, err := store.Session(t.Context(), "ses_1")
		require.NoError(t, err)
		want := session("ses_1")
		want.UserAgent, want.Address = "agent", "192.0.2.1"
		require.Equal(t, want, one, "not found by a cookie")

		listed, err := store.OfBrowser(t.Context(), browser)
		require.NoError(t, err)
		want.Proof = browser
		require.Equal(t, want, listed[1])
	})
}
