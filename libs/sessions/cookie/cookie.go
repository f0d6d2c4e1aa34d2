package cookie

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"net/http"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// The names without prefix. "__Host-" (RFC 6265bis 4.1.3.2) makes the browser refuse a cookie
// that a sibling domain or plain http tries to plant. It requires Secure, so a platform on
// http://127.0.0.1 goes without it.
const (
	hostPrefix  = "__Host-"
	browserName = "platform_browser"
	sessionName = "platform_session"
	accountName = "platform_accounts"
	deviceName  = "platform_device"
)

// deviceLifetime is how long a browser stays known to the accounts that signed in with it.
// maxDevice bounds its cookie, in bytes.
const (
	deviceLifetime = 365 * 24 * time.Hour
	maxDevice      = 512
)

// Jar reads and writes the cookies of one deployment. Every cookie is HttpOnly and
// SameSite=Lax, and has Path=/, which "__Host-" requires.
type Jar struct {
	Secure bool // the public URL is https
}

// Browser returns the value of the browser cookie, or an empty string if the request has none
// or one that the platform can't have set.
func (j Jar) Browser(r *http.Request) string { return j.read(r, browserName) }

// SetBrowser sets the browser cookie. It lasts until the browser is closed; the flows it binds
// expire after half an hour anyway.
func (j Jar) SetBrowser(w http.ResponseWriter, value string) {
	http.SetCookie(w, j.cookie(browserName, value, 0))
}

// Session returns the value of the session cookie, or an empty string if the request has none
// or one that the platform can't have set.
func (j Jar) Session(r *http.Request) string { return j.read(r, sessionName) }

// SetSession sets the session cookie. lifetime is the absolute lifetime of the session, rounded
// to whole seconds.
func (j Jar) SetSession(w http.ResponseWriter, value string, lifetime time.Duration) {
	http.SetCookie(w, j.cookie(sessionName, value, max(1, int(lifetime/time.Second))))
}

// ClearSession removes the session cookie from the browser.
func (j Jar) ClearSession(w http.ResponseWriter) {
	http.SetCookie(w, j.cookie(sessionName, "", -1))
}

// Accounts returns the value of the cookie that all sessions of this browser share, or an empty
// string. Like the session cookie it is renewed at each sign-in, so that an attacker who knew
// the old value can't learn who signs in.
func (j Jar) Accounts(r *http.Request) string { return j.read(r, accountName) }

// SetAccounts sets the accounts cookie, for as long as the session cookie.
func (j Jar) SetAccounts(w http.ResponseWriter, value string, lifetime time.Duration) {
	http.SetCookie(w, j.cookie(accountName, value, max(1, int(lifetime/time.Second))))
}

// Device returns the cookie by which accounts recognise this browser, as it was sent. Its
// content counts only after its signatures have been checked.
func (j Jar) Device(r *http.Request) string {
	c, err := r.Cookie(j.name(deviceName))
	if err != nil || len(c.Value) > maxDevice {
		return ""
	}
	return c.Value
}

// SetDevice sets the device cookie, for a year.
func (j Jar) SetDevice(w http.ResponseWriter, value string) {
	http.SetCookie(w, j.cookie(deviceName, value, int(deviceLifetime/time.Second)))
}

func (j Jar) name(name string) string {
	if j.Secure {
		return hostPrefix + name
	}
	return name
}

func (j Jar) cookie(name, value string, maxAge int) *http.Cookie {
	return &http.Cookie{ //nolint:gosec // not Secure only where the public URL is http, on loopback
		Name:     j.name(name),
		Value:    value,
		Path:     "/",
		MaxAge:   maxAge,
		Secure:   j.Secure,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
}

// read returns only values in the form of oauth.NewSecret, so that no arbitrary text gets past
// this point.
func (j Jar) read(r *http.Request, name string) string {
	c, err := r.Cookie(j.name(name))
	if err != nil || !wellFormed(c.Value) {
		return ""
	}
	return c.Value
}

func wellFormed(value string) bool {
	var b [sha256.Size]byte
	if len(value) != base64.RawURLEncoding.EncodedLen(len(b)) {
		return false
	}
	n, err := base64.RawURLEncoding.Decode(b[:], []byte(value))
	return err == nil && n == len(b)
}

// Hash returns the form in which a cookie is stored and looked up. It returns nil for an empty
// value, so that a missing cookie can match no row.
func Hash(value string) []byte {
	if value == "" {
		return nil
	}
	return oauth.HashSecret(value)
}

// CSRFToken derives the token that a form carries in a hidden field. It is bound to the browser
// by its cookie, and to one purpose, such as a flow's id. Another site can neither read the
// cookie nor compute the token.
func CSRFToken(browser, purpose string) string {
	if browser == "" {
		return ""
	}
	mac := hmac.New(sha256.New, []byte(browser))
	mac.Write([]byte("csrf\x00" + purpose))
	return base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// Purpose returns a CSRF token's purpose that names a form and everything its page showed, such
// as the session, the person, the application and the scopes. A form whose page would now show
// something else is refused.
func Purpose(form string, shown ...string) string {
	mac := sha256.New()
	for _, part := range append([]string{form}, shown...) {
		var length [8]byte
		binary.BigEndian.PutUint64(length[:], uint64(len(part)))
		mac.Write(length[:])
		mac.Write([]byte(part))
	}
	return form + " " + base64.RawURLEncoding.EncodeToString(mac.Sum(nil))
}

// CheckCSRF reports, in constant time, whether token is the CSRFToken for this browser and
// purpose. Without a browser cookie it returns false.
func CheckCSRF(browser, purpose, token string) bool {
	return browser != "" && hmac.Equal([]byte(CSRFToken(browser, purpose)), []byte(token))
}
