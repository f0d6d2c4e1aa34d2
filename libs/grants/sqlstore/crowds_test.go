package sqlstore_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// crowds is an application of whose codes only a few may wait, with devices in many networks.
type crowds struct {
	t     *testing.T
	db    *database.DB
	store *sqlstore.ForDevice
	most  int
	asked int
}

// ask requests a code from an address, and reports whether there was room for it.
func (c *crowds) ask(address, network string) bool {
	c.t.Helper()
	c.asked++
	now := deviceNow.Add(time.Duration(c.asked) * time.Millisecond)
	room, err := c.store.MakeRoom(c.t.Context(), "tv", network, c.most, now)
	require.NoError(c.t, err)
	if !room {
		return false
	}

	code := deviceCode(fmt.Sprintf("device %d", c.asked), fmt.Sprintf("CODE-%04d", c.asked))
	code.Address, code.CreatedAt = address, now
	inserted, err := c.store.InsertDeviceCode(c.t.Context(), code)
	require.NoError(c.t, err)
	require.True(c.t, inserted)

	return true
}

// waiting returns how many codes wait of a network, or of all if it is empty.
func (c *crowds) waiting(network string) int {
	c.t.Helper()
	var n int
	require.NoError(c.t, c.db.Get(c.t.Context(), "test.waiting", &n,
		`SELECT count(*) FROM device_codes WHERE network = $1 OR $1 = ''`, network))
	return n
}

func onCrowds(t *testing.T, most int, test func(t *testing.T, c *crowds)) {
	t.Helper()
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		test(t, &crowds{t: t, db: db, store: sqlstore.NewForDevice(db), most: most})
	})
}

// A network that fills an application's places makes room for others, up to an equal share.
func TestWaitingCodesOfAnApplicationAreSharedByNetwork(t *testing.T) {
	onCrowds(t, 4, func(t *testing.T, c *crowds) {
		const fat, other = "192.0.2.0/24", "198.51.100.0/24"
		for range 4 {
			require.True(t, c.ask("192.0.2.1", fat))
		}

		require.False(t, c.ask("192.0.2.1", fat), "it has them all")
		require.True(t, c.ask("198.51.100.1", other))
		require.Equal(t, 3, c.waiting(fat))
		require.True(t, c.ask("198.51.100.1", other))
		require.False(t, c.ask("198.51.100.1", other), "each has its half")
		require.False(t, c.ask("192.0.2.1", fat), "each has its half")
		require.Equal(t, 2, c.waiting(fat))
		require.Equal(t, 2, c.waiting(other))

		others, err := c.store.Waiting(t.Context(), fat, deviceNow)
		require.NoError(t, err)
		require.Equal(t, 2, others, "its own do not count")
	})
}

// RFC 8628 5.1: an attacker has 65,536 networks in an IPv6 /32, and asks for one code from each. They fill what is free,
// but push out no code of another.
func TestManyNetworksOfOneProviderPushOutNoCodeOfAnother(t *testing.T) {
	onCrowds(t, 12, func(t *testing.T, c *crowds) {
		victims := []string{"192.0.2.0/24", "2001:db8::/48", "ffff:1::/48"} // by name first, in the middle and last
		for i, address := range []string{"192.0.2.1", "2001:db8::1", "ffff:1::1"} {
			require.True(t, c.ask(address, victims[i]))
		}

		room := 0
		for i := range 40 {
			if c.ask(fmt.Sprintf("2a00:1:%x::1", i), fmt.Sprintf("2a00:1:%x::/48", i)) {
				room++
			}
		}

		require.Equal(t, 9, room)
		for _, victim := range victims {
			require.Equal(t, 1, c.waiting(victim), victim)
		}

		require.True(t, c.ask("203.0.113.1", "203.0.113.0/24"), "the provider makes room for other networks")
		require.Equal(t, 1, c.waiting("203.0.113.0/24"))
		require.Zero(t, c.waiting("2a00:1:8::/48"), "with the code that came last")
		require.Equal(t, 12, c.waiting(""))
	})
}

// Many providers with a code each are refused like any other newcomer, rather than that one of equals has to give way.
func TestAMultitudeOfProvidersPushesOutNoOnlyCode(t *testing.T) {
	onCrowds(t, 5, func(t *testing.T, c *crowds) {
		require.True(t, c.ask("192.0.2.1", "192.0.2.0/24"))
		for i := range 20 {
			room := c.ask(fmt.Sprintf("2a00:%x::1", i), fmt.Sprintf("2a00:%x::/48", i))
			require.Equal(t, i < 4, room)
		}

		require.Equal(t, 1, c.waiting("192.0.2.0/24"))
		require.Equal(t, 5, c.waiting(""))
	})
}

// A customer who fills their provider's places makes room for the provider's other customers.
func TestACustomerMakesRoomForOthersOfTheirProvider(t *testing.T) {
	onCrowds(t, 6, func(t *testing.T, c *crowds) {
		const elsewhere, fat, neighbour = "192.0.2.0/24", "2a00:1:1::/48", "2a00:1:2::/48"
		require.True(t, c.ask("192.0.2.1", elsewhere))
		for range 5 {
			require.True(t, c.ask("2a00:1:1::1", fat))
		}

		for range 2 {
			require.True(t, c.ask("2a00:1:2::1", neighbour))
		}
		require.False(t, c.ask("2a00:1:2::1", neighbour), "the fat one would then have fewer")

		require.Equal(t, 3, c.waiting(fat))
		require.Equal(t, 2, c.waiting(neighbour))
		require.Equal(t, 1, c.waiting(elsewhere))
	})
}
