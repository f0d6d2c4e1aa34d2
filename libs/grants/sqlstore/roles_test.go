package sqlstore_test

import (
	"errors"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// The rights in roles.sql and the statements here must agree: each store does
// everything it can do as the role of its service.
func TestEachStoreNeedsNoMoreThanItsServicesRole(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	owner := testkit.OpenPostgres(t, url)
	seedPeople(t, owner)
	as := func(group string) *database.DB { return testkit.OpenPostgres(t, server.LoginURL(t, url, group)) }
	authorize := sqlstore.NewForAuthorize(as("platform_authorize"))
	session := sqlstore.NewForSession(as("platform_session"))
	token := sqlstore.NewForToken(as("platform_token"))
	later := flowStart.Add(24 * time.Hour)

	require.NoError(t, authorize.InsertFlow(t.Context(), newRequest("flw_1")))
	require.NoError(t, authorize.InsertFlow(t.Context(), newRequest("flw_2")))
	require.NoError(t, session.Settle(t.Context(), newRequest("flw_2"), flowStart))
	require.NoError(t, session.SetLogin(t.Context(), "flw_1", "ada@acme.test", flowStart))
	require.NoError(t, session.Decide(t.Context(), "flw_1", grants.Consented, "ses_1", flowTenant.ID, flowStart))
	require.ErrorIs(t, session.Decide(t.Context(), "flw_none", grants.Denied, "", "", flowStart), grants.ErrNotFound)
	first := newCode("a", "flw_1")
	first.Offline, first.SessionProof = false, cookieHash
	require.NoError(t, authorize.IssueFromRequest(t.Context(), first, flowStart))
	require.ErrorIs(t, authorize.IssueFromRequest(t.Context(), first, flowStart), grants.ErrConsumed)
	require.NoError(t, authorize.Consume(t.Context(), "flw_2", flowStart))
	second := newCode("b", "")
	second.SessionProof = cookieHash
	require.NoError(t, authorize.Issue(t.Context(), second))

	_, err := token.Redeemable(t.Context(), first.Hash, flowStart)
	require.NoError(t, err)
	require.NoError(t, token.Redeem(t.Context(), first.Hash, grantOf(first), nil, flowStart.Add(time.Hour), flowStart))
	require.ErrorIs(t,
		token.Redeem(t.Context(), first.Hash, grantOf(first), nil, flowStart.Add(time.Hour), flowStart),
		grants.ErrConsumed)
	_, err = token.Standing(t.Context(), first.GrantID, nil, flowStart)
	require.NoError(t, err)
	revoke(t, token, first.GrantID, flowStart, true)

	n, err := authorize.DeleteExpired(t.Context(), later, time.Hour, 100)
	require.NoError(t, err)
	require.Equal(t, 4, n)
	n, err = token.DeleteExpired(t.Context(), later, 100)
	require.NoError(t, err)
	require.Equal(t, 1, n)
}

func TestAServiceCannotDoWhatIsAnothers(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	seedPeople(t, testkit.OpenPostgres(t, url))
	as := func(group string) *database.DB { return testkit.OpenPostgres(t, server.LoginURL(t, url, group)) }
	code := newCode("a", "")
	for group, calls := range map[string]map[string]func(db *database.DB) error{
		"platform_token": {
			"issue": func(db *database.DB) error { return sqlstore.NewForAuthorize(db).Issue(t.Context(), code) },
			"decide": func(db *database.DB) error {
				return sqlstore.NewForSession(db).SetLogin(t.Context(), "f", "x", flowStart)
			},
		},
		"platform_session": {
			"issue":  func(db *database.DB) error { return sqlstore.NewForAuthorize(db).Issue(t.Context(), code) },
			"redeem": func(db *database.DB) error { return redeemAs(t, db, code) },
			"consume": func(db *database.DB) error {
				return sqlstore.NewForAuthorize(db).Consume(t.Context(), "f", flowStart)
			},
		},
		"platform_authorize": {
			"redeem": func(db *database.DB) error { return redeemAs(t, db, code) },
			"decide": func(db *database.DB) error {
				return sqlstore.NewForSession(db).Decide(t.Context(), "f", grants.SignedIn, "s", "t", flowStart)
			},
			"revoke": func(db *database.DB) error {
				_, err := sqlstore.NewForToken(db).RevokeGrant(t.Context(), "g", flowStart)
				return err
			},
		},
		"platform_keys": {
			"read": func(db *database.DB) error {
				_, err := sqlstore.NewForToken(db).Standing(t.Context(), "g", nil, flowStart)
				return err
			},
		},
	} {
		db := as(group)
		for name, call := range calls {
			err := call(db)
			require.ErrorContains(t, err, "permission denied", "%s as %s", name, group)
			require.False(t, errors.Is(err, grants.ErrNotFound))
		}
	}
}

func redeemAs(t *testing.T, db *database.DB, code *grants.AuthorizationCode) error {
	t.Helper()
	return sqlstore.NewForToken(db).Redeem(t.Context(), code.Hash, grantOf(code), nil,
		flowStart.Add(time.Hour), flowStart)
}
