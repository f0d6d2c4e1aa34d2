package domain_test

import (
	"math"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/services/device/internal/domain"
)

// RFC 8628 5.1.
func TestTheBudgetKeepsGuessingHopeless(t *testing.T) {
	for _, waiting := range []int{1, 2, 7, 1000, 1_000_000, 25_599_999} {
		chance := float64(domain.Budget(waiting)) * float64(waiting) / math.Pow(20, 8)
		require.Less(t, chance, 1e-3, "%d codes wait", waiting)
	}

	require.Equal(t, 25_599_999, domain.Budget(1))
	require.Equal(t, 25_599_999, domain.Budget(0))
	require.Equal(t, 25_599, domain.Budget(1000))
	require.Equal(t, 1, domain.Budget(1<<40))
}
