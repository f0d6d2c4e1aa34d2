package sealed

import (
	"crypto/aes"
	"crypto/cipher"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Label is the purpose of the keys, for config.Encryption.DeriveAll.
const Label = "sealed flows"

// MaxToken bounds a token, in bytes. By default nginx accepts 4 KiB for all headers of a
// response, and the token is in Location. A flow that doesn't fit is stored in a row at once.
const MaxToken = 3000

// saltSize is the size, in bytes, of the salt that a token's own key is derived with. Random
// salts of 192 bits never collide, however many tokens an attacker makes the platform issue.
const saltSize = 24

// ErrInvalid is returned for a token that wasn't sealed by this platform for the given use.
var ErrInvalid = errors.New("sealed: not a token of this use")

// Use says where a token is accepted. A token made for one use is invalid for the other.
type Use string

// Uses, each with the prefix of its tokens.
const (
	// Pages marks a flow at the sign-in pages. It names the browser that it was sealed for, but
	// belongs to the one in which a person first acts on it.
	Pages Use = "fls_"
	// Kept marks a request that came to the authorization endpoint by POST and waits for its
	// own GET. It isn't bound to a browser, and is worth no more than its parameters.
	Kept Use = "fkp_"
)

// Is reports whether a value looks like a token of this use. It doesn't check whether the token
// is valid.
func (u Use) Is(value string) bool { return strings.HasPrefix(value, string(u)) }

// Sealer seals and opens flows.
type Sealer struct {
	keys   [][]byte
	random io.Reader
}

// New returns a Sealer that seals with the first key and opens with any of them. Keys have 32
// bytes.
func New(keys [][]byte, random io.Reader) (*Sealer, error) {
	if len(keys) == 0 {
		return nil, errors.New("sealed: no key: set PLATFORM_ENCRYPTION_KEYS")
	}
	return &Sealer{keys: keys, random: random}, nil
}

// Seal returns the token of an undecided flow. It returns false if the token would be longer than
// MaxToken; such a flow needs a row.
func (s *Sealer) Seal(use Use, f *grants.Flow) (token string, fits bool, err error) {
	plain, err := json.Marshal(wrap(f))
	if err != nil {
		return "", false, fmt.Errorf("seal a request: %w", err)
	}

	size := saltSize + len(plain) + 16 // AES-GCM adds a 16-byte tag
	if len(use)+base64.RawURLEncoding.EncodedLen(size) > MaxToken {
		return "", false, nil
	}

	salt := make([]byte, saltSize, size)
	if _, err := io.ReadFull(s.random, salt); err != nil {
		return "", false, fmt.Errorf("seal a request: %w", err)
	}

	aead, err := tokenCipher(s.keys[0], salt)
	if err != nil {
		return "", false, err
	}

	box := aead.Seal(salt, make([]byte, aead.NonceSize()), plain, []byte(use)) //nolint:gosec // each token has a key of its own
	return string(use) + base64.RawURLEncoding.EncodeToString(box), true, nil
}

// Open returns the flow in a token, whether or not it has expired, since the caller has to
// tell the person about an expired one. It returns ErrInvalid if the token isn't of this use,
// was changed, or isn't one that Seal makes.
func (s *Sealer) Open(use Use, token string) (*grants.Flow, error) {
	text, ok := strings.CutPrefix(token, string(use))
	if !ok || len(token) > MaxToken || strings.ContainsAny(text, "\r\n") { // base64 decoding ignores these
		return nil, ErrInvalid
	}

	box, err := base64.RawURLEncoding.Strict().DecodeString(text)
	if err != nil || len(box) < saltSize {
		return nil, ErrInvalid
	}

	plain, ok := s.decrypt(use, box[:saltSize], box[saltSize:])
	if !ok {
		return nil, ErrInvalid
	}

	var w wire
	if err := json.Unmarshal(plain, &w); err != nil {
		return nil, fmt.Errorf("open a sealed request: %w", err) // sealed by another version
	}

	f := w.unwrap()
	if f.ExpiresAt.Sub(f.CreatedAt) > grants.FlowTTL { // its row would be removed too early
		return nil, ErrInvalid
	}

	if use == Pages {
		f.Sealed = token
	}

	return f, nil
}

func (s *Sealer) decrypt(use Use, salt, box []byte) (plain []byte, ok bool) {
	for _, key := range s.keys {
		aead, err := tokenCipher(key, salt)
		if err != nil {
			return nil, false
		}
		if plain, err = aead.Open(nil, make([]byte, aead.NonceSize()), box, []byte(use)); err == nil {
			return plain, true
		}
	}

	return nil, false
}

// tokenCipher returns a cipher with a key derived for this token alone, so that the nonce may
// be zero.
func tokenCipher(key, salt []byte) (cipher.AEAD, error) {
	mac := hmac.New(sha256.New, key)
	mac.Write(salt)
	block, err := aes.NewCipher(mac.Sum(nil))
	if err != nil {
		return nil, fmt.Errorf("sealed: %w", err)
	}
	return cipher.NewGCM(block)
}

// wire is a flow inside a token. Names are short because the token is part of a URL.
type wire struct {
	ID            string `json:"i"`
	Kind          string `json:"k"`
	BrowserHash   []byte `json:"b,omitempty"`
	ClientID      string `json:"c,omitempty"`
	RedirectURI   string `json:"r,omitempty"`
	ResponseMode  string `json:"m,omitempty"`
	Scope         string `json:"s,omitempty"`
	State         []byte `json:"t,omitempty"` // base64: as JSON text it may grow sixfold
	Nonce         []byte `json:"n,omitempty"`
	CodeChallenge string `json:"p,omitempty"`
	Prompt        string `json:"q,omitempty"`
	MaxAge        *int   `json:"a,omitempty"`
	LoginHint     string `json:"l,omitempty"`
	ACRValues     string `json:"v,omitempty"`
	UILocales     string `json:"u,omitempty"`
	Resource      string `json:"o,omitempty"`
	HintSubject   string `json:"h,omitempty"`
	UserCode      string `json:"d,omitempty"`
	TenantID      string `json:"e,omitempty"`
	Trace         string `json:"w,omitempty"`
	CreatedAt     int64  `json:"x"` // microseconds
	ExpiresAt     int64  `json:"y"`
}

func wrap(f *grants.Flow) wire {
	w := wire{
		ID:          f.ID,
		Kind:        string(f.Kind),
		BrowserHash: f.BrowserHash,
		ClientID:    f.ClientID,
		Scope:       f.Scope.String(),
		Resource:    f.Resource,
		Prompt:      f.Prompt.String(),
		MaxAge:      f.MaxAge,
		LoginHint:   f.LoginHint,
		ACRValues:   f.ACRValues,
		HintSubject: f.HintSubject,
		UILocales:   f.UILocales,
		TenantID:    f.TenantID,
		Trace:       f.TraceParent,
		CreatedAt:   f.CreatedAt.UnixMicro(),
		ExpiresAt:   f.ExpiresAt.UnixMicro(),
	}
	if a := f.Authorize; a != nil {
		w.RedirectURI, w.ResponseMode, w.CodeChallenge = a.RedirectURI, string(a.ResponseMode), a.CodeChallenge
		w.State, w.Nonce = []byte(a.State), []byte(a.Nonce)
	}
	if d := f.Device; d != nil {
		w.UserCode = d.UserCode
	}

	return w
}

func (w *wire) unwrap() *grants.Flow {
	scope, _ := oauth.ParseScopes(w.Scope)   // was parsed when it was sealed
	prompt, _ := oauth.ParsePrompt(w.Prompt) // likewise
	f := &grants.Flow{
		ID:          w.ID,
		Kind:        grants.Kind(w.Kind),
		BrowserHash: w.BrowserHash,
		UILocales:   w.UILocales,
		TraceParent: w.Trace,
		CreatedAt:   time.UnixMicro(w.CreatedAt).UTC(),
		ExpiresAt:   time.UnixMicro(w.ExpiresAt).UTC(),
		Access:      grants.Access{ClientID: w.ClientID, Scope: scope, Resource: w.Resource},
		Wishes: grants.Wishes{
			Prompt:      prompt,
			MaxAge:      w.MaxAge,
			LoginHint:   w.LoginHint,
			ACRValues:   w.ACRValues,
			HintSubject: w.HintSubject,
		},
		Visit: grants.Visit{TenantID: w.TenantID},
	}

	switch f.Kind {
	case grants.KindAuthorize:
		f.Authorize = &grants.Authorization{
			RedirectURI:   w.RedirectURI,
			ResponseMode:  oauth.ResponseMode(w.ResponseMode),
			State:         string(w.State),
			Nonce:         string(w.Nonce),
			CodeChallenge: w.CodeChallenge,
		}
	case grants.KindDevice:
		f.Device = &grants.DeviceSignIn{UserCode: w.UserCode}
	}

	return f
}
