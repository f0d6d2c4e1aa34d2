package grants_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

// RFC 9700 4.14.2, with a grace for a lost answer.
func TestWhenARotatedTokenMayBeRepeated(t *testing.T) {
	rotated := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for name, tt := range map[string]struct {
		grace, after time.Duration
		alter        func(*grants.Refreshable)
		want         bool
	}{
		"within the grace":                       {grace: 10 * time.Second, after: 9 * time.Second, want: true},
		"not at its end":                         {grace: 10 * time.Second, after: 10 * time.Second},
		"by a replica whose clock is behind":     {grace: 10 * time.Second, after: -time.Second, want: true},
		"not without a grace":                    {},
		"not after a minute, whatever the grace": {grace: time.Hour, after: time.Minute},
		"not after the successor was used": {
			grace: time.Minute,
			alter: func(r *grants.Refreshable) { r.SuccessorUsed = true },
		},
		"not after the seal was erased": {
			grace: time.Minute,
			alter: func(r *grants.Refreshable) { r.SuccessorSeal = nil },
		},
		"not when it was not rotated": {
			grace: time.Minute,
			alter: func(r *grants.Refreshable) { r.RotatedAt = time.Time{} },
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := &grants.Refreshable{RefreshToken: grants.RefreshToken{RotatedAt: rotated, SuccessorSeal: []byte("x")}}
			if tt.alter != nil {
				tt.alter(r)
			}
			require.Equal(t, tt.want, r.Repeatable(tt.grace, rotated.Add(tt.after)))
		})
	}
}
