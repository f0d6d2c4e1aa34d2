package password_test

import (
	"fmt"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	"github.com/platform-oauth/platform-oauth/libs/limits"
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
		var sum uint64
		for _, cost := range classes {
			sum += cost.Cost()
		}

		for name, hash := range hashes {
			for _, typed := range []string{"right", "wrong"} {
				work, spent := h.Work(), h.Spent()
				ok, err := h.VerifyAmong(t.Context(), limits.Caller{}, classes, hash, typed)
				require.NoError(t, err)
				require.Equal(t, hash != "" && typed == "right", ok, name)
				require.EqualValues(t, len(classes), h.Work()-work, name)
				require.Equal(t, sum, h.Spent()-spent, name)
			}
		}
	}
}

// Every check pays for new hashes, also while none is stored.
func TestACheckPaysForTheStoredCostsAndThatOfNewHashes(t *testing.T) {
	h := hasher(t, password.Options{Params: classes[0]})
	for _, stored := range [][]password.Params{nil, classes[:1], {classes[0], classes[0]}} {
		spent := h.Spent()
		_, err := h.VerifyAmong(t.Context(), limits.Caller{}, stored, "", "wrong")
		require.NoError(t, err)
		require.Equal(t, classes[0].Cost(), h.Spent()-spent)
	}

	spent := h.Spent()
	stored := []password.Params{classes[2]}
	_, err := h.VerifyAmong(t.Context(), limits.Caller{}, stored, "", "wrong")
	require.NoError(t, err)
	require.Equal(t, classes[0].Cost()+classes[2].Cost(), h.Spent()-spent)
	require.Equal(t, []password.Params{classes[2]}, stored, "the caller's list is left alone")
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
				if _, err := h.VerifyAmong(b.Context(), limits.Caller{}, costs, hash, "wrong"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
