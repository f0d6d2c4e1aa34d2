package token_test

import (
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestTheTrailTellsOfEachGrantWhatWasAllowedToWhom(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		w := newWorld(t, db)
		p := w.person(t)
		w.redeemed(t, p, nil)
		device := w.device(t, p, "approved", nil)
		w.post(t, poll(device))

		records, err := auditstore.Read(t.Context(), db, audit.Filter{User: p.user.ID})
		require.NoError(t, err)
		require.Len(t, records, 2)
		flows := map[string]bool{}
		for _, r := range records {
			flows[r.Detail["flow"]] = true
			require.Equal(t, audit.GrantCreated, r.Kind)
			require.NotEmpty(t, r.Detail["scope"])
			require.NotEmpty(t, r.GrantID)
		}

		require.Equal(t, map[string]bool{"code": true, "device": true}, flows)
	})
}
