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
		Algorithms:   []signing.Algorithm{signing.ES256},
		Rotation:     2160 * time.Hour,
		PublishAhead: 24 * time.Hour,
		TokenTTL:     time.Hour,
	}
)

func key(kid string, generation int, activeFrom time.Time) signing.Key {
	return signing.Key{
		KID:         kid,
		Algorithm:   signing.ES256,
		Generation:  generation,
		PublishedAt: activeFrom,
		ActiveFrom:  activeFrom,
	}
}

// ahead is a key that was published before it signs.
func ahead(k signing.Key, published time.Time) signing.Key { k.PublishedAt = published; return k }

func retired(k signing.Key, at time.Time) signing.Key { k.RetireAt = at; return k }

func revoked(k signing.Key, at time.Time) signing.Key { k.RevokedAt = at; return k }

func TestPlan(t *testing.T) {
	const day = 24 * time.Hour
	first := key("first", 1, start)
	second := ahead(key("second", 2, start.Add(91*day)), start.Add(90*day))
	create := func(generation int, published, active time.Time) *domain.NewKey {
		return &domain.NewKey{
			Algorithm:   signing.ES256,
			Generation:  generation,
			PublishedAt: published,
			ActiveFrom:  active,
		}
	}

	next := func(generation int) signing.Order {
		return signing.Order{Algorithm: signing.ES256, Generation: generation}
	}
	now := func(generation int) signing.Order {
		return signing.Order{Algorithm: signing.ES256, Generation: generation, Immediate: true}
	}
	at := start.Add
	endOfFirst := second.ActiveFrom.Add(policy.Overlap())
	other := key("other", 7, start)
	other.Algorithm = signing.RS256

	for name, c := range map[string]struct {
		keys   []signing.Key
		now    time.Time
		want   domain.Plan
		orders []signing.Order
	}{
		"the very first key signs at once": {
			nil, start, domain.Plan{Create: create(1, start, start)}, nil,
		},
		"another algorithm's first key, made moments ago, changes nothing": {
			[]signing.Key{other}, start, domain.Plan{Create: create(1, start, start)}, nil,
		},
		"the first key of an algorithm that was configured later signs when every copy has it": {
			[]signing.Key{other}, at(day), domain.Plan{Create: create(1, at(day), at(day+policy.Lead()))}, nil,
		},
		"and is left alone until then": {
			[]signing.Key{other, key("first", 1, at(day+policy.Lead()))}, at(day), domain.Plan{}, nil,
		},
		"unless an operator wants it at once": {
			[]signing.Key{other, ahead(key("first", 1, at(day+policy.Lead())), at(day-time.Hour))},
			at(day),
			domain.Plan{BringForward: []domain.Moment{{KID: "first", At: at(day)}}},
			[]signing.Order{now(1)},
		},
		"a young key is left alone": {
			[]signing.Key{first}, at(90*day - time.Microsecond), domain.Plan{}, nil,
		},
		"an old key gets a successor, published ahead": {
			[]signing.Key{first}, at(90 * day), domain.Plan{Create: create(2, at(90*day), at(91*day))}, nil,
		},
		"a key with a successor gets its end": {
			[]signing.Key{first, second},
			at(90 * day),
			domain.Plan{Retire: []domain.Moment{{KID: "first", At: endOfFirst}}},
			nil,
		},
		"then nothing is left to do": {
			[]signing.Key{retired(first, endOfFirst), second}, at(90 * day), domain.Plan{}, nil,
		},
		"the age is that of the newest key": {
			[]signing.Key{retired(first, endOfFirst), second},
			second.ActiveFrom.Add(90*day - time.Microsecond),
			domain.Plan{},
			nil,
		},
		"after a long sleep one successor is enough": {
			[]signing.Key{first}, at(1000 * day), domain.Plan{Create: create(2, at(1000*day), at(1001*day))}, nil,
		},
		"a revoked key is replaced at once, and its generation is not used again": {
			[]signing.Key{revoked(first, at(day))},
			at(day),
			domain.Plan{Create: create(2, at(day), at(day+domain.Notice))},
			nil,
		},
		"a revoked key whose successor waits is replaced by that at once: verifiers know it": {
			[]signing.Key{revoked(first, at(90*day)), second},
			at(91*day - time.Hour),
			domain.Plan{BringForward: []domain.Moment{{KID: "second", At: at(91*day - time.Hour)}}},
			nil,
		},
		"an operator's order makes the next key, published ahead": {
			[]signing.Key{first}, at(day), domain.Plan{Create: create(2, at(day), at(2*day))}, []signing.Order{next(2)},
		},
		"or signing as soon as who does not know it finds it": {
			[]signing.Key{first},
			at(day),
			domain.Plan{Create: create(2, at(day), at(day+domain.Notice))},
			[]signing.Order{now(2)},
		},
		"until when there is nothing more to do": {
			[]signing.Key{retired(first, endOfFirst), ahead(key("second", 2, at(day+domain.Notice)), at(day))},
			at(day + domain.Notice/2),
			domain.Plan{},
			[]signing.Order{now(2), next(2)},
		},
		"a key that was published a moment ago is brought forward to the same": {
			[]signing.Key{retired(first, endOfFirst), ahead(key("second", 2, at(2*day)), at(day))},
			at(day + domain.Notice/2),
			domain.Plan{BringForward: []domain.Moment{{KID: "second", At: at(day + domain.Notice)}}},
			[]signing.Order{now(2)},
		},
		"and takes the key that is published already": {
			[]signing.Key{retired(first, endOfFirst), second},
			at(90*day + time.Hour),
			domain.Plan{BringForward: []domain.Moment{{KID: "second", At: at(90*day + time.Hour)}}},
			[]signing.Order{now(2)},
		},
		"also in its last moments": {
			[]signing.Key{retired(first, endOfFirst), second},
			at(91*day - time.Second),
			domain.Plan{BringForward: []domain.Moment{{KID: "second", At: at(91*day - time.Second)}}},
			[]signing.Order{now(2)},
		},
		"an order that is carried out does nothing": {
			[]signing.Key{retired(first, endOfFirst), second},
			at(92 * day),
			domain.Plan{},
			[]signing.Order{now(2), next(2), next(1)},
		},
		"nor does one whose key was revoked": {
			[]signing.Key{first, revoked(second, at(90*day))}, at(day), domain.Plan{}, []signing.Order{now(2)},
		},
		"nor one for another algorithm": {
			[]signing.Key{first}, at(day), domain.Plan{}, []signing.Order{{Algorithm: signing.RS256, Generation: 8}},
		},
		"of two orders the sooner one counts": {
			[]signing.Key{first},
			at(day),
			domain.Plan{Create: create(2, at(day), at(day+domain.Notice))},
			[]signing.Order{next(2), now(2)},
		},
		"an order for a key whose successor was revoked waits for nothing longer": {
			[]signing.Key{retired(first, endOfFirst), revoked(second, at(90*day))},
			at(90 * day),
			domain.Plan{Create: create(3, at(90*day), at(90*day+domain.Notice))},
			[]signing.Order{now(3)},
		},
		"when the successor was revoked another one comes": {
			[]signing.Key{retired(first, endOfFirst), revoked(second, at(90*day))},
			at(90 * day),
			domain.Plan{Create: create(3, at(90*day), at(91*day))},
			nil,
		},
		"when the successor was revoked late the next takes over while the old one's tokens can live out": {
			[]signing.Key{retired(first, endOfFirst), revoked(second, second.ActiveFrom)},
			second.ActiveFrom,
			domain.Plan{Create: create(3, second.ActiveFrom, second.ActiveFrom)},
			nil,
		},
		"a retired key does not sign": {
			[]signing.Key{retired(first, at(day))},
			at(day),
			domain.Plan{Create: create(2, at(day), at(day+domain.Notice))},
			nil,
		},
		"a key of a replica whose clock is a little ahead counts": {
			[]signing.Key{first}, at(-5 * time.Second), domain.Plan{}, nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			require.Equal(t, c.want, policy.Plan(signing.ES256, c.keys, c.orders, c.now))
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
			plan := policy.Plan(signing.ES256, keys, nil, now)
			for _, r := range plan.Retire {
				for i := range keys {
					if keys[i].KID == r.KID {
						require.Zero(t, keys[i].RetireAt)
						keys[i].RetireAt = r.At
					}
				}
			}

			if n := plan.Create; n != nil {
				keys = append(keys, signing.Key{
					KID:         time.Duration(n.Generation).String(),
					Algorithm:   n.Algorithm,
					Generation:  n.Generation,
					PublishedAt: n.PublishedAt,
					ActiveFrom:  n.ActiveFrom,
				})
			}
		}

		require.Equal(t, domain.Plan{}, policy.Plan(signing.ES256, keys, nil, now))
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

func TestTheTimesFollowFromHowLongAKeyIsPublishedAhead(t *testing.T) {
	for ahead, want := range map[time.Duration]struct{ cache, pause, lead, founding time.Duration }{
		24 * time.Hour:  {time.Hour, 5 * time.Second, time.Hour + 15*time.Second, 5 * time.Minute},
		2 * time.Hour:   {time.Hour, 5 * time.Second, time.Hour + 15*time.Second, 5 * time.Minute},
		time.Hour:       {30 * time.Minute, 5 * time.Second, 30*time.Minute + 15*time.Second, 5 * time.Minute},
		4 * time.Second: {2 * time.Second, time.Second, 4 * time.Second, 4 * time.Second},
		time.Second:     {500 * time.Millisecond, 250 * time.Millisecond, time.Second, time.Second},
	} {
		p := domain.Policy{PublishAhead: ahead}
		require.Equal(t, want.cache, p.CacheLifetime(), ahead)
		require.Equal(t, want.pause, p.Pause(), ahead)
		require.Equal(t, want.lead, p.Lead(), ahead)
		require.Equal(t, want.founding, p.Founding(), ahead)
		require.LessOrEqual(t, p.CacheLifetime()+p.Pause(), p.Lead(),
			"who fetches before a replica notices the key fetches again before it signs")
		require.Zero(t, p.MaxAge(start, start.Add(p.Founding())), "while first keys sign at once, the key set isn't cached")
		require.Equal(t, want.cache, p.MaxAge(start, start.Add(p.Founding()+2*p.Pause())))
	}
}

func TestAKeyIsKeptAsLongAsSomethingOfItCounts(t *testing.T) {
	const day = 24 * time.Hour
	p := policy
	p.SessionLife = 30 * day
	at := start.Add
	keys := []signing.Key{
		retired(key("retired", 1, start), at(10*day)),
		revoked(key("revoked", 2, start), at(10*day)),
		revoked(retired(key("both", 3, start), at(20*day)), at(10*day)),
		key("active", 4, start),
	}

	last := revoked(key("last", 9, start), at(10*day))
	last.Algorithm = signing.EdDSA
	keys = append(keys, last)
	kids := func(keys []signing.Key) (list []string) {
		for _, k := range keys {
			list = append(list, k.KID)
		}
		return list
	}
	for now, want := range map[time.Duration]struct{ silent, forgotten []string }{
		10*day + 5*time.Minute - 1: {nil, nil},
		10*day + 5*time.Minute:     {[]string{"retired", "revoked", "both", "last"}, nil},
		40*day - 1:                 {[]string{"retired", "revoked", "both", "last"}, nil},
		40 * day: {
			[]string{"retired", "revoked", "both", "last"}, []string{"retired", "revoked", "both"},
		},
	} {
		require.Equal(t, want.silent, kids(p.Silent(keys, at(now))), now)
		require.Equal(t, want.forgotten, kids(p.Forgotten(keys, at(now))),
			"the latest generation stays, whatever became of it")
	}
}

func TestAPolicyWithoutEndIsRefused(t *testing.T) {
	require.NoError(t, policy.Validate())
	for name, bad := range map[string]domain.Policy{
		"no rotation":         {PublishAhead: time.Hour},
		"no publishing ahead": {Rotation: time.Hour},
		"an unknown algorithm": {
			Rotation:     time.Hour,
			PublishAhead: time.Minute,
			Algorithms:   []signing.Algorithm{"HS256"},
		},
	} {
		t.Run(name, func(t *testing.T) { require.Error(t, bad.Validate()) })
	}
}
