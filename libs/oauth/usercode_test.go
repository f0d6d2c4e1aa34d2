package oauth_test

import (
	"bytes"
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

var userCodeForm = regexp.MustCompile(`^[BCDFGHJKLMNPQRSTVWXZ]{4}-[BCDFGHJKLMNPQRSTVWXZ]{4}$`)

func TestNewUserCode(t *testing.T) {
	random := rand.NewChaCha8([32]byte{1})
	seen := map[string]bool{}
	letters := map[byte]int{}
	const n = 5000
	for range n {
		code, err := oauth.NewUserCode(random)
		require.NoError(t, err)
		require.Regexp(t, userCodeForm, code, "RFC 8628 6.1")
		seen[code] = true
		for i := range len(code) {
			letters[code[i]]++
		}
	}

	require.Len(t, seen, n, "no two alike among %d", n)

	for letter, count := range letters {
		if letter != '-' {
			require.InDelta(t, n*8/20, count, n*8/20*0.15, "letter %c is as likely as the others", letter)
		}
	}
}

// RFC 8628 5.1, 6.1: the entropy is that of eight even draws.
func TestUserCodeSkipsBytesThatWouldFavourALetter(t *testing.T) {
	// 240 … 255 would make the first sixteen letters more likely.
	in := append(bytes.Repeat([]byte{250}, 16), 0, 1, 2, 3, 4, 5, 6, 239, 0, 0, 0, 0, 0, 0, 0, 0)
	code, err := oauth.NewUserCode(bytes.NewReader(in))
	require.NoError(t, err)
	require.Equal(t, "BCDF-GHJZ", code)
}

func TestNormalizeUserCode(t *testing.T) {
	for name, tt := range map[string]struct {
		typed, want string
		ok          bool
	}{
		"as printed":                        {"WDJB-MJHT", "WDJB-MJHT", true},
		"lower case":                        {"wdjb-mjht", "WDJB-MJHT", true},
		"without the dash":                  {"wdjbmjht", "WDJB-MJHT", true},
		"spaces and dots":                   {" W D J B . M J H T ", "WDJB-MJHT", true},
		"a vowel cannot be in a code":       {"ADJB-MJHT", "", false},
		"a digit cannot be in a code":       {"1DJB-MJHT", "", false},
		"too short":                         {"WDJB-MJH", "", false},
		"too long":                          {"WDJB-MJHTB", "", false},
		"letters beyond ASCII":              {"WDJB-MJHÉ", "", false},
		"empty":                             {"", "", false},
		"longer than a person would type":   {strings.Repeat("-", 57) + "WDJBMJHT", "", false},
		"punctuation up to that is ignored": {strings.Repeat("-", 56) + "WDJBMJHT", "WDJB-MJHT", true},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := oauth.NormalizeUserCode(tt.typed)
			require.Equal(t, tt.ok, ok, "RFC 8628 6.1")
			if tt.ok {
				require.Equal(t, tt.want, got)
			}
		})
	}
}

func FuzzNormalizeUserCode(f *testing.F) {
	f.Add("WDJB-MJHT")
	f.Add("wdjb mjht")
	f.Fuzz(func(t *testing.T, typed string) {
		code, ok := oauth.NormalizeUserCode(typed)
		if !ok {
			return
		}
		if !userCodeForm.MatchString(code) {
			t.Fatalf("%q became %q", typed, code)
		}
		if again, ok := oauth.NormalizeUserCode(code); !ok || again != code {
			t.Fatalf("%q does not survive a round trip", code)
		}
	})
}
