package domain_test

import (
	"testing"
	"testing/quick"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// chosen are the scopes whose bits are set.
func chosen(bits uint8) (scopes oauth.Scopes) {
	for i, scope := range []string{"openid", "profile", "email", "offline_access", "a", "b", "c", "d"} {
		if bits>>i&1 == 1 {
			scopes = append(scopes, scope)
		}
	}
	return scopes
}

// RFC 8693 2.1.
func TestTheScopeOfAnExchangeNeverWidens(t *testing.T) {
	t.Parallel()
	require.NoError(t, quick.Check(func(held, own, asked uint8) bool {
		app := &directory.Application{Scopes: chosen(own)}
		scope, err := domain.ExchangedScope(app, chosen(held), chosen(asked).String())
		if err != nil {
			return scope == nil
		}

		narrow := chosen(held).Contains(scope...) && app.Scopes.Contains(scope...) &&
			!scope.Has(oauth.ScopeOfflineAccess)
		return narrow && (asked == 0 || chosen(asked).Contains(scope...))
	}, &quick.Config{MaxCount: 20_000}))
}
