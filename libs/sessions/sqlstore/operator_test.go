package sqlstore_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAnOperatorFindsSessions(t *testing.T) {
	server := testkit.PostgresServer(t)
	for name, open := range map[string]func(t *testing.T) (owner, operator *database.DB){
		"sqlite": func(t *testing.T) (owner, operator *database.DB) {
			db := testkit.SQLite(t)
			return db, db
		},
		"postgres, as operator": func(t *testing.T) (owner, operator *database.DB) {
			url := server.NewDatabase(t)
			return testkit.OpenPostgres(t, url), testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_operator"))
		},
	} {
		t.Run(name, func(t *testing.T) {
			owner, operator := open(t)
			seed(t, owner, "ses_1", "ses_2", "ses_3")
			change(t, owner, `UPDATE sessions SET last_seen_at = $1 WHERE id = 'ses_2'`,
				database.At(start.Add(time.Minute)))
			change(t, owner, `UPDATE sessions SET ended_at = $1, tenant_id = '', browser_hash = $2 WHERE id = 'ses_3'`,
				database.At(start), []byte{1})
			change(t, owner,
				`INSERT INTO grants (id, client_id, user_id, tenant_id, session_id, scope, offline, created_at, expires_at)
VALUES ('gnt_1', 'app_web', 'usr_ada', 'tnt_acme', 'ses_1', 'openid', false, $1, $1)`, database.At(start))

			for name, tt := range map[string]struct {
				filter sqlstore.Filter
				want   []string
			}{
				"all":           {sqlstore.Filter{}, []string{"ses_2", "ses_1", "ses_3"}},
				"the last used": {sqlstore.Filter{Limit: 1}, []string{"ses_2"}},
				"one":           {sqlstore.Filter{ID: "ses_3"}, []string{"ses_3"}},
				"a person's": {
					sqlstore.Filter{UserID: "usr_ada", TenantID: "tnt_acme"}, []string{"ses_2", "ses_1"},
				},
				"of a person without any":   {sqlstore.Filter{UserID: "usr_bob"}, nil},
				"that gave a grant":         {sqlstore.Filter{ClientID: "app_web"}, []string{"ses_1"}},
				"that live":                 {sqlstore.Filter{LiveAt: start}, []string{"ses_2", "ses_1"}},
				"that will not have lapsed": {sqlstore.Filter{LiveAt: start.Add(time.Hour)}, nil},
				"that are not idle":         {sqlstore.Filter{LiveAt: start, SeenAfter: start}, []string{"ses_2"}},
			} {
				t.Run(name, func(t *testing.T) {
					found, err := sqlstore.Find(t.Context(), operator, tt.filter)
					require.NoError(t, err)
					var ids []string
					for _, f := range found {
						require.Equal(t, "ada@acme.test", f.Email)
						require.Nil(t, f.Proof)
						ids = append(ids, f.ID)
					}

					require.Equal(t, tt.want, ids)
				})
			}

			found, err := sqlstore.Find(t.Context(), operator, sqlstore.Filter{ID: "ses_1"})
			require.NoError(t, err)
			require.Equal(t,
				[]sqlstore.Found{{Session: session("ses_1"), Email: "ada@acme.test", Tenant: "acme"}}, found)

			require.NoError(t, operator.Tx(t.Context(), "test.end", func(tx *database.Tx) error {
				ended, err := sqlstore.End(t.Context(), tx, "ses_1", start)
				require.True(t, ended)
				return err
			}))
		})
	}
}
