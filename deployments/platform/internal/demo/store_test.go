package demo

import (
	"strconv"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func newTestStore(t *testing.T) (*store[string], *testkit.Clock) {
	t.Helper()
	clock := testkit.NewClock(time.Date(2026, 3, 1, 9, 0, 0, 0, time.UTC))
	return newStore[string](clock.Now), clock
}

func TestAValueIsTakenOnce(t *testing.T) {
	s, _ := newTestStore(t)
	s.put("state", "attempt")
	got, ok := s.get("state")
	require.True(t, ok)
	require.Equal(t, "attempt", got)
	got, ok = s.take("state")
	require.True(t, ok)
	require.Equal(t, "attempt", got)
	_, ok = s.take("state")
	require.False(t, ok)
	_, ok = s.get("state")
	require.False(t, ok)
}

func TestAValueIsKeptForHalfAnHour(t *testing.T) {
	s, clock := newTestStore(t)
	s.put("state", "attempt")
	clock.Advance(storeTime - time.Second)
	_, ok := s.get("state")
	require.True(t, ok)
	clock.Advance(time.Second)
	_, ok = s.get("state")
	require.False(t, ok)
	_, ok = s.take("state")
	require.False(t, ok)
}

func TestTheStoreIsBoundedAndAlwaysTakesTheNewest(t *testing.T) {
	s, clock := newTestStore(t)
	for i := range storeSize {
		s.put(strconv.Itoa(i), "old")
	}

	s.put("new", "new")
	require.Len(t, s.all, storeSize)
	_, ok := s.get("new")
	require.True(t, ok)
	clock.Advance(storeTime + time.Second)
	s.put("newer", "newer")
	require.Len(t, s.all, 1, "what has ended makes room first")
}
