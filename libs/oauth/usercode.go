package oauth

import (
	"fmt"
	"io"
	"strings"
)

// userCodeAlphabet has no vowels, so that no words appear, and no characters that are easily
// confused (RFC 8628 6.1).
const userCodeAlphabet = "BCDFGHJKLMNPQRSTVWXZ"

// NewUserCode draws eight of twenty consonants, about 34 bits, each equally likely, and returns
// them as XXXX-XXXX (RFC 8628 6.1).
func NewUserCode(random io.Reader) (string, error) {
	const unbiased = 256 - 256%len(userCodeAlphabet)
	code := make([]byte, 0, 9)
	var b [16]byte
	for {
		if _, err := io.ReadFull(random, b[:]); err != nil {
			return "", fmt.Errorf("read randomness: %w", err)
		}

		for _, v := range b {
			if int(v) >= unbiased {
				continue
			}
			if len(code) == 4 {
				code = append(code, '-')
			}

			code = append(code, userCodeAlphabet[int(v)%len(userCodeAlphabet)])
			if len(code) == 9 {
				return string(code), nil
			}
		}
	}
}

// NormalizeUserCode returns typed input in the form XXXX-XXXX, ignoring case and punctuation
// (RFC 8628 6.1). ok is false if it can't be a code.
func NormalizeUserCode(typed string) (code string, ok bool) {
	if len(typed) > 64 {
		return "", false
	}

	out := make([]byte, 0, 9)
	for i := range len(typed) {
		c := typed[i]
		if 'a' <= c && c <= 'z' {
			c -= 'a' - 'A'
		}

		isLetter := ('A' <= c && c <= 'Z') || ('0' <= c && c <= '9') || c >= 0x80
		switch {
		case strings.IndexByte(userCodeAlphabet, c) >= 0:
			if len(out) == 9 {
				return "", false
			}
			if len(out) == 4 {
				out = append(out, '-')
			}

			out = append(out, c)
		case isLetter:
			return "", false
		}
	}

	return string(out), len(out) == 9
}
