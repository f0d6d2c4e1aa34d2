package sqlstore_test

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

const expiredRows = 1_000_000

// BenchmarkARefreshBesideAMillionExpiredTokens rotates refresh tokens in turn in a
// database that is empty otherwise and in one where two replicas sweep a million
// expired tokens all the while, so that whatever else the machine does slows both.
func BenchmarkARefreshBesideAMillionExpiredTokens(b *testing.B) {
	empty, full := newRotator(b), newRotator(b)
	_, err := full.db.Exec(b.Context(), "bench.fill", `
INSERT INTO refresh_tokens (token_hash, grant_id, client_id, scope, created_at, expires_at, absolute_expires_at)
SELECT sha256(n::text::bytea), 'grant_' || n, 'client', 'openid', $1, $1, $1 FROM generate_series(1, $2) n`,
		database.At(flowStart.Add(-time.Hour)), expiredRows)
	require.NoError(b, err)
	_, err = full.db.Exec(b.Context(), "bench.analyze", `ANALYZE refresh_tokens`)
	require.NoError(b, err)

	var removed atomic.Int64
	ctx, stop := context.WithCancel(b.Context())
	done := make(chan error, 2)
	for range cap(done) {
		go func() {
			deps := servicekit.Deps{Now: func() time.Time { return flowStart }, Logger: testkit.Logger(b)}
			done <- servicekit.Sweep(ctx, deps,
				"tokens", func(ctx context.Context, now time.Time, batch int) (int, error) {
					n, err := full.store.DeleteExpired(ctx, now, batch)
					removed.Add(int64(n))
					return n, err
				})
		}()
	}

	began := time.Now()

	for b.Loop() {
		empty.rotate(b)
		full.rotate(b)
	}

	swept, took := removed.Load(), time.Since(began)
	stop()

	for range cap(done) {
		require.NoError(b, <-done)
	}

	require.Less(b, swept, int64(expiredRows), "the backlog must last: use a shorter -benchtime")

	for _, of := range []struct {
		name string
		at   float64
	}{{"p50", .5}, {"p99", .99}} {
		one, other := empty.percentile(of.at), full.percentile(of.at)
		b.ReportMetric(float64(one.Microseconds()), of.name+"-empty-µs")
		b.ReportMetric(float64(other.Microseconds()), of.name+"-swept-µs")
		b.ReportMetric(float64(other)/float64(one), of.name+"-ratio")
	}

	b.ReportMetric(float64(swept)/took.Seconds(), "swept/s")
}

// rotator refreshes one family over and over, as the token endpoint does.
type rotator struct {
	db    *database.DB
	store *sqlstore.ForToken
	token *grants.RefreshToken
	took  []time.Duration
}

func newRotator(b *testing.B) *rotator {
	b.Helper()
	db := testkit.Postgres(b)
	seedPeople(b, db)
	return &rotator{db: db, store: sqlstore.NewForToken(db), token: family(b, db, "first", true)}
}

func (r *rotator) rotate(b *testing.B) {
	next := rotation(r.token, fmt.Sprint("next ", len(r.took)))
	began := time.Now()
	found, err := r.store.Refreshable(b.Context(), r.token.Hash, flowStart)
	if err == nil {
		err = r.store.Rotate(b.Context(), next, flowStart)
	}

	r.took = append(r.took, time.Since(began))
	require.NoError(b, err)
	following := found.RefreshToken
	following.Hash = next.NewHash
	r.token = &following
}

func (r *rotator) percentile(p float64) time.Duration {
	slices.Sort(r.took)
	return r.took[int(p*float64(len(r.took)-1))]
}
