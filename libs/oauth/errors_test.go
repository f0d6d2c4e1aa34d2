package oauth_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func TestStatusOfErrorCodes(t *testing.T) {
	for code, want := range map[oauth.Code]int{
		oauth.InvalidRequest:         400, // RFC 6749 5.2
		oauth.InvalidClient:          401,
		oauth.InvalidGrant:           400,
		oauth.UnauthorizedClient:     400,
		oauth.UnsupportedGrantType:   400,
		oauth.InvalidScope:           400,
		oauth.InvalidToken:           401, // RFC 6750 3.1
		oauth.InsufficientScope:      403,
		oauth.InvalidTarget:          400, // RFC 8707 2
		oauth.AuthorizationPending:   400, // RFC 8628 3.5
		oauth.SlowDown:               400,
		oauth.ExpiredToken:           400,
		oauth.AccessDenied:           400,
		oauth.ServerError:            500,
		oauth.TemporarilyUnavailable: 503,
	} {
		t.Run(string(code), func(t *testing.T) { require.Equal(t, want, code.Status()) })
	}
}

func TestErrorKeepsItsCauseForTheLog(t *testing.T) {
	cause := errors.New("the disk is full")
	err := oauth.Unavailable(cause)
	require.ErrorIs(t, err, cause)
	require.Equal(t, 503, err.Status())
	require.NotContains(t, err.Description, "disk", "what is shown tells nothing of the inside")
	require.Contains(t, err.Error(), "the disk is full")

	require.Equal(t, "invalid_scope: 2 scopes are unknown",
		oauth.Errorf(oauth.InvalidScope, "%d scopes are unknown", 2).Error())
	require.Equal(t, 413, (&oauth.Error{Code: oauth.InvalidRequest, StatusOverride: 413}).Status())
}

// dependency is an error of something that the platform depends on.
type dependency struct{ down bool }

func (dependency) Error() string { return "of a dependency" }

func (d dependency) Unavailable() bool { return d.down }

func TestWhatIsDownOrTooSlowIsUnavailable(t *testing.T) {
	for name, tt := range map[string]struct {
		err  error
		want bool
	}{
		"no error":                 {nil, false},
		"another error":            {errors.New("broken"), false},
		"a dependency is down":     {dependency{down: true}, true},
		"a dependency refuses":     {dependency{down: false}, false},
		"wrapped":                  {fmt.Errorf("read: %w", dependency{down: true}), true},
		"a deadline was exceeded":  {fmt.Errorf("read: %w", context.DeadlineExceeded), true},
		"the caller has gone away": {context.Canceled, false},
	} {
		require.Equal(t, tt.want, oauth.IsUnavailable(tt.err), name)
	}
}
