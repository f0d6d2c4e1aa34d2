package password_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
)

// classes are costs of which none is another's, in memory, passes or threads.
var classes = []password.Params{
	{Memory: 64, Time: 1, Threads: 1},
	{Memory: 64, Time: 3, Threads: 2},
	{Memory: 512, Time: 4, Threads: 1},
}

// Whatever hash an account has, and where there is none, a check is the same hashes: the time of an answer tells
// nothing (RFC 6749 10.10, NIST SP 800-63B 5.2.2).
func TestEveryCheckIsTheSameWorkWhateverTheHash(t *testing.T) {
	hashes := map[string]string{"nobody": ""}
	for _, cost := range classes {
		hash, err := hasher(t, password.Options{Params: cost}).Hash(t.Context(), "right")
		require.NoError(t, err)
		hashes[fmt.Sprint(cost)] = hash
	}

	for _, defaults := range classes { // and whichever is the default, today or tomorrow
		h := hasher(t, password.Options{Params: defaults})
		h.Stored(classes)
		var sum uint64
		for _, cost := range classes {
			sum += cost.Cost()
		}

		for name, hash := range hashes {
			for _, typed := range []string{"right", "wrong"} {
				work, spent := h.Work(), h.Spent()
				ok, err := h.Verify(t.Context(), hash, typed)
				require.NoError(t, err)
				require.Equal(t, hash != "" && typed == "right", ok, name)
				require.EqualValues(t, len(classes), h.Work()-work, name)
				require.Equal(t, sum, h.Spent()-spent, name)
			}
		}
	}
}

// A hash that was imported since the costs were read is paid for from its first check on.
func TestACostThatIsMetIsPaidForFromThenOn(t *testing.T) {
	h := hasher(t, password.Options{Params: classes[0]})
	imported, err := hasher(t, password.Options{Params: classes[2]}).Hash(t.Context(), "right")
	require.NoError(t, err)
	require.Equal(t, classes[:1], h.Costs())
	ok, err := h.Verify(t.Context(), imported, "right")
	require.NoError(t, err)
	require.True(t, ok)
	require.Equal(t, []password.Params{classes[0], classes[2]}, h.Costs())
	spent := h.Spent()
	_, err = h.Verify(t.Context(), "", "wrong")
	require.NoError(t, err)
	require.Equal(t, classes[0].Cost()+classes[2].Cost(), h.Spent()-spent)

	h.Stored(nil)
	require.Equal(t, classes[:1], h.Costs(), "the last hash of that cost was replaced")
}

func TestACostIsReadAsItIsStored(t *testing.T) {
	cost, err := password.ParseCost("m=64,t=3,p=2")
	require.NoError(t, err)
	require.Equal(t, classes[1], cost)
	_, err = password.ParseCost("bcrypt")
	require.ErrorIs(t, err, password.ErrFormat)
}

// The time of a check beside that of the hash alone, for hashes of three costs and for none.
func BenchmarkVerify(b *testing.B) {
	costs := []password.Params{
		{Memory: 4096, Time: 3, Threads: 1}, {Memory: 19456, Time: 2, Threads: 1}, {Memory: 65536, Time: 3, Threads: 4},
	}
	h, err := password.New(password.Options{})
	require.NoError(b, err)
	h.Stored(costs)
	hashes := map[string]string{"none": ""}
	for _, cost := range costs {
		own, err := password.New(password.Options{Params: cost})
		require.NoError(b, err)
		hashes[fmt.Sprintf("m=%d,t=%d,p=%d", cost.Memory, cost.Time, cost.Threads)], err = own.Hash(b.Context(),
			"right")
		require.NoError(b, err)
	}

	for name, hash := range hashes {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.Verify(b.Context(), hash, "wrong"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
