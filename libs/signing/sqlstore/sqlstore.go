package sqlstore

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

var _ signing.Schedule = (*Store)(nil)

// Errors.
var (
	// ErrExists is signing.ErrExists: another replica made that generation first, or the kid is
	// taken.
	ErrExists = signing.ErrExists
	// ErrNotFound is returned if there is no such key.
	ErrNotFound = errors.New("signing keys: no such key")
)

// Store is the schedule as stored in a database.
type Store struct{ db *database.DB }

// New returns a store.
func New(db *database.DB) *Store { return &Store{db: db} }

type row struct {
	KID         string                         `db:"kid"`
	Algorithm   string                         `db:"algorithm"`
	Generation  int                            `db:"generation"`
	Ref         string                         `db:"ref"`
	PublicJWK   database.JSON[json.RawMessage] `db:"public_jwk"`
	PublishedAt database.Time                  `db:"published_at"`
	ActiveFrom  database.Time                  `db:"active_from"`
	RetireAt    database.Time                  `db:"retire_at"`
	RevokedAt   database.Time                  `db:"revoked_at"`
}

// Keys returns every key, including retired and revoked ones, by algorithm and generation. It
// leaves out rows of algorithms that this version doesn't know.
func (s *Store) Keys(ctx context.Context) ([]signing.Key, error) { return keys(ctx, s.db) }

func keys(ctx context.Context, db database.Runner) ([]signing.Key, error) {
	var rows []row
	err := db.Select(ctx, "signing.keys", &rows, `
		SELECT kid, algorithm, generation, ref, public_jwk, published_at, active_from, retire_at, revoked_at
		FROM signing_keys
		ORDER BY algorithm, generation`)
	if err != nil {
		return nil, err
	}

	keys := make([]signing.Key, 0, len(rows))
	for _, r := range rows {
		if !signing.Algorithm(r.Algorithm).Known() {
			continue
		}

		key, err := r.key()
		if err != nil {
			return nil, err
		}

		keys = append(keys, key)
	}

	return keys, nil
}

func (r row) key() (signing.Key, error) {
	public, err := signing.ParsePublicJWK(r.PublicJWK.V)
	if err != nil {
		return signing.Key{}, fmt.Errorf("signing keys: row %s: %w", r.KID, err)
	}

	return signing.Key{
		KID:         r.KID,
		Algorithm:   signing.Algorithm(r.Algorithm),
		Generation:  r.Generation,
		Ref:         r.Ref,
		PublicKey:   public,
		PublishedAt: r.PublishedAt.Time,
		ActiveFrom:  r.ActiveFrom.Time,
		RetireAt:    r.RetireAt.Time,
		RevokedAt:   r.RevokedAt.Time,
	}, nil
}

// Insert adds a key. If several replicas add the same generation of an algorithm, one succeeds
// and the others get ErrExists.
func (s *Store) Insert(ctx context.Context, key signing.Key) error {
	jwk, err := signing.PublicJWK(key)
	if err != nil {
		return err
	}

	_, err = s.db.Exec(ctx, "signing.insert", `
		INSERT INTO signing_keys (kid, algorithm, generation, ref, public_jwk, published_at, active_from, retire_at, revoked_at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`,
		key.KID, string(key.Algorithm), key.Generation, key.Ref, database.JSON[json.RawMessage]{V: jwk},
		database.At(key.PublishedAt), database.At(key.ActiveFrom), database.At(key.RetireAt),
		database.At(key.RevokedAt))
	if database.Classify(ctx, err) == database.KindConflict {
		return fmt.Errorf("%w: %s %d", ErrExists, key.Algorithm, key.Generation)
	}

	return err
}

// SetRetire sets when a replaced key is withdrawn. If the key already has such a time, nothing
// changes, which isn't an error. It returns ErrNotFound if there is no such key.
func (s *Store) SetRetire(ctx context.Context, kid string, at time.Time) error {
	affected, err := s.db.Exec(ctx, "signing.set_retire",
		`UPDATE signing_keys SET retire_at = $2 WHERE kid = $1 AND retire_at IS NULL`, kid, database.At(at))
	if err != nil || affected > 0 {
		return err
	}

	var n int
	if err := s.db.Get(ctx, "signing.exists", &n, `SELECT COUNT(*) FROM signing_keys WHERE kid = $1`, kid); err != nil {
		return err
	}

	if n == 0 {
		return ErrNotFound
	}

	return nil
}

// BringForward makes a key sign from at on, if it would otherwise only sign later.
func (s *Store) BringForward(ctx context.Context, kid string, at time.Time) error {
	_, err := s.db.Exec(ctx, "signing.bring_forward",
		`UPDATE signing_keys SET active_from = $2 WHERE kid = $1 AND active_from > $2`, kid, database.At(at))
	return err
}

// Delete removes a key's row. A missing row isn't an error.
func (s *Store) Delete(ctx context.Context, kid string) error {
	_, err := s.db.Exec(ctx, "signing.delete", `DELETE FROM signing_keys WHERE kid = $1`, kid)
	return err
}

// Wanted returns the algorithms that enabled applications ask for, besides the platform's own,
// for access tokens, ID tokens and logout tokens; the latter are signed as ID tokens are
// (OpenID Connect Back-Channel Logout 2.4). It leaves out algorithms that this version doesn't
// know.
func (s *Store) Wanted(ctx context.Context) ([]signing.Algorithm, error) {
	const query = `
SELECT access_token_alg AS alg FROM applications WHERE disabled_at IS NULL AND access_token_alg <> ''
UNION SELECT id_token_alg FROM applications WHERE disabled_at IS NULL AND id_token_alg <> ''
UNION SELECT 'logout-' || id_token_alg FROM applications WHERE disabled_at IS NULL AND id_token_alg <> '' AND backchannel_logout_uri <> ''`
	var names []signing.Algorithm
	if err := s.db.Select(ctx, "applications.algorithms", &names, query); err != nil {
		return nil, err
	}
	return slices.DeleteFunc(names, func(a signing.Algorithm) bool { return !a.Known() }), nil
}
