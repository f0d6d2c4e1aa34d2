package sessions_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/sessions"
)

func TestASessionSignsItsBrowserIn(t *testing.T) {
	const idle = 30 * time.Minute
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		alter                 func(s *sessions.Session)
		authenticated, usable bool
	}{
		"while it is used": {func(*sessions.Session) {}, true, true},
		"until a microsecond before its absolute end": {
			func(s *sessions.Session) { s.ExpiresAt = now.Add(time.Microsecond) }, true, true,
		},
		"not at its absolute end": {func(s *sessions.Session) { s.ExpiresAt = now }, false, false},
		"until a microsecond before idleness": {
			func(s *sessions.Session) { s.LastSeenAt = now.Add(time.Microsecond - idle) }, true, true,
		},
		"not when idle": {
			func(s *sessions.Session) { s.LastSeenAt = now.Add(-idle) }, false, false,
		},
		"not after its end": {
			func(s *sessions.Session) { s.EndedAt = now.Add(-time.Second) }, false, false,
		},
		"not when another replica's clock ended it a moment ahead of ours": {
			func(s *sessions.Session) { s.EndedAt = now.Add(time.Second) }, false, false,
		},
		"but for no tenant before one is chosen": {
			func(s *sessions.Session) { s.TenantID = "" }, true, false,
		},
		"not after its end, though no tenant was chosen": {
			func(s *sessions.Session) { s.TenantID, s.EndedAt = "", now }, false, false,
		},
		"seen by a replica whose clock is ahead of ours": {
			func(s *sessions.Session) { s.LastSeenAt = now.Add(time.Second) }, true, true,
		},
		"not when it is the zero value": {
			func(s *sessions.Session) { *s = sessions.Session{TenantID: "tnt_1"} }, false, false,
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := &sessions.Session{TenantID: "tnt_1", LastSeenAt: now.Add(-time.Minute), ExpiresAt: now.Add(time.Hour)}
			tt.alter(s)
			require.Equal(t, tt.authenticated, s.Authenticated(now, idle))
			require.Equal(t, tt.usable, s.Usable(now, idle))
		})
	}
}

func TestOthersAreThePeopleWhoAreSignedInBeside(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	of := func(userID, tenantID string, seen time.Time) *sessions.Session {
		return &sessions.Session{
			UserID:     userID,
			TenantID:   tenantID,
			LastSeenAt: seen,
			ExpiresAt:  now.Add(time.Hour),
		}
	}

	all := []*sessions.Session{
		of("usr_ada", "tnt_1", now), of("usr_bob", "tnt_1", now), of("usr_bob", "tnt_2", now),
		of("usr_idle", "tnt_1", now.Add(-time.Hour)), of("usr_undecided", "", now),
	}
	require.Equal(t, 1, sessions.Others(all, "usr_ada", now, time.Hour))
	require.Equal(t, 2, sessions.Others(all, "", now, time.Hour))
	require.Zero(t, sessions.Others(nil, "", now, time.Hour))
}
