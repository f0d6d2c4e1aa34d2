package sqlstore_test

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/ending"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/sessions"
	sessionstore "github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// contenders is how many requests are under way while access ends.
const contenders = 24

// use lets an application collect an offline grant in a session, as far as it gets.
func use(t *testing.T, db *database.DB, s *sessions.Session, cookieHash []byte) {
	code := &grants.AuthorizationCode{
		Hash:         []byte("code of " + s.ID),
		ClientID:     "app_1",
		GrantID:      "gnt_" + s.ID,
		Offline:      true,
		UserID:       s.UserID,
		TenantID:     s.TenantID,
		SessionID:    s.ID,
		SessionProof: cookieHash,
		AuthTime:     s.AuthTime,
		ACR:          s.ACR,
		AMR:          s.AMR,
		CreatedAt:    at,
		ExpiresAt:    at.Add(time.Minute),
	}
	if grantstore.NewForAuthorize(db).Issue(t.Context(), code) != nil {
		return
	}

	_ = grantstore.NewForToken(db).Redeem(t.Context(), code.Hash, grants.Grant{
		ID:        code.GrantID,
		ClientID:  code.ClientID,
		UserID:    code.UserID,
		TenantID:  code.TenantID,
		SessionID: code.SessionID,
		Offline:   true,
		AuthTime:  code.AuthTime,
		ACR:       code.ACR,
		AMR:       code.AMR,
		CreatedAt: at,
	}, nil, at.Add(time.Hour), at)
}

// requireNothingOld fails if a session or grant lives although its person authenticated
// before the end. Those from after it live.
func requireNothingOld(t *testing.T, db *database.DB, cookies map[string][]byte, current int64) (alive int) {
	t.Helper()
	for id, hash := range cookies {
		s, err := sessionstore.New(db).ByCookie(t.Context(), hash)
		if err != nil {
			require.ErrorIs(t, err, sessions.ErrNotFound, id)
			continue
		}

		fresh := s.PersonEnds == current
		require.Equal(t, fresh, s.Authenticated(at, time.Hour), "session %s: %+v", id, s)
		standing, err := grantstore.NewForToken(db).Standing(t.Context(), "gnt_"+id, nil, at)
		if err == nil {
			require.Equal(t, fresh, standing.Live(), "grant of %s", id)
		} else {
			require.ErrorIs(t, err, grants.ErrNotFound, id)
		}

		if fresh {
			alive++
		}
	}
	return alive
}

// together runs every request on one of two replicas while the person's access ends on the
// other, and returns when all are done.
func together(t *testing.T, one, other *database.DB, request func(db *database.DB, i int)) {
	t.Helper()
	begin := make(chan struct{})
	var racing sync.WaitGroup
	for i := range contenders {
		racing.Go(func() {
			<-begin
			request([2]*database.DB{one, other}[i%2], i)
		})
	}

	racing.Go(func() {
		<-begin
		err := end(t.Context(), other, ending.Access{UserID: "usr_1"}, at)
		assert.NoError(t, err)
	})

	close(begin)
	racing.Wait()
}

// A sign-in counts from the moment its password is checked: one whose account was read
// before the end is over with it, whenever its session is written.
func TestASignInUnderWayDoesNotOutliveTheEnd(t *testing.T) {
	testkit.OnTwoReplicas(t, func(t *testing.T, one, other *database.DB) {
		seeded(t, one)
		before, err := directorystore.NewPeople(one).Account(t.Context(), "ada@acme.test")
		require.NoError(t, err)

		cookies := map[string][]byte{}
		for i := range contenders {
			cookies[fmt.Sprint("ses_", i)] = []byte(fmt.Sprint("cookie ", i))
		}

		together(t, one, other, func(db *database.DB, i int) {
			id := fmt.Sprint("ses_", i)
			account := before
			if i%3 == 0 { // its password is checked during the race
				var err error
				account, err = directorystore.NewPeople(db).Account(t.Context(), "ada@acme.test")
				if !assert.NoError(t, err) {
					return
				}
			}

			s := session(id)
			s.TenantID, s.PersonEnds = "tnt_1", account.AccessEnds
			created, err := sqlstore.New(db).Create(t.Context(), s, renewal(cookies[id]))
			if assert.NoError(t, err) && assert.True(t, created) {
				use(t, db, s, cookies[id])
			}
		})

		alive := requireNothingOld(t, one, cookies, before.AccessEnds+1)
		require.LessOrEqual(t, alive, contenders/3)

		// Afterwards she signs in as always.
		after, err := directorystore.NewPeople(other).Account(t.Context(), "ada@acme.test")
		require.NoError(t, err)
		s := session("ses_new")
		s.TenantID, s.PersonEnds = "tnt_1", after.AccessEnds
		require.NoError(t, create(t, sqlstore.New(other), s, renewal([]byte("new"))))
		use(t, other, s, []byte("new"))
		require.Equal(t, 1, requireNothingOld(t, one, map[string][]byte{"ses_new": []byte("new")}, after.AccessEnds))
	})
}

// A session that another tenant is chosen in, or that chooses its first one, keeps the
// sign-in that it came from, and is over with it.
func TestASwitchOfTenantUnderWayDoesNotOutliveTheEnd(t *testing.T) {
	testkit.OnTwoReplicas(t, func(t *testing.T, one, other *database.DB) {
		store := seeded(t, one)
		cookies := map[string][]byte{}
		for i := range contenders {
			s := session(fmt.Sprint("ses_", i))
			cookies[s.ID] = []byte("cookie of " + s.ID)
			if i%2 == 0 {
				s.TenantID = "tnt_1"
				cookies[s.ID+"_next"] = []byte("cookie of " + s.ID + "_next")
			}
			require.NoError(t, create(t, store, s, renewal(cookies[s.ID])))
		}

		together(t, one, other, func(db *database.DB, i int) {
			old, err := sessionstore.New(db).ByCookie(t.Context(), cookies[fmt.Sprint("ses_", i)])
			if !assert.NoError(t, err) {
				return
			}

			if old.TenantID == "" {
				_, err = sqlstore.New(db).ChooseTenant(t.Context(), old.ID, "tnt_1")
				assert.NoError(t, err)
				old.TenantID = "tnt_1"
				use(t, db, old, old.Proof)
				return
			}

			next := *old
			next.ID = old.ID + "_next"
			_, err = sqlstore.New(db).Create(t.Context(), &next, ports.Renewal{
				Old:  ports.CookieHashes{Session: old.Proof},
				New:  ports.CookieHashes{Session: cookies[next.ID]},
				Ends: []string{old.ID},
				At:   at,
			})
			assert.NoError(t, err)
			use(t, db, &next, cookies[next.ID])
		})

		require.Zero(t, requireNothingOld(t, one, cookies, 1), "all of it is from before the end")
	})
}

// end ends access as a command does.
func end(ctx context.Context, db *database.DB, a ending.Access, at time.Time) error {
	err := db.TxAgain(ctx, "ending.mark", func(tx *database.Tx) error { return ending.Mark(ctx, tx, a) })
	if err != nil {
		return err
	}

	_, err = ending.Finish(ctx, db, at)
	return err
}
