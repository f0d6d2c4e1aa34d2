package domain_test

import (
	"math/rand/v2"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/keys/internal/domain"
)

var (
	start  = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	policy = domain.Policy{
		Algorithms: []signing.Algorithm{signing.ES256}, Rotation: 2160 * time.Hour, PublishAhead: 24 * time.Hour, TokenTTL: time.Hour,
	}
)

func key(kid string, generation int, activeFrom time.Time) signing.Key {
	return signing.Key{KID: kid, Algorithm: signing.ES256, Generation: generation, PublishedAt: activeFrom, ActiveFrom: activeFrom}
}

func retired(k signing.Key, at time.Time) signing.Key { k.RetireAt = at; return k }

func revoked(k signing.Key, at time.Time) signing.Key { k.RevokedAt = at; return k }

func TestPlan(t *testing.T) {
	const day = 24 * time.Hour
	first := key("first", 1, start)
	second := key("second", 2, start.Add(91*day))
	create := func(generation int, published, active time.Time) *domain.NewKey {
		return &domain.NewKey{Algorithm: signing.ES256, Generation: generation, PublishedAt: published, ActiveFrom: active}
	}
	at := start.Add
	endOfFirst := second.ActiveFrom.Add(policy.Overlap())
	other := key("other", 7, start)
	other.Algorithm = signing.RS256

	for name, c := range map[string]struct {
		keys []signing.Key
		now  time.Time
		want domain.Plan
	}{
		"the very first key signs at once": {
			nil, start, domain.Plan{Create: create(1, start, start)},
		},
		"another algorithm's key does not count": {
			[]signing.Key{other}, start, domain.Plan{Create: create(1, start, start)},
		},
		"a young key is left alone": {
			[]signing.Key{first}, at(90*day - time.Microsecond), domain.Plan{},
		},
		"an old key gets a successor, published ahead": {
			[]signing.Key{first}, at(90 * day), domain.Plan{Create: create(2, at(90*day), at(91*day))},
		},
		"a key with a successor gets its end": {
			[]signing.Key{first, second}, at(90 * day), domain.Plan{Retire: []domain.Retirement{{KID: "first", At: endOfFirst}}},
		},
		"then nothing is left to do": {
			[]signing.Key{retired(first, endOfFirst), second}, at(90 * day), domain.Plan{},
		},
		"the age is that of the newest key": {
			[]signing.Key{retired(first, endOfFirst), second}, second.ActiveFrom.Add(90*day - time.Microsecond), domain.Plan{},
		},
		"after a long sleep one successor is enough": {
			[]signing.Key{first}, at(1000 * day), domain.Plan{Create: create(2, at(1000*day), at(1001*day))},
		},
		"a revoked key is replaced at once, and its generation is not used again": {
			[]signing.Key{revoked(first, at(day))}, at(day), domain.Plan{Create: create(2, at(day), at(day))},
		},
		"a revoked key whose successor waits is replaced at once too": {
			[]signing.Key{revoked(first, at(90*day)), second}, at(90 * day), domain.Plan{Create: create(3, at(90*day), at(90*day))},
		},
		"when the successor was revoked another one comes": {
			[]signing.Key{retired(first, endOfFirst), revoked(second, at(90*day))},
			at(90 * day),
			domain.Plan{Create: create(3, at(90*day), at(91*day))},
		},
		"when the successor was revoked late the next takes over while the old one's tokens can live out": {
			[]signing.Key{retired(first, endOfFirst), revoked(second, second.ActiveFrom)},
			second.ActiveFrom,
			domain.Plan{Create: create(3, second.ActiveFrom, second.ActiveFrom)},
		},
		"a retired key does not sign": {
			[]signing.Key{retired(first, at(day))}, at(day), domain.Plan{Create: create(2, at(day), at(day))},
		},
		"a key of a replica whose clock is a little ahead counts": {
			[]signing.Key{first}, at(-5 * time.Second), domain.Plan{},
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, policy.Plan(signing.ES256, c.keys, c.now))
		})
	}
}

// Two years of a replica that looks now and then, sometimes not for weeks: some
// key always signs, a new one is published ahead, and an old one stays until the
// last token it can have signed has expired.
func TestRotationHasNoGap(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	var keys []signing.Key
	for now := start; now.Before(start.Add(2 * 365 * 24 * time.Hour)); now = now.Add(pause(random)) {
		for range 3 {
			plan := policy.Plan(signing.ES256, keys, now)
			for _, r := range plan.Retire {
				for i := range keys {
					if keys[i].KID == r.KID {
						require.Zero(t, keys[i].RetireAt)
						keys[i].RetireAt = r.At
					}
				}
			}
			if n := plan.Create; n != nil {
				keys = append(keys, signing.Key{KID: time.Duration(n.Generation).String(), Algorithm: n.Algorithm, Generation: n.Generation, PublishedAt: n.PublishedAt, ActiveFrom: n.ActiveFrom})
			}
		}
		require.Equal(t, domain.Plan{}, policy.Plan(signing.ES256, keys, now))
	}
	require.Greater(t, len(keys), 6)
	require.Less(t, len(keys), 10)
	for i, k := range keys[1:] {
		former := keys[i]
		require.Equal(t, policy.PublishAhead, k.ActiveFrom.Sub(k.PublishedAt))
		require.GreaterOrEqual(t, k.PublishedAt.Sub(former.ActiveFrom), policy.Rotation)
		require.GreaterOrEqual(t, former.RetireAt.Sub(k.ActiveFrom), policy.TokenTTL+policy.CacheLifetime())
	}
}

func pause(random *rand.Rand) time.Duration {
	if random.IntN(50) == 0 {
		return time.Duration(random.IntN(30*24)) * time.Hour
	}
	return time.Duration(1+random.IntN(8*60)) * time.Minute
}

func TestTheCacheLifetimeIsHalfOfPublishingAheadAtMost(t *testing.T) {
	for ahead, want := range map[time.Duration]time.Duration{
		24 * time.Hour: time.Hour, 2 * time.Hour: time.Hour, time.Hour: 30 * time.Minute, time.Second: 500 * time.Millisecond,
	} {
		require.Equal(t, want, domain.Policy{PublishAhead: ahead}.CacheLifetime())
	}
}

func TestAPolicyWithoutEndIsRefused(t *testing.T) {
	require.NoError(t, policy.Validate())
	for name, bad := range map[string]domain.Policy{
		"no rotation":          {PublishAhead: time.Hour},
		"no publishing ahead":  {Rotation: time.Hour},
		"an unknown algorithm": {Rotation: time.Hour, PublishAhead: time.Minute, Algorithms: []signing.Algorithm{"HS256"}},
	} {
		t.Run(name, func(t *testing.T) { require.Error(t, bad.Validate()) })
	}
}
