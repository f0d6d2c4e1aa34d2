package domain_test

import (
	"bytes"
	"crypto/rand"
	"errors"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/services/token/internal/domain"
)

// RFC 9700 4.14.2: the successor is for whom the rotation was for.
func TestASealOpensForTheHolderOfTheOldTokenOnly(t *testing.T) {
	const old, next = "the-old-token", "the-new-token"
	seal, err := domain.SealSuccessor(old, "gnt_1", next, rand.Reader)
	require.NoError(t, err)
	require.NotContains(t, string(seal), next)
	got, err := domain.OpenSuccessor(old, "gnt_1", seal)
	require.NoError(t, err)
	require.Equal(t, next, got)

	again, err := domain.SealSuccessor(old, "gnt_1", next, rand.Reader)
	require.NoError(t, err)
	require.NotEqual(t, seal, again, "a nonce of its own each time")

	for name, tt := range map[string]struct {
		old, family string
		seal        []byte
	}{
		"another token":   {"another", "gnt_1", seal},
		"another family":  {old, "gnt_2", seal},
		"a changed seal":  {old, "gnt_1", append(bytes.Clone(seal[:len(seal)-1]), seal[len(seal)-1]^1)},
		"a cut seal":      {old, "gnt_1", seal[:20]},
		"less than nonce": {old, "gnt_1", seal[:5]},
		"nothing":         {old, "gnt_1", nil},
	} {
		_, err := domain.OpenSuccessor(tt.old, tt.family, tt.seal)
		require.ErrorIs(t, err, domain.ErrSeal, name)
	}

	_, err = domain.SealSuccessor(old, "gnt_1", next, strings.NewReader("short"))
	require.Error(t, err)
}

func FuzzOpenSuccessor(f *testing.F) {
	// the same in every worker
	seal, err := domain.SealSuccessor("old", "gnt_1", "next", strings.NewReader("twelve bytes"))
	if err != nil {
		f.Fatal(err)
	}

	f.Add("old", "gnt_1", seal)
	f.Add("", "", []byte{})
	f.Fuzz(func(t *testing.T, old, family string, data []byte) {
		got, err := domain.OpenSuccessor(old, family, data)
		switch {
		case err != nil && !errors.Is(err, domain.ErrSeal):
			t.Fatal(err)
		case err == nil && (got != "next" || old != "old" || family != "gnt_1" || !bytes.Equal(data, seal)):
			t.Fatalf("opened %q", got)
		}
	})
}
