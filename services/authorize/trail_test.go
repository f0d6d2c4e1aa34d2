package authorize_test

import (
	"net/url"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestTheTrailTellsOfEachCodeForWhomItIsAndWhetherAPageWasShown(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		w.consent(ada, "web", "https://api.test", "openid profile")
		id, session := w.signIn(ada, nil)
		w.do(visit{
			session: session,
			from:    "192.0.2.44:4444",
			params:  webParams(url.Values{"scope": {"openid"}, "resource": {"https://api.test"}}),
		}).toApplication(callback + "&")

		records, err := auditstore.Read(t.Context(), db, audit.Filter{})
		require.NoError(t, err)
		require.Len(t, records, 1)
		require.Equal(t, audit.CodeIssued, records[0].Kind)
		require.Equal(t, id, records[0].SessionID)
		require.Equal(t, "web", records[0].ClientID)
		require.Equal(t, "silent", records[0].Detail["how"])
		require.Equal(t, "openid", records[0].Detail["scope"])
		require.Equal(t, "https://api.test", records[0].Detail["resource"])
		require.NotEmpty(t, records[0].GrantID)
		require.Equal(t, "192.0.2.44", records[0].Address)
		require.NotEmpty(t, records[0].Reference)
	})
}
