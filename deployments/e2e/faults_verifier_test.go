package e2e

import (
	"bufio"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net/http"
	"os"
	"os/exec"
	"reflect"
	"slices"
	"sync"
	"testing"

	"github.com/golang-jwt/jwt/v5"
	"github.com/stretchr/testify/require"
)

// verifierVariable makes a process of this test binary a verifier of the issuer
// that it names, and of nothing else.
const verifierVariable = "E2E_VERIFIER"

// testimony is a token that the platform issued, and what was requested.
type testimony struct {
	Fault string         `json:"fault"` // during which it was answered
	Typ   string         `json:"typ"`
	Token string         `json:"token"`
	Want  map[string]any `json:"want"` // claims, each exactly so; of aud, one that is in it
}

// verdict is the result of a verifier.
type verdict struct {
	Tokens  int                 `json:"tokens"`
	Fetched int                 `json:"fetched"` // key sets
	Keys    int                 `json:"keys"`    // that signed
	Wrong   map[string][]string `json:"wrong"`   // why, by fault
}

// verifierMain is the process: testimonies come in, one a line, and the verdict
// goes out when no more come. It knows no code of the platform's, verifies with
// another JOSE library, and finds the keys as any resource server does.
func verifierMain(issuer string, in io.Reader, out io.Writer) int {
	v := &verifier{
		issuer: issuer,
		keys:   map[string]crypto.PublicKey{},
		seen:   map[string]bool{},
		signed: map[string]bool{},
	}

	said := verdict{Wrong: map[string][]string{}}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)

	for lines.Scan() {
		var t testimony
		err := json.Unmarshal(lines.Bytes(), &t)
		if err == nil {
			err = v.verify(t)
		}
		if err != nil {
			said.Wrong[t.Fault] = append(said.Wrong[t.Fault], err.Error())
		}

		said.Tokens++
	}

	said.Fetched, said.Keys = v.fetched, len(v.signed)

	if err := errors.Join(lines.Err(), json.NewEncoder(out).Encode(said)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}

	return 0
}

type verifier struct {
	issuer  string
	keys    map[string]crypto.PublicKey // by kid
	fetched int
	seen    map[string]bool // jti
	signed  map[string]bool // kid
}

func (v *verifier) verify(t testimony) error {
	claims := jwt.MapClaims{}
	token, err := jwt.ParseWithClaims(t.Token, claims, v.key,
		jwt.WithValidMethods([]string{"ES256", "RS256"}), jwt.WithIssuer(v.issuer), jwt.WithExpirationRequired(),
		jwt.WithIssuedAt(), jwt.WithStrictDecoding())
	if err != nil {
		return err
	}

	if token.Header["typ"] != t.Typ {
		return fmt.Errorf("typ is %v, not %s", token.Header["typ"], t.Typ)
	}

	for name, want := range t.Want {
		got := claims[name]
		if name == "aud" {
			if audience, _ := claims.GetAudience(); !slices.Contains([]string(audience), want.(string)) {
				return fmt.Errorf("aud is %v, without %v", got, want)
			}
			continue
		}

		if !reflect.DeepEqual(got, want) {
			return fmt.Errorf("%s is %v, not %v", name, got, want)
		}
	}

	if id, ok := claims["jti"].(string); ok {
		if v.seen[id] {
			return fmt.Errorf("the second token with jti %s", id)
		}
		v.seen[id] = true
	}

	v.signed[token.Header["kid"].(string)] = true
	return nil
}

// key is the key of the kid that a token names: one that is unknown has the set
// fetched again, once, as careful clients do.
func (v *verifier) key(token *jwt.Token) (any, error) {
	kid, _ := token.Header["kid"].(string)
	if key, ok := v.keys[kid]; ok {
		return key, nil
	}
	if err := v.fetch(); err != nil {
		return nil, err
	}
	if key, ok := v.keys[kid]; ok {
		return key, nil
	}

	return nil, fmt.Errorf("the key set has no key %s", kid)
}

// fetch goes from the issuer to its keys (OpenID Connect Discovery 4, RFC 7517 5).
func (v *verifier) fetch() error {
	v.fetched++
	var metadata struct {
		JWKSURI string `json:"jwks_uri"`
	}
	if err := getJSON(v.issuer+"/.well-known/openid-configuration", &metadata); err != nil {
		return err
	}

	var set struct {
		Keys []map[string]any `json:"keys"`
	}
	if err := getJSON(metadata.JWKSURI, &set); err != nil {
		return err
	}

	for _, k := range set.Keys {
		key, err := publicKey(k)
		if err != nil {
			return err
		}
		v.keys[k["kid"].(string)] = key
	}

	return nil
}

func getJSON(url string, into any) error {
	res, err := http.Get(url)
	if err != nil {
		return err
	}

	defer func() { _ = res.Body.Close() }()
	if res.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, res.Status)
	}
	return json.NewDecoder(res.Body).Decode(into)
}

// publicKey reads a JWK (RFC 7518 6.2 and 6.3, RFC 8037 2).
func publicKey(k map[string]any) (crypto.PublicKey, error) {
	octets := func(name string) []byte {
		text, _ := k[name].(string)
		raw, _ := base64.RawURLEncoding.DecodeString(text)
		return raw
	}
	switch k["kty"] {
	case "EC":
		point := slices.Concat([]byte{4}, octets("x"), octets("y")) // SEC 1 2.3.3
		return ecdsa.ParseUncompressedPublicKey(elliptic.P256(), point)
	case "RSA":
		e := new(big.Int).SetBytes(octets("e"))
		return &rsa.PublicKey{N: new(big.Int).SetBytes(octets("n")), E: int(e.Int64())}, nil
	case "OKP":
		return nil, nil //nolint:nilnil // no token of this test is signed with one
	default:
		return nil, fmt.Errorf("a key of type %v", k["kty"])
	}
}

// witness is our end of a verifier process.
type witness struct {
	cmd *exec.Cmd
	out io.Reader

	mu sync.Mutex
	in io.WriteCloser
}

func newWitness(t *testing.T, issuer string) *witness {
	t.Helper()
	self, err := os.Executable()
	require.NoError(t, err)
	w := &witness{cmd: exec.Command(self)}
	w.cmd.Env, w.cmd.Stderr = []string{verifierVariable + "=" + issuer}, os.Stderr
	w.in, err = w.cmd.StdinPipe()
	require.NoError(t, err)
	w.out, err = w.cmd.StdoutPipe()
	require.NoError(t, err)
	require.NoError(t, w.cmd.Start())
	t.Cleanup(func() { _ = w.cmd.Process.Kill() })

	return w
}

func (w *witness) hears(t testimony) {
	line, err := json.Marshal(t)
	if err != nil {
		panic(err) // of strings alone
	}

	w.mu.Lock()
	defer w.mu.Unlock()
	_, _ = w.in.Write(append(line, '\n')) // one that has died gives no verdict
}

func (w *witness) verdict(t *testing.T) (v verdict) {
	t.Helper()
	require.NoError(t, w.in.Close())
	require.NoError(t, json.NewDecoder(w.out).Decode(&v))
	require.NoError(t, w.cmd.Wait())
	return v
}
