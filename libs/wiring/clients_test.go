package wiring_test

import (
	"crypto/rand"
	"net/netip"
	"net/url"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
)

// RFC 6749 2.3.1: the endpoint is protected against brute force, by all services together.
func TestServicesCountFailuresTogether(t *testing.T) {
	public, err := url.Parse("https://id.test")
	require.NoError(t, err)
	cfg := wiring.Clients{
		Server: config.Server{PublicURL: public}, Limits: config.Limits{ClientAuth: 2, Window: time.Minute},
		Encryption: config.Encryption{Keys: []config.EncryptionKey{{1}}},
	}
	deps := servicekit.Deps{
		DB:     testkit.SQLite(t),
		Logger: testkit.Logger(t),
		Now:    time.Now,
		Random: rand.Reader,
	}

	one, err := (&wiring.Kit{Deps: deps, Name: "token"}).Authenticator(cfg)
	require.NoError(t, err)
	other, err := (&wiring.Kit{Deps: deps, Name: "device"}).Authenticator(cfg)
	require.NoError(t, err)
	require.Equal(t, "https://id.test/api/v1/platform/oauth", one.Issuer)
	from := netip.MustParseAddr("192.0.2.1")
	app := &directory.Application{
		ClientID:   "web",
		Type:       directory.Web,
		ScopeLevel: directory.Global,
		Active:     true,
	}

	wrong := clientauth.Credentials{Method: clientauth.Post, ClientID: "web", Secret: "wrong"}
	var refused *clientauth.Error
	require.ErrorAs(t, one.Authenticate(t.Context(), app, wrong, from), &refused)
	var blocked *limits.Error
	require.ErrorAs(t, other.Authenticate(t.Context(), app, wrong, from), &blocked)
}

func TestAConfigurationThatCannotCountIsRefused(t *testing.T) {
	_, err := (&wiring.Kit{}).Authenticator(wiring.Clients{})
	require.ErrorContains(t, err, "Limits and Encryption are needed")
}
