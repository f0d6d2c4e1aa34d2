package ending_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// queued are the waiting notices, each with the sid of its logout token.
const queued = `SELECT id || ' sid=' || session_id FROM logout_outbox ORDER BY id`

// sessionsOver are the ways in which an offline grant outlives its session.
var sessionsOver = map[string]func(t *testing.T, db *database.DB, id string){
	"has been removed": func(t *testing.T, db *database.DB, id string) {
		t.Helper()
		change(t, db, `DELETE FROM grants WHERE session_id = $1 AND NOT offline`, id)
		change(t, db, `DELETE FROM sessions WHERE id = $1`, id)
	},
	"ended before": func(t *testing.T, db *database.DB, id string) {
		t.Helper()
		require.NoError(t, db.Tx(t.Context(), "test.end", func(tx *database.Tx) error {
			ended, err := sessionstore.End(t.Context(), tx, id, start.Add(-time.Minute))
			require.True(t, ended)
			return err
		}))
		change(t, db, `DELETE FROM logout_outbox`) // as once they are delivered
	},
}

// An offline grant lives for months after its session, whose row is removed a week after it
// expired. OpenID Connect Back-Channel Logout 1.0 2.4: without a session the token has sub.
func TestAnApplicationIsToldOfAccessThatOutlivedItsSession(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		end := func(a ending.Access) func(t *testing.T) int {
			return func(t *testing.T) int {
				t.Helper()
				ended, err := ending.End(t.Context(), db, a, start)
				require.NoError(t, err)
				return ended.Notices
			}
		}

		for name, tt := range map[string]struct {
			over []string // the sessions
			end  func(t *testing.T) int
			want []string
		}{
			"all access of a person, one notice for each application": {
				over: []string{"ada.acme", "ada.bolt"},
				end:  end(ending.Access{UserID: "ada"}),
				want: []string{"ada:cli sid=", "ada:web sid="},
			},
			"all access of a person who has another session": {
				over: []string{"ada.acme"},
				end:  end(ending.Access{UserID: "ada"}),
				want: []string{
					"ada.bolt:cli sid=ada.bolt", "ada.bolt:web sid=ada.bolt", "ada:cli sid=", "ada:web sid=",
				},
			},
			"a tenant's, while the application keeps its access in another": {
				over: []string{"ada.acme"},
				end:  end(ending.Access{UserID: "ada", TenantID: "acme"}),
				want: []string{"ada.acme:cli sid=ada.acme", "ada.acme:web sid=ada.acme"},
			},
			"an application's": {
				over: []string{"ada.acme", "ada.bolt", "bob.acme", "bob.bolt"},
				end:  end(ending.Access{ClientID: "web"}),
				want: []string{"ada:web sid=", "bob:web sid="},
			},
			"a withdrawal": {
				over: []string{"ada.acme", "ada.bolt"},
				end: func(t *testing.T) int {
					t.Helper()
					return withdraw(t, db, ending.Withdrawal{UserID: "ada", TenantID: "acme", ClientID: "web"}).Notices +
						withdraw(t, db, ending.Withdrawal{UserID: "ada", TenantID: "bolt", ClientID: "web"}).Notices
				},
				want: []string{"ada.acme:web sid=ada.acme", "ada:web sid="},
			},
		} {
			for how, over := range sessionsOver {
				t.Run(name+", where a session "+how, func(t *testing.T) {
					emptied(t, db)
					populate(t, db)
					for _, id := range tt.over {
						over(t, db, id)
					}

					require.Equal(t, len(tt.want), tt.end(t))
					require.Equal(t, tt.want, ids(t, db, queued))
				})
			}
		}
	})
}

// Grants that have expired or ended, but aren't marked or removed yet, are not access that an
// application keeps.
func TestDeadGrantsDoNotKeepANoticeFromThePerson(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		for name, dies := range map[string]string{
			"expired": `UPDATE grants SET expires_at = created_at WHERE tenant_id = 'bolt'`,
			"ended":   `UPDATE tenants SET disabled_at = updated_at WHERE id = 'bolt'`,
		} {
			t.Run(name, func(t *testing.T) {
				emptied(t, db)
				populate(t, db)
				sessionsOver["has been removed"](t, db, "ada.acme")
				change(t, db, dies)

				require.Equal(t, 1, withdraw(t, db, adasWeb).Notices)
				require.Equal(t, []string{"ada:web sid="}, ids(t, db, queued))
			})
		}
	})
}
