package cookie_test

import (
	"crypto/rand"
	"fmt"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/sessions/cookie"
)

func ExampleJar() {
	jar := cookie.Jar{Secure: true}
	value, err := oauth.NewSecret(rand.Reader)
	if err != nil {
		panic(err)
	}

	w := httptest.NewRecorder()
	jar.SetSession(w, value, 8*time.Hour)
	sent := w.Result().Cookies()[0]
	fmt.Println(sent.Name, sent.MaxAge, sent.Secure, sent.HttpOnly)

	r := httptest.NewRequest(http.MethodGet, "/account", nil)
	fmt.Printf("%q\n", jar.Session(r))

	r.AddCookie(sent)
	fmt.Println(jar.Session(r) == value)

	// Output:
	// __Host-platform_session 28800 true true
	// ""
	// true
}

// Only the hash of a cookie is stored. A missing cookie has none, so it matches no row.
func ExampleHash() {
	fmt.Println(len(cookie.Hash("the value of a cookie")))
	fmt.Println(cookie.Hash("") == nil)

	// Output:
	// 32
	// true
}

// A form carries a token that only its own browser can send, and only for what its page showed.
func ExampleCheckCSRF() {
	browser, err := oauth.NewSecret(rand.Reader)
	if err != nil {
		panic(err)
	}

	token := cookie.CSRFToken(browser, cookie.Purpose("consent", "usr_ada", "openid email"))

	fmt.Println(cookie.CheckCSRF(browser, cookie.Purpose("consent", "usr_ada", "openid email"), token))
	fmt.Println(cookie.CheckCSRF(browser, cookie.Purpose("consent", "usr_ada", "openid email admin"), token))
	fmt.Println(cookie.CheckCSRF("another browser", cookie.Purpose("consent", "usr_ada", "openid email"), token))

	// Output:
	// true
	// false
	// false
}
