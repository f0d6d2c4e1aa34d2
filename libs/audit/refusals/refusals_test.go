package refusals_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/refusals"
	"github.com/platform-oauth/platform-oauth/libs/httpkit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

type trail []audit.Event

func (t *trail) Record(_ context.Context, e audit.Event) error {
	*t = append(*t, e)
	return errors.New("can't be written")
}

func TestErrorPagesAreToldOfAndAStrangerCannotFloodTheTrail(t *testing.T) {
	told, pages := trail{}, 0
	clock := testkit.NewClock(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))
	from := netip.MustParseAddr("192.0.2.1")
	page := refusals.New(audit.ErrorShown, &told, testkit.Logger(t), clock.Now).Page(
		func(http.ResponseWriter, *http.Request, httpkit.Problem) { pages++ })
	show := func() {
		page(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody), httpkit.Problem{
			Status:      400,
			Code:        "invalid_request",
			Reference:   "4bf9",
			Description: "what was typed",
			Address:     from,
		})
	}

	show()
	require.Equal(t, trail{{
		Kind:      audit.ErrorShown,
		Address:   "192.0.2.1",
		Reference: "4bf9",
		Detail:    map[string]string{"status": "400", "error": "invalid_request"},
	}}, told)

	for range 200 {
		show()
	}

	require.Len(t, told, 30, "an address has its share")

	for i := range 200 { // an IPv6 network is one address
		from = netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(i)})
		show()
	}

	require.Len(t, told, 60)

	for i := range 200 {
		from = netip.AddrFrom4([4]byte{198, 51, 100, byte(i)})
		show()
	}

	require.Len(t, told, 100, "and all together theirs")
	require.Equal(t, 601, pages, "every request gets the page")
	clock.Advance(2500 * time.Millisecond)

	for range 5 {
		show()
	}

	require.Len(t, told, 102)

	clock.Advance(10 * time.Second)
	from = netip.MustParseAddr("192.0.2.1")
	show()
	require.Len(t, told, 102, "the minute of its share is not over")
	clock.Advance(time.Minute)
	show()
	require.Len(t, told, 103)
}

func TestAForwardedAddressThatNobodyBelievesIsToldOf(t *testing.T) {
	told := trail{}
	refusals.New(audit.ErrorShown, &told, testkit.Logger(t), time.Now).Shown(t.Context(),
		httpkit.Problem{Status: 404, ForwardedIgnored: true})
	require.Equal(t, audit.ForwardedIgnored, told[0].Detail["forwarded"])
}

// RFC 6177: a party with all addresses of a site, or a provider with many sites, leaves room for others in each minute.
func TestNoNetworkKeepsOthersOutOfTheTrail(t *testing.T) {
	for name, pattern := range map[string]string{
		"an IPv4 /24": "198.51.100.%d",
		"an IPv6 /48": "2001:db8:1:%x::1",
		"an IPv6 /32": "2001:db8:%x::1",
	} {
		t.Run(name, func(t *testing.T) {
			told := trail{}
			clock := testkit.NewClock(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))
			f := refusals.New(audit.ErrorShown, &told, testkit.Logger(t), clock.Now)
			for minute := range 5 {
				for i := range 60 {
					for n := range 4 {
						f.Shown(t.Context(), httpkit.Problem{
							Status:  400,
							Address: netip.MustParseAddr(fmt.Sprintf(pattern, 4*i+n)),
						})
					}
					clock.Advance(time.Second)
				}

				before := len(told)
				require.LessOrEqual(t, before, 46*(minute+1))
				f.Shown(t.Context(), httpkit.Problem{Status: 400, Address: netip.MustParseAddr("192.0.2.1")})
				require.Len(t, told, before+1, "a person elsewhere is told of")
			}
		})
	}
}
