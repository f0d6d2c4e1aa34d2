package refusals_test

import (
	"context"
	"errors"
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
	return errors.New("cannot be written, and nobody minds")
}

func TestErrorPagesAreToldOfAndAStrangerCannotFloodTheTrail(t *testing.T) {
	told, pages := trail{}, 0
	clock := testkit.NewClock(time.Date(2026, 5, 4, 9, 0, 0, 0, time.UTC))
	page := refusals.New(audit.ErrorShown, &told, testkit.Logger(t), clock.Now).Page(
		func(http.ResponseWriter, *http.Request, httpkit.Problem) { pages++ })
	show := func() {
		page(httptest.NewRecorder(), httptest.NewRequest(http.MethodGet, "/", http.NoBody), httpkit.Problem{
			Status: 400, Code: "invalid_request", Reference: "4bf9", Description: "what was typed", Address: netip.MustParseAddr("192.0.2.1"),
		})
	}
	show()
	require.Equal(t, trail{{
		Kind: audit.ErrorShown, Address: "192.0.2.1", Reference: "4bf9", Detail: map[string]string{"status": "400", "error": "invalid_request"},
	}}, told)
	for range 200 {
		show()
	}
	require.Len(t, told, 100)
	require.Equal(t, 201, pages, "everybody sees the page")
	clock.Advance(2500 * time.Millisecond)
	for range 5 {
		show()
	}
	require.Len(t, told, 102)
}

func TestAForwardedAddressThatNobodyBelievesIsToldOf(t *testing.T) {
	told := trail{}
	refusals.New(audit.ErrorShown, &told, testkit.Logger(t), time.Now).Shown(t.Context(), httpkit.Problem{Status: 404, ForwardedIgnored: true})
	require.Equal(t, audit.ForwardedIgnored, told[0].Detail["forwarded"])
}
