package signing_test

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
)

var everyAlgorithm = []signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA}

type claims struct {
	Issuer string `json:"iss"`
	Name   string `json:"name"`
}

var someClaims = claims{Issuer: "https://id.example/api/v1/platform/oauth", Name: "a <b> & ü"}

func header(t testing.TB, token string) jose.Header {
	t.Helper()
	jws, err := jose.ParseSignedCompact(token,
		[]jose.SignatureAlgorithm{jose.RS256, jose.PS256, jose.ES256, jose.EdDSA})
	require.NoError(t, err)
	return jws.Signatures[0].Protected
}

func TestAnotherLibraryVerifiesOurTokens(t *testing.T) {
	b := newBench(t, everyAlgorithm...)
	for _, key := range b.ring.Published() {
		t.Run(string(key.Algorithm), func(t *testing.T) {
			token, err := b.ring.Sign(t.Context(), key.Algorithm, "at+jwt", someClaims)
			require.NoError(t, err)
			jws, err := jose.ParseSignedCompact(token,
				[]jose.SignatureAlgorithm{jose.SignatureAlgorithm(key.Algorithm)})
			require.NoError(t, err)
			payload, err := jws.Verify(key.PublicKey)
			require.NoError(t, err)
			require.JSONEq(t, `{"iss":"https://id.example/api/v1/platform/oauth","name":"a <b> & ü"}`, string(payload))
			require.Contains(t, string(payload), "<b> &", "HTML escapes only make tokens longer")
			require.Equal(t, key.KID, header(t, token).KeyID)
			require.Equal(t, "at+jwt", header(t, token).ExtraHeaders[jose.HeaderType])

			input, encoded := token[:strings.LastIndexByte(token, '.')], token[strings.LastIndexByte(token, '.')+1:]
			signature, err := base64.RawURLEncoding.Strict().DecodeString(encoded)
			require.NoError(t, err)
			require.NoError(t, signingtest.Check(key, []byte(input), signature), "and so does the standard library")

			payload, err = b.ring.Verify(t.Context(), token, "at+jwt")
			require.NoError(t, err)
			require.Contains(t, string(payload), "<b> &")
		})
	}
}

func TestTheTypeIsComparedAsAMediaType(t *testing.T) {
	// RFC 7515 4.1.9: case does not count, "application/" may be left out where
	// nothing else has a slash.
	b := newBench(t, signing.ES256)
	for name, c := range map[string]struct {
		typ    string
		wanted []string
		ok     bool
	}{
		"the same":                              {"at+jwt", []string{"at+jwt"}, true},
		"another case":                          {"AT+JWT", []string{"at+jwt"}, true},
		"with application/ in the token":        {"application/at+jwt", []string{"at+jwt"}, true},
		"with Application/ in the token":        {"Application/At+Jwt", []string{"at+jwt"}, true},
		"with application/ in what is wanted":   {"at+jwt", []string{"application/at+jwt"}, true},
		"one of several":                        {"JWT", []string{"at+jwt", "JWT"}, true},
		"an ID token isn't an access token":     {"JWT", []string{"at+jwt"}, false},
		"an access token isn't an ID token":     {"at+jwt", []string{"JWT"}, false},
		"another tree is another type":          {"text/at+jwt", []string{"at+jwt"}, false},
		"application/ twice is another type":    {"application/application/at+jwt", []string{"at+jwt"}, false},
		"no type":                               {"", []string{"at+jwt"}, false},
		"no type, and an empty one wanted":      {"", []string{""}, false},
		"nothing wanted":                        {"at+jwt", nil, false},
		"application/ alone is not the no-type": {"application/", []string{""}, false},
	} {
		t.Run(name, func(t *testing.T) {
			token, err := b.ring.Sign(t.Context(), signing.ES256, c.typ, someClaims)
			require.NoError(t, err)
			_, err = b.ring.Verify(t.Context(), token, c.wanted...)
			if c.ok {
				require.NoError(t, err)
			} else {
				require.ErrorIs(t, err, signing.ErrInvalid)
			}
		})
	}
}

func TestVerifyRefusesWhatIsNotOurs(t *testing.T) {
	b := newBench(t, everyAlgorithm...)
	good, err := b.ring.Sign(t.Context(), signing.ES256, "JWT", someClaims)
	require.NoError(t, err)
	parts := strings.Split(good, ".")
	var es256, rs256 signing.Key
	for _, key := range b.ring.Published() {
		switch key.Algorithm {
		case signing.ES256:
			es256 = key
		case signing.RS256:
			rs256 = key
		default:
		}
	}

	encode := func(header string) string { return base64.RawURLEncoding.EncodeToString([]byte(header)) }
	signed := func(header string, signer signing.Key, as signing.Algorithm) string {
		input := encode(header) + "." + parts[1]
		signer.Algorithm = as
		signature, err := b.keys.Sign(t.Context(), signer, []byte(input))
		require.NoError(t, err)
		return input + "." + base64.RawURLEncoding.EncodeToString(signature)
	}

	stranger := signingtest.NewKey(t, b.keys, signing.ES256, 9, start)
	strangerJWK, err := signing.PublicJWK(stranger)
	require.NoError(t, err)

	for name, token := range map[string]string{
		"nothing":    "",
		"no token":   "hello",
		"two parts":  parts[0] + "." + parts[1],
		"four parts": good + ".x",
		"no signature (RFC 8725 2.1)": encode(`{"alg":"none","typ":"JWT","kid":"`+es256.KID+`"}`) + "." + parts[1] +
			".",
		"an empty signature":            parts[0] + "." + parts[1] + ".",
		"another payload":               parts[0] + "." + encode(`{"iss":"evil"}`) + "." + parts[2],
		"a line break in the signature": good[:len(good)-3] + "\n" + good[len(good)-3:],
		"padding":                       good + "=",
		"leading space":                 " " + good,
		"JSON serialization": `{"payload":"` + parts[1] + `","protected":"` + parts[0] + `","signature":"` +
			parts[2] + `"}`,
		"a header that isn't JSON": encode(`{`) + "." + parts[1] + "." + parts[2],
		"no kid":                   signed(`{"alg":"ES256","typ":"JWT"}`, es256, signing.ES256),
		"an unknown kid":           signed(`{"alg":"ES256","typ":"JWT","kid":"nobody"}`, es256, signing.ES256),
		"an attacker's key under our kid": signed(`{"alg":"ES256","typ":"JWT","kid":"`+es256.KID+`"}`,
			stranger, signing.ES256),
		"a key brought along (jwk)": signed(`{"alg":"ES256","typ":"JWT","kid":"`+es256.KID+`","jwk":`+
			string(strangerJWK)+`}`, stranger, signing.ES256),
		"PS256 with the RS256 key": signed(`{"alg":"PS256","typ":"JWT","kid":"`+rs256.KID+`"}`,
			rs256, signing.PS256),
		"HS256 with a public key": signed(`{"alg":"HS256","typ":"JWT","kid":"`+rs256.KID+`"}`,
			rs256, signing.RS256),
		"an extension that is a must": signed(`{"alg":"ES256","typ":"JWT","kid":"`+es256.KID+`","crit":["x"],"x":1}`,
			es256, signing.ES256),
		"a type that is a number": signed(`{"alg":"ES256","typ":1,"kid":"`+es256.KID+`"}`, es256, signing.ES256),
		"more than 16 KiB":        good + strings.Repeat("A", 16<<10),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := b.ring.Verify(t.Context(), token, "JWT")
			require.ErrorIs(t, err, signing.ErrInvalid)
		})
	}

	_, err = b.ring.Verify(t.Context(),
		signed(`{"alg":"ES256","typ":"JWT","kid":"`+es256.KID+`"}`, es256, signing.ES256), "JWT")
	require.NoError(t, err, "the helper of this test makes good ones too")
}

func TestVerifyFollowsTheSchedule(t *testing.T) {
	b := newBench(t, signing.ES256)
	token, err := b.ring.Sign(t.Context(), signing.ES256, "JWT", someClaims)
	require.NoError(t, err)
	key := b.ring.Published()[0]

	retiring := key
	retiring.RetireAt = start.Add(time.Hour)
	b.schedule.Set(retiring)
	require.NoError(t, b.ring.Load(t.Context()))
	b.at(start.Add(time.Hour - time.Microsecond))
	_, err = b.ring.Verify(t.Context(), token, "JWT")
	require.NoError(t, err)
	b.at(start.Add(time.Hour))
	_, err = b.ring.Verify(t.Context(), token, "JWT")
	require.ErrorIs(t, err, signing.ErrInvalid, "retired, without another reading")

	b.at(start)
	revoked := key
	revoked.RevokedAt = start
	b.schedule.Set(revoked)
	require.NoError(t, b.ring.Load(t.Context()))
	_, err = b.ring.Verify(t.Context(), token, "JWT")
	require.ErrorIs(t, err, signing.ErrInvalid, "revoked")
}

func TestAnUnknownKidReadsTheScheduleOnceInAWhile(t *testing.T) {
	b := newBench(t, signing.ES256)
	key := b.ring.Published()[0]
	token, err := b.ring.Sign(t.Context(), signing.ES256, "JWT", someClaims)
	require.NoError(t, err)

	b.schedule.Set()
	require.NoError(t, b.ring.Load(t.Context()))
	_, err = b.ring.Verify(t.Context(), token, "JWT")
	require.ErrorIs(t, err, signing.ErrNoKey, "an empty ring cannot tell")
	require.True(t, unavailable(err))

	b.schedule.Set(key)
	b.at(start.Add(5 * time.Second))
	_, err = b.ring.Verify(t.Context(), token, "JWT")
	require.NoError(t, err, "the key was there after all")

	reads := b.schedule.Reads()
	forged := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"ES256","typ":"JWT","kid":"nobody"}`)) +
		token[strings.IndexByte(token, '.'):]
	b.at(start.Add(10 * time.Second))
	var all sync.WaitGroup
	errs := make([]error, 50)
	for i := range errs {
		all.Go(func() { _, errs[i] = b.ring.Verify(t.Context(), forged, "JWT") })
	}

	all.Wait()

	for _, err := range errs {
		require.ErrorIs(t, err, signing.ErrInvalid)
	}

	require.Equal(t, reads+1, b.schedule.Reads())

	b.schedule.Fail(errors.New("database is away"))
	b.at(start.Add(15 * time.Second))
	_, err = b.ring.Verify(t.Context(), forged, "JWT")
	require.ErrorIs(t, err, signing.ErrInvalid)
	_, err = b.ring.Verify(t.Context(), token, "JWT")
	require.NoError(t, err, "the last good set stays")
}

func TestThumbprints(t *testing.T) {
	for name, c := range map[string]struct{ jwk, want string }{
		"RFC 7638 3.1": {
			`{"kty":"RSA","n":"0vx7agoebGcQSuuPiLJXZptN9nndrQmbXEps2aiAFbWhM78LhWx4cbbfAAtVT86zwu1RK7aPFFxuhDR1L6tSoc_BJECPebWKRXjBZCiFV4n3oknjhMstn64tZ_2W-5JsGY4Hc5n9yBXArwl93lqt7_RN5w6Cf0h4QyQ5v-65YGjQR0_FDW2QvzqY368QQMicAtaSqzs8KJZgnYb9c7d0zgdAZHzu6qMQvRL5hajrn1n91CbOpbISD08qNLyrdkt-bFTWhAI4vMQFh6WeZu0fM4lFd2NcRwr3XPksINHaQ-G_xBniIqbw0Ls1jF44-csFCur-kEgU8awapJzKnqDKgw","e":"AQAB"}`,
			"NzbLsXh8uDCcd-6MNwXF4W_7noWXFZAfHkxZsRGC9Xs",
		},
		"RFC 8037 appendix A.3": {
			`{"kty":"OKP","crv":"Ed25519","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
			"kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k",
		},
	} {
		t.Run(name, func(t *testing.T) {
			public, err := signing.ParsePublicJWK([]byte(c.jwk))
			require.NoError(t, err)
			require.Equal(t, c.want, signing.Thumbprint(public))
		})
	}

	require.Empty(t, signing.Thumbprint("a string"))
	require.Empty(t, signing.Thumbprint([]byte("a symmetric key")))
}

func TestPublicJWKsHaveNothingPrivate(t *testing.T) {
	b := newBench(t, everyAlgorithm...)
	fields := map[signing.Algorithm][]string{
		signing.RS256: {"n", "e"},
		signing.PS256: {"n", "e"},
		signing.ES256: {"crv", "x", "y"},
		signing.EdDSA: {"crv", "x"},
	}
	for _, key := range b.ring.Published() {
		raw, err := signing.PublicJWK(key)
		require.NoError(t, err)
		var jwk map[string]string
		require.NoError(t, json.Unmarshal(raw, &jwk))
		names := make([]string, 0, len(jwk))
		for name := range jwk {
			names = append(names, name)
		}

		require.ElementsMatch(t, append(fields[key.Algorithm], "kty", "kid", "use", "alg"), names)
		require.Equal(t, []string{key.KID, "sig", string(key.Algorithm)}, []string{jwk["kid"], jwk["use"], jwk["alg"]})
		public, err := signing.ParsePublicJWK(raw)
		require.NoError(t, err)
		require.Equal(t, key.PublicKey, public)
	}

	_, err := signing.PublicJWK(signing.Key{Algorithm: signing.RS256, PublicKey: "private"})
	require.Error(t, err)

	for _, raw := range []string{
		``, `{}`, `{"kty":"oct","k":"AAAA"}`,
		`{"kty":"OKP","crv":"Ed25519","d":"nWGxne_9WmC6hEr0kuwsxERJxWl7MmkZcDusAxyuf2A","x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}`,
	} {
		_, err := signing.ParsePublicJWK([]byte(raw))
		require.Error(t, err, raw)
	}
}

// fixedKeys is a backend whose keys are the same in every process: the fuzzer's
// workers are processes of their own.
type fixedKeys map[string]crypto.Signer

func (f fixedKeys) Sign(_ context.Context, key signing.Key, input []byte) ([]byte, error) {
	switch private := f[key.Ref].(type) {
	case ed25519.PrivateKey:
		return ed25519.Sign(private, input), nil
	case *ecdsa.PrivateKey:
		digest := sha256.Sum256(input)
		r, s, err := ecdsa.Sign(rand.Reader, private, digest[:])
		if err != nil {
			return nil, err
		}
		return append(r.FillBytes(make([]byte, 32)), s.FillBytes(make([]byte, 32))...), nil
	default:
		return nil, signing.ErrKeyMissing
	}
}

func FuzzVerify(f *testing.F) {
	seed := sha256.Sum256([]byte("a seed for a test"))
	p256, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	require.NoError(f, err)
	backend := fixedKeys{"ES256": p256, "EdDSA": ed25519.NewKeyFromSeed(seed[:])}
	var keys []signing.Key
	for ref, private := range backend {
		keys = append(keys, signing.Key{
			KID:         signing.Thumbprint(private.Public()),
			Algorithm:   signing.Algorithm(ref),
			Generation:  1,
			Ref:         ref,
			PublicKey:   private.Public(),
			PublishedAt: start,
			ActiveFrom:  start,
		})
	}

	ring := signing.NewRing(signing.RingOptions{
		Schedule: signingtest.NewSchedule(keys...), Backend: backend, Now: func() time.Time { return start },
	})
	require.NoError(f, ring.Load(f.Context()))
	ours := map[string]bool{} // header.payload
	for _, key := range keys {
		token, err := ring.Sign(f.Context(), key.Algorithm, "at+jwt", someClaims)
		require.NoError(f, err)
		_, err = ring.Verify(f.Context(), token, "at+jwt")
		require.NoError(f, err)
		ours[token[:strings.LastIndexByte(token, '.')]] = true
		f.Add(token)
		f.Add(token[:len(token)-1])
	}

	f.Add(`eyJhbGciOiJub25lIn0.e30.`)
	f.Add(`..`)
	f.Fuzz(func(t *testing.T, token string) {
		payload, err := ring.Verify(t.Context(), token, "at+jwt")
		if err != nil {
			require.ErrorIs(t, err, signing.ErrInvalid)
			return
		}
		require.True(t, ours[token[:strings.LastIndexByte(token, '.')]], "forged: %s", payload)
	})
}

func BenchmarkSign(b *testing.B) {
	bench := newBench(b, everyAlgorithm...)
	for _, alg := range everyAlgorithm {
		b.Run(string(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.ring.Sign(b.Context(), alg, "at+jwt", someClaims); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkVerify(b *testing.B) {
	bench := newBench(b, everyAlgorithm...)
	for _, alg := range everyAlgorithm {
		token, err := bench.ring.Sign(b.Context(), alg, "at+jwt", someClaims)
		require.NoError(b, err)
		b.Run(fmt.Sprint(alg), func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := bench.ring.Verify(b.Context(), token, "at+jwt"); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
