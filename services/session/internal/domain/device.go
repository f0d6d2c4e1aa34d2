package domain

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"strings"
	"time"
)

const (
	maxDeviceAccounts = 5
	deviceDays        = 365
	deviceNonce       = 16 // bytes
	deviceMAC         = 16 // bytes
	day               = 24 * time.Hour
)

// A device cookie says which accounts have signed in with a browser. It consists of a nonce
// of the browser's own and, for each account, the day and a MAC over nonce, day and
// address. It contains no address, and an attacker can't make one for an account that they
// can't sign in to. It proves no more than that.

// KnowsDevice reports whether an account signed in with the cookie's browser within the
// last year.
func KnowsDevice(secret []byte, cookie, email string, now time.Time) bool {
	nonce, entries := parseDevice(cookie)
	for _, entry := range entries {
		if signedEntry(secret, nonce, entry, email) && fresh(entry, now) {
			return true
		}
	}
	return false
}

// DeviceName returns the encoded nonce of a device cookie, which identifies the browser. It
// returns "" if cookie isn't a device cookie.
func DeviceName(cookie string) string {
	nonce, _ := parseDevice(cookie)
	if nonce == nil {
		return ""
	}

	return encode(nonce)
}

// RememberDevice adds an account to a device cookie or refreshes its entry, and drops the
// oldest of too many accounts. If cookie isn't a device cookie, it creates a new one.
func RememberDevice(random io.Reader, secret []byte, cookie, email string, now time.Time) (string, error) {
	nonce, entries := parseDevice(cookie)
	if nonce == nil {
		nonce = make([]byte, deviceNonce)
		if _, err := io.ReadFull(random, nonce); err != nil {
			return "", fmt.Errorf("read randomness: %w", err)
		}
	}

	stamp := binary.BigEndian.AppendUint16(nil,
		uint16(now.Unix()/int64(day/time.Second))) //nolint:gosec // until the year 2149
	parts := []string{encode(nonce), encode(append(stamp, deviceSignature(secret, nonce, stamp, email)...))}
	for _, entry := range entries {
		if len(parts) <= maxDeviceAccounts && !signedEntry(secret, nonce, entry, email) {
			parts = append(parts, encode(entry))
		}
	}

	return strings.Join(parts, "."), nil
}

func parseDevice(cookie string) (nonce []byte, entries [][]byte) {
	parts := strings.Split(cookie, ".")
	if len(parts) > maxDeviceAccounts+1 {
		return nil, nil
	}

	for i, part := range parts {
		b, err := base64.RawURLEncoding.Strict().DecodeString(part)
		switch {
		case err != nil:
			return nil, nil
		case i == 0 && len(b) == deviceNonce:
			nonce = b
		case i > 0 && len(b) == 2+deviceMAC:
			entries = append(entries, b)
		default:
			return nil, nil
		}
	}

	return nonce, entries
}

func signedEntry(secret, nonce, entry []byte, email string) bool {
	return hmac.Equal(entry[2:], deviceSignature(secret, nonce, entry[:2], email))
}

func fresh(entry []byte, now time.Time) bool {
	since := time.Unix(int64(binary.BigEndian.Uint16(entry))*int64(day/time.Second), 0)
	return now.Sub(since) <= deviceDays*day
}

func deviceSignature(secret, nonce, stamp []byte, email string) []byte {
	mac := hmac.New(sha256.New, secret)
	mac.Write(nonce)
	mac.Write(stamp)
	mac.Write([]byte(email))
	return mac.Sum(nil)[:deviceMAC]
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
