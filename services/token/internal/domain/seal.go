package domain

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
)

// ErrSeal means that a seal wasn't made with this token and family.
var ErrSeal = errors.New("the seal does not open")

// SealSuccessor encrypts the token that replaces old, so that only a holder of old can read
// it. It uses AES-256-GCM with the key HMAC-SHA256(old, "successor"), bound to the family,
// and puts the nonce in front.
func SealSuccessor(old, family, successor string, random io.Reader) ([]byte, error) {
	aead, err := successorCipher(old)
	if err != nil {
		return nil, err
	}

	nonce := make([]byte, aead.NonceSize())
	if _, err := io.ReadFull(random, nonce); err != nil {
		return nil, fmt.Errorf("read randomness: %w", err)
	}
	return aead.Seal(nonce, nonce, []byte(successor), []byte(family)), nil
}

// OpenSuccessor decrypts the result of SealSuccessor. It returns ErrSeal if it can't.
func OpenSuccessor(old, family string, seal []byte) (successor string, err error) {
	aead, err := successorCipher(old)
	if err != nil {
		return "", err
	}

	if len(seal) < aead.NonceSize() {
		return "", ErrSeal
	}

	plain, err := aead.Open(nil, seal[:aead.NonceSize()], seal[aead.NonceSize():], []byte(family))
	if err != nil {
		return "", ErrSeal
	}

	return string(plain), nil
}

func successorCipher(old string) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, []byte(old))
	mac.Write([]byte("successor"))
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, err
	}
	return cipher.NewGCM(block)
}
