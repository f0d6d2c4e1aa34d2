package testkit_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var testTime = time.Date(2026, 1, 2, 3, 4, 5, 6789, time.UTC)

func TestClockMovesOnlyWhenTold(t *testing.T) {
	clock := testkit.NewClock(testTime.In(time.FixedZone("far", 3600)))
	start := time.Date(2026, 1, 2, 3, 4, 5, 6000, time.UTC)
	require.Equal(t, start, clock.Now(), "UTC and whole microseconds")
	clock.Advance(time.Minute)
	require.Equal(t, start.Add(time.Minute), clock.Now())
}
