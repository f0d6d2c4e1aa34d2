package sqlstore

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/limits"
)

// MakeRoom makes room for another waiting code of an application, which may have no more than
// most of them. network is the newcomer's; see [limits.Site]. If the application has that many
// codes, MakeRoom removes one of a network that keeps at least as many as the newcomer's then
// has, or returns false if there is no such network. Concurrent callers may exceed the limit by
// their number.
//
// What a provider is given (an IPv6 /32, which has 65,536 networks) counts as one party before
// its networks do. So neither the codes of one network nor those of many networks of one
// provider push out the only code of another.
func (s *ForDevice) MakeRoom(ctx context.Context, clientID, network string, most int, now time.Time) (bool, error) {
	const byNetwork = `SELECT network, count(*) AS codes, max(created_at) AS newest FROM device_codes
WHERE ` + waitingCodes + ` AND client_id = $2 GROUP BY network`
	var sites []crowd
	if err := s.db.Select(ctx, "device_codes.crowds", &sites, byNetwork, database.At(now), clientID); err != nil {
		return false, err
	}

	total := 0
	for _, site := range sites {
		total += site.Codes
	}

	if total < most {
		return true, nil
	}

	crowded, ok := mostCrowded(sites, network)
	if !ok {
		return false, nil
	}

	const newest = `DELETE FROM device_codes WHERE device_code_hash IN (SELECT device_code_hash FROM device_codes
    WHERE ` + waitingCodes + ` AND client_id = $2 AND network = $3 ORDER BY created_at DESC, device_code_hash LIMIT 1)`
	_, err := s.db.Exec(ctx, "device_codes.make_room", newest, database.At(now), clientID, crowded)

	return err == nil, err
}

// crowd is the waiting codes of one network.
type crowd struct {
	Network string        `db:"network"`
	Codes   int           `db:"codes"`
	Newest  database.Time `db:"newest"`
}

// mostCrowded returns the network that has to give up a code for a newcomer from network: the
// one with the most codes within the provider with the most codes. If that provider would then
// have fewer than the newcomer's, it is the one with the most codes within the newcomer's
// provider. ok is false if that one, too, would then have fewer than the newcomer's.
func mostCrowded(sites []crowd, network string) (crowded string, ok bool) {
	own := providerOf(network)
	var providers, neighbours []crowd
	index := map[string]int{}
	for _, site := range sites {
		name := providerOf(site.Network)
		if name == own {
			neighbours = append(neighbours, site)
		}

		i, seen := index[name]
		if !seen {
			i = len(providers)
			index[name] = i
			providers = append(providers, crowd{Network: name})
		}

		providers[i].Codes += site.Codes
		if site.Newest.After(providers[i].Newest.Time) {
			providers[i].Newest = site.Newest
		}
	}

	provider, ok := fuller(providers, own)
	if !ok {
		return fuller(neighbours, network)
	}

	within := slices.DeleteFunc(slices.Clone(sites), func(site crowd) bool {
		return providerOf(site.Network) != provider
	})

	return slices.MaxFunc(within, bySize).Network, true
}

// fuller returns the largest of the crowds if, less one code, it still has as many as own has
// with one more.
func fuller(crowds []crowd, own string) (network string, ok bool) {
	if len(crowds) == 0 {
		return "", false
	}

	codes := 0
	for _, c := range crowds {
		if c.Network == own {
			codes = c.Codes
		}
	}

	largest := slices.MaxFunc(crowds, bySize)

	return largest.Network, largest.Codes > codes+1
}

// bySize orders crowds by their number of codes. Of equal ones, that with the newest code is
// the larger, as it came last.
func bySize(a, b crowd) int {
	return cmp.Or(
		cmp.Compare(a.Codes, b.Codes),
		a.Newest.Compare(b.Newest.Time),
		cmp.Compare(b.Network, a.Network),
	)
}

// providerOf returns the widest network that a network is counted in; see [limits.Networks].
func providerOf(network string) string {
	site, err := netip.ParsePrefix(network)
	if err != nil { // requested without an address
		return network
	}

	return limits.Networks(site.Addr())[0].String()
}
