package audit_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
)

func TestEveryKindIsDescribedOnce(t *testing.T) {
	source, err := os.ReadFile("kinds.go")
	require.NoError(t, err)
	var declared, described []string
	for _, match := range regexp.MustCompile(`Kind = "([a-z_.]+)"`).FindAllStringSubmatch(string(source), -1) {
		declared = append(declared, match[1])
	}

	for _, info := range audit.Kinds() {
		described = append(described, string(info.Kind))
		require.NotEmpty(t, info.Volume)
		require.True(t, strings.HasSuffix(info.Meaning, "."), info.Kind)
	}

	slices.Sort(declared)
	slices.Sort(described)
	require.Equal(t, declared, described)
}

func TestAPseudonymSaysNothingAndIsAlwaysTheSame(t *testing.T) {
	key, other := []byte("key"), []byte("other")
	one := audit.Pseudonym(key, "Ada@acme.test ")
	require.Equal(t, one, audit.Pseudonym(key, "ada@acme.test"))
	require.Regexp(t, `^acc_[a-z2-7]{24}$`, one)
	require.NotEqual(t, one, audit.Pseudonym(other, "ada@acme.test"))
	require.NotEqual(t, one, audit.Pseudonym(key, "bob@acme.test"))
	require.Empty(t, audit.Pseudonym(nil, "ada@acme.test"))
}

// RFC 6177: an attacker with a /48 has 2^80 addresses, which are no more rows than one.
func TestBlocksOfASiteAreCountedTogether(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 10, 0, 0, time.UTC)
	for pattern, other := range map[string]string{
		"2001:db8:1:%x::1": "2001:db8:2::1",
		"192.0.2.%d":       "198.51.100.1",
	} {
		c, written := audit.NewCounter(0), 0
		admit := func(address string) bool {
			_, ok := c.Admit(audit.Event{Kind: audit.SignInBlocked, Address: address}, at)
			return ok
		}

		for i := range 250 {
			if admit(fmt.Sprintf(pattern, i)) {
				written++
			}
		}

		require.Equal(t, 11, written, pattern) // ten and the hundredth
		require.True(t, admit(other))
	}
}

// An attack that is blocked a million times has fourteen rows an hour, and each says
// how many there were.
func TestBlocksAreCountedAndExchangesSampled(t *testing.T) {
	at := time.Date(2026, 3, 1, 12, 10, 0, 0, time.UTC)
	counts := func(c *audit.Counter, e audit.Event, times int, at time.Time) (written []string) {
		for range times {
			if e, ok := c.Admit(e, at); ok {
				require.Equal(t, "2026-03-01T", e.Detail["since"][:11])
				written = append(written, e.Detail["count"])
			}
		}
		return written
	}

	c := audit.NewCounter(50)
	blocked := audit.Event{Kind: audit.SignInBlocked, Account: "acc_ada", Address: "192.0.2.1"}
	ten := []string{"1", "2", "3", "4", "5", "6", "7", "8", "9", "10"}
	require.Equal(t, append(ten, "100"), counts(c, blocked, 999, at))
	blocked.Account = "acc_bob"
	require.Equal(t, ten, counts(c, blocked, 20, at), "another account by itself")
	require.Equal(t, ten[:3], counts(c, blocked, 3, at.Add(time.Hour)), "each hour anew")

	exchanged := audit.Event{
		Kind:     audit.TokenExchanged,
		ClientID: "gateway",
		Detail:   map[string]string{"audience": "api"},
	}
	require.Equal(t, []string{"1", "50", "100"}, counts(c, exchanged, 120, at))
	require.Len(t, exchanged.Detail, 1, "the event itself stays as it was")
	require.Len(t, counts(audit.NewCounter(1), exchanged, 20, at), 20)

	for range 3 {
		_, ok := c.Admit(audit.Event{Kind: audit.SignInFailed}, at)
		require.True(t, ok, "all others have each their row")
	}
}
