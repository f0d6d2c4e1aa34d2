package grants_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/grants"
)

func TestPollingADeviceCode(t *testing.T) {
	start := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	s := func(n float64) time.Duration { return time.Duration(n * float64(time.Second)) }
	for name, tt := range map[string]struct {
		polls    []float64 // seconds after the start
		tooFast  []bool
		interval time.Duration
	}{
		"the first poll is never too fast":          {[]float64{0}, []bool{false}, s(5)},
		"polls at the interval":                     {[]float64{0, 5, 10}, []bool{false, false, false}, s(5)},
		"a second of jitter is forgiven":            {[]float64{0, 4}, []bool{false, false}, s(5)},
		"more than that is not":                     {[]float64{0, 3.9}, []bool{false, true}, s(10)},
		"at the same moment":                        {[]float64{0, 0, 0}, []bool{false, true, true}, s(15)},
		"a client that obeys recovers at once":      {[]float64{0, 1, 11}, []bool{false, true, false}, s(10)},
		"early polls do not move the last good one": {[]float64{0, 1, 2, 14}, []bool{false, true, true, false}, s(15)},
		"a client that never obeys waits 60 seconds": {
			[]float64{0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 60},
			[]bool{false, true, true, true, true, true, true, true, true, true, true, true, true, true, false},
			s(60),
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := grants.DeviceCode{Interval: 5 * time.Second}
			var got []bool
			for _, at := range tt.polls {
				got = append(got, d.Poll(start.Add(s(at))))
			}

			require.Equal(t, tt.tooFast, got, "RFC 8628 3.5")
			require.Equal(t, tt.interval, d.Interval)
		})
	}
}

// RFC 8628 3.5.
func TestAnIntervalBeyondTheLimitIsNotShortened(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := grants.DeviceCode{Interval: 2 * time.Minute, LastPolledAt: at}
	require.True(t, d.Poll(at))
	require.Equal(t, 2*time.Minute, d.Interval)
}

// RFC 8628 3.5.
func TestOnlyAnUndecidedCodeWaits(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	d := grants.DeviceCode{ExpiresAt: at.Add(time.Minute)}
	require.True(t, d.Waiting(at))
	require.False(t, d.Waiting(at.Add(time.Minute)))
	decided, consumed := d, d
	decided.Decision = grants.DeviceApproved
	consumed.ConsumedAt = at
	require.False(t, decided.Waiting(at))
	require.False(t, consumed.Waiting(at))
}
