package manifest_test

import (
	"context"
	"crypto/rand"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// meanwhile does something when randomness is first asked for.
type meanwhile struct {
	once sync.Once
	do   func()
}

func (m *meanwhile) Read(p []byte) (int, error) {
	m.once.Do(m.do)
	return io.ReadFull(rand.Reader, p)
}

// TestPasswordsAreHashedBeforeTheTransaction has another operator work while the
// first one's new passwords are hashed: neither waits for the other, and the last one wins.
func TestPasswordsAreHashedBeforeTheTransaction(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		o := newOperator(t, db)
		const kept = "users:\n  - {email: ada@acme.test, password: correct horse}\n"
		o.apply(kept)
		ada := o.state().Users[0]
		other := func() {
			ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second) // if it had to wait, it would for ever
			defer cancel()
			doc, err := manifest.Parse("other.yaml",
				strings.NewReader("users:\n  - {email: ada@acme.test, password: of another}\n"))
			if err == nil {
				_, err = manifest.Apply(ctx, db, doc,
					manifest.ApplyOptions{Rules: public, Now: o.clock.Now, Random: rand.Reader})
			}

			require.NoError(t, err)
		}

		o.apply(kept+"  - {email: BOB@acme.test, password: battery staple}\n",
			func(opts *manifest.ApplyOptions) { opts.Random = &meanwhile{do: other} })

		hasher, err := password.New(password.Options{})
		require.NoError(t, err)
		users := o.state().Users
		require.Len(t, users, 2)

		for i, want := range []string{"correct horse", "battery staple"} {
			ok, err := hasher.Verify(t.Context(), users[i].PasswordHash, want)
			require.NoError(t, err)
			require.True(t, ok, users[i].Email)
		}

		require.Equal(t, ada.ID, users[0].ID)
	})
}
