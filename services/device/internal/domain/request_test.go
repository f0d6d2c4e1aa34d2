package domain_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

func tv() *directory.Application {
	return &directory.Application{
		ClientID:   "tv",
		Active:     true,
		ScopeLevel: directory.Global,
		Audiences:  []string{"https://api.test"},
		Grants:     []oauth.GrantType{oauth.GrantDeviceCode, oauth.GrantRefreshToken},
		Scopes:     oauth.Scopes{"openid", "profile", "offline_access"},
	}
}

func TestWhatADeviceMayAskFor(t *testing.T) {
	noGrant := tv()
	noGrant.Grants = []oauth.GrantType{oauth.GrantAuthorizationCode}
	noRefresh := tv()
	noRefresh.Grants = []oauth.GrantType{oauth.GrantDeviceCode}

	for name, tc := range map[string]struct {
		app     *directory.Application
		request domain.Request
		scope   string
		refused oauth.Code
	}{
		"nothing means openid": {tv(), domain.Request{}, "openid", ""},
		"scopes it may have": {
			tv(), domain.Request{Scope: "openid offline_access"}, "openid offline_access", "",
		},
		"an unknown scope is not dropped": {
			tv(), domain.Request{Scope: "openid admin"}, "", oauth.InvalidScope,
		},
		"a scope outside the grammar (RFC 6749 3.3)": {tv(), domain.Request{Scope: `"`}, "", oauth.InvalidScope},
		"only spaces": {tv(), domain.Request{Scope: "  "}, "", oauth.InvalidScope},
		"offline_access goes without the refresh grant": {
			noRefresh, domain.Request{Scope: "openid offline_access"}, "openid", "",
		},
		"offline_access alone without it": {
			noRefresh, domain.Request{Scope: "offline_access"}, "", oauth.InvalidScope,
		},
		"without the device grant (RFC 6749 5.2)": {noGrant, domain.Request{}, "", oauth.UnauthorizedClient},
		"its own resource (RFC 8707 2)": {
			tv(), domain.Request{Resources: []string{"https://api.test"}}, "openid", "",
		},
		"another resource (RFC 8707 2)": {
			tv(), domain.Request{Resources: []string{"https://x.test"}}, "", oauth.InvalidTarget,
		},
		"two resources": {
			tv(), domain.Request{Resources: []string{"https://api.test", "https://api.test"}}, "", oauth.InvalidTarget,
		},
	} {
		t.Run(name, func(t *testing.T) {
			code, err := tc.request.Code(tc.app)
			if tc.refused != "" {
				require.Equal(t, tc.refused, err.Code)
				return
			}

			require.Nil(t, err)
			require.Equal(t, tc.scope, code.Scope.String())
			require.Equal(t, 5*time.Second, code.Interval, "RFC 8628 3.2")
		})
	}
}

// RFC 8628 3.2, 3.5: until it expires or is decided about.
func TestWhenACodeWaits(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	require.True(t, domain.Waits(&grants.DeviceCode{ExpiresAt: now.Add(1)}, now))
	require.False(t, domain.Waits(&grants.DeviceCode{ExpiresAt: now}, now))
	require.False(t, domain.Waits(&grants.DeviceCode{ExpiresAt: now.Add(1), Decision: grants.DeviceDenied}, now))
	require.False(t, domain.Waits(&grants.DeviceCode{ExpiresAt: now.Add(1), ConsumedAt: now}, now))
}

// Whatever is asked for, a code has no more than the application may have.
func FuzzRequest(f *testing.F) {
	for _, seed := range []string{
		"", "openid", "openid  profile", "admin", "offline_access", "openid\x00", "öffentlich",
	} {
		f.Add(seed, "https://api.test", true)
	}

	f.Fuzz(func(t *testing.T, scope, resource string, sent bool) {
		request := domain.Request{Scope: scope}
		if sent {
			request.Resources = []string{resource}
		}

		app := tv()
		code, refusal := request.Code(app)
		if refusal != nil {
			require.Nil(t, code)
			return
		}

		require.NotEmpty(t, code.Scope)
		require.True(t, app.Scopes.Contains(code.Scope...))
		require.Contains(t, append(app.Audiences, ""), code.Resource)
	})
}
