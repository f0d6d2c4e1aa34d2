package e2e

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
)

// wiretap notes every secret that passes between a test and the platform, in
// either direction: what people type, applications present and the platform
// issues. It stands before the transport that checks the contract.
type wiretap struct {
	next http.RoundTripper

	mu   sync.Mutex
	seen map[string]string // what each secret is, by its value
}

// minSecret keeps out what is found anywhere by chance.
const minSecret = 8

// secretNames are the parameters, besides cookies, whose values must not appear in
// queries, forms and JSON.
var secretNames = map[string]bool{
	"code":             true,
	"code_verifier":    true,
	"client_secret":    true,
	"client_assertion": true,
	"password":         true,
	"current_password": true,
	"new_password":     true,
	"email":            true,
	"login_hint":       true,
	"refresh_token":    true,
	"access_token":     true,
	"id_token":         true,
	"token":            true,
	"subject_token":    true,
	"actor_token":      true,
	"id_token_hint":    true,
	"logout_token":     true,
	"device_code":      true,
	"user_code":        true,
	"csrf_token":       true,
	"state":            true,
	"nonce":            true,
	"phone_number":     true,
}

var hiddenToken = regexp.MustCompile(`name="csrf_token" value="([^"]+)"`)

// tapWire listens from now to the end of the test.
func tapWire(t *testing.T) *wiretap {
	t.Helper()
	w := &wiretap{next: http.DefaultTransport, seen: map[string]string{}}
	http.DefaultTransport = w
	t.Cleanup(func() { http.DefaultTransport = w.next })
	return w
}

// note remembers a secret, and of a JWT its signature and claims alone too.
func (w *wiretap) note(what, value string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if len(value) >= minSecret && w.seen[value] == "" {
		w.seen[value] = what
	}
	if parts := strings.Split(value, "."); len(parts) == 3 && strings.HasPrefix(value, "eyJ") {
		w.seen[parts[1]], w.seen[parts[2]] = "the claims of "+what, "the signature of "+what
	}
}

func (w *wiretap) noteValues(values url.Values) {
	for name, all := range values {
		for _, value := range all {
			if secretNames[name] {
				w.note(name, value)
			}
		}
	}
}

func (w *wiretap) noteJSON(v any) {
	switch v := v.(type) {
	case map[string]any:
		for name, inner := range v {
			if text, ok := inner.(string); ok && secretNames[name] {
				w.note(name, text)
			}
			w.noteJSON(inner)
		}
	case []any:
		for _, inner := range v {
			w.noteJSON(inner)
		}
	}
}

// RoundTrip implements http.RoundTripper.
func (w *wiretap) RoundTrip(r *http.Request) (*http.Response, error) {
	w.noteValues(r.URL.Query())

	for _, c := range r.Cookies() {
		w.note("the cookie "+c.Name, c.Value)
	}

	if scheme, credentials, ok := strings.Cut(r.Header.Get("Authorization"), " "); ok {
		w.note("the credentials of "+scheme, credentials)
	}

	if user, secret, ok := r.BasicAuth(); ok && user != "" {
		w.note("client_secret", secret)
	}

	for _, name := range []string{"Tracestate", "Baggage"} {
		w.note(name, r.Header.Get(name))
	}

	if r.Body != nil {
		body, err := drain(r.Body)
		if err != nil {
			return nil, err
		}
		if form, err := url.ParseQuery(string(body)); err == nil {
			w.noteValues(form)
		}

		r = withBody(r, body)
	}

	res, err := w.next.RoundTrip(r)
	if err != nil {
		return nil, err
	}

	return res, w.hear(res)
}

func (w *wiretap) hear(res *http.Response) error {
	for _, c := range res.Cookies() {
		w.note("the cookie "+c.Name, c.Value)
	}

	if location, err := res.Location(); err == nil {
		w.noteValues(location.Query())
	}

	body, err := drain(res.Body)
	if err != nil {
		return err
	}

	res.Body = io.NopCloser(bytes.NewReader(body))
	var answer any
	if json.Unmarshal(body, &answer) == nil {
		w.noteJSON(answer)
	}

	for _, found := range hiddenToken.FindAllSubmatch(body, -1) {
		w.note("csrf_token", string(found[1]))
	}

	return nil
}

// found lists which secrets stand in a text, plain or in one of the usual
// encodings.
func (w *wiretap) found(text []byte) []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	lower := bytes.ToLower(text)
	var all []string
	for value, what := range w.seen {
		for form, needle := range encodings(value) {
			if bytes.Contains(text, []byte(needle)) ||
				(form == "plain" && bytes.Contains(lower, []byte(strings.ToLower(value)))) {
				all = append(all, what+" ("+form+")")
			}
		}
	}

	slices.Sort(all)
	return slices.Compact(all)
}

// encodings are the ways in which a value may stand in a text. In base64 it may
// begin at any of three places of a group; the characters that depend on its
// neighbours are left out.
func encodings(value string) map[string]string {
	forms := map[string]string{
		"plain":          value,
		"in a URL":       url.QueryEscape(value),
		"in a path":      url.PathEscape(value),
		"in hexadecimal": hex.EncodeToString([]byte(value)),
	}
	for name, encoding := range map[string]*base64.Encoding{
		"in base64":    base64.RawStdEncoding,
		"in base64url": base64.RawURLEncoding,
	} {
		for shift := range 3 {
			whole := encoding.EncodeToString([]byte(strings.Repeat(" ", shift) + value))
			from, to := []int{0, 2, 3}[shift], len(whole)
			if (shift+len(value))%3 != 0 {
				to--
			}
			if core := whole[from:to]; len(core) >= minSecret {
				forms[name+" at "+string(rune('0'+shift))] = core
			}
		}
	}

	return forms
}
