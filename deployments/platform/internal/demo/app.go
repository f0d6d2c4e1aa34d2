package demo

import (
	"context"
	"crypto/subtle"
	"embed"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

// Path is where the demo application is, below the public URL.
const (
	Path         = "/demo"
	callbackPath = Path + "/callback"
	logoutPath   = Path + "/logout"

	// beginCookie binds a sign-in to the browser that began it; sessionCookie identifies
	// the signed-in session. The latter gets a new value at each sign-in, so that a value
	// that a browser had before becomes worthless (session fixation).
	beginCookie   = "platform_demo_begin"
	sessionCookie = "platform_demo"
)

//go:embed pages/*.html
var pageFiles embed.FS

// Options holds the demo application's dependencies.
type Options struct {
	Origin      string // the public URL
	Issuer      string
	Credentials Credentials
	UI          *webui.UI
	Logger      *slog.Logger
	Now         func() time.Time
	Random      io.Reader
}

// App is the demo's relying party. It keeps the sign-ins that it shows in memory.
type App struct {
	opts    Options
	secrets map[string]string // by client id
	home    *webui.Page
	tokens  *webui.Page
	failed  *webui.Page
	client  *http.Client
	started *store[attempt]
	shown   *store[result] // by sessionCookie
	host    string         // host of Origin, with its port

	mu       sync.Mutex
	provider *oidc.Provider
}

// attempt is a sign-in in progress, stored by state.
type attempt struct {
	Browser  string // beginCookie: only the browser that began may complete the sign-in
	ClientID string
	Nonce    string
	Verifier string
}

// New returns the demo application.
func New(opts Options) (*App, error) {
	origin, err := url.Parse(opts.Origin)
	if err != nil {
		return nil, fmt.Errorf("demo: %w", err)
	}

	a := &App{
		host:    origin.Host,
		opts:    opts,
		secrets: map[string]string{WebClient: opts.Credentials.WebSecret, SecondClient: opts.Credentials.SecondSecret},
		client:  &http.Client{Timeout: 10 * time.Second},
		started: newStore[attempt](opts.Now),
		shown:   newStore[result](opts.Now),
	}
	for file, page := range map[string]**webui.Page{"home": &a.home, "tokens": &a.tokens, "failed": &a.failed} {
		var err error
		if *page, err = opts.UI.Page(pageFiles, "pages/"+file+".html"); err != nil {
			return nil, err
		}
	}

	return a, nil
}

// Handler serves Path and everything below it.
func (a *App) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET "+Path, a.serveHome)
	mux.HandleFunc("GET "+Path+"/login/{client}", a.serveLogin)
	mux.HandleFunc("GET "+callbackPath, a.serveCallback)
	mux.HandleFunc("GET "+Path+"/tokens", a.serveTokens)
	mux.HandleFunc("POST "+logoutPath, a.serveLogout)
	// HEAD is answered wherever GET is and changes nothing (RFC 9110 9.2.1).
	mux.HandleFunc("HEAD "+Path+"/login/{client}", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("HEAD "+callbackPath, func(http.ResponseWriter, *http.Request) {})
	return a.atItsOwnAddress(mux)
}

// atItsOwnAddress answers only requests for the demo's own host. An attacker can point any
// name at a loopback address, and a page of that name could otherwise read what the demo
// shows (DNS rebinding).
func (a *App) atItsOwnAddress(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Host != a.host {
			http.Error(w, "The demo is at "+a.opts.Origin+Path, http.StatusMisdirectedRequest)
			return
		}
		next.ServeHTTP(w, r)
	})
}

// onThisMachine reports whether a request comes from a program on this machine and not
// through a proxy that forwards for others. Only such a caller is shown the password;
// others get it from the output of the start.
func onThisMachine(r *http.Request) bool {
	peer, err := netip.ParseAddrPort(r.RemoteAddr)
	_, forwarded := r.Header["X-Forwarded-For"]
	_, forwardedToo := r.Header["Forwarded"]
	return err == nil && peer.Addr().Unmap().IsLoopback() && !forwarded && !forwardedToo
}

func (a *App) serveHome(w http.ResponseWriter, r *http.Request) {
	password := ""
	if onThisMachine(r) {
		password = a.opts.Credentials.Password
	}

	a.opts.UI.Render(w, r, http.StatusOK, a.home, webui.View{
		Title: "Demo application",
		Lead:  "An application like one of yours: it knows the platform's address, its own client id and secret, and nothing else.",
		Data: map[string]any{
			"Login":    Path + "/login/" + WebClient,
			"Second":   Path + "/login/" + SecondClient,
			"Email":    Email,
			"Password": password,
		},
	}, webui.PageOptions{})
}

// serveLogin begins the authorization code flow with PKCE (RFC 7636).
func (a *App) serveLogin(w http.ResponseWriter, r *http.Request) {
	client := r.PathValue("client")
	if _, ok := a.secrets[client]; !ok {
		http.NotFound(w, r)
		return
	}

	config, _, err := a.config(r.Context(), client)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable, "The platform does not answer yet. Try again in a moment.", err)
		return
	}

	state, err1 := oauth.NewSecret(a.opts.Random)
	nonce, err2 := oauth.NewSecret(a.opts.Random)
	browser, err3 := oauth.NewSecret(a.opts.Random)
	if err := errors.Join(err1, err2, err3); err != nil {
		a.fail(w, r, http.StatusServiceUnavailable, "No randomness is to be had.", err)
		return
	}

	if c, err := r.Cookie(beginCookie); err == nil && c.Value != "" {
		browser = c.Value // of another sign-in in progress
	}

	verifier := oauth2.GenerateVerifier()
	a.started.put(state, attempt{
		Browser:  browser,
		ClientID: client,
		Nonce:    nonce,
		Verifier: verifier,
	})

	setCookie(w, beginCookie, browser)
	//nolint:gosec // to the endpoint that the issuer's own metadata names
	http.Redirect(w, r,
		config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// serveCallback redeems the code and then redirects, so that reloading the next page
// doesn't redeem it again. That would be a replay and end the grant.
func (a *App) serveCallback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	begun, ok := a.started.take(query.Get("state"))
	cookie, err := r.Cookie(beginCookie)
	switch {
	case !ok || err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(begun.Browser)) != 1:
		a.fail(w, r, http.StatusBadRequest, "This answer belongs to no sign-in that began in this browser.", err)
		return
	case query.Get("iss") != a.opts.Issuer: // RFC 9207 2.4
		a.fail(w, r, http.StatusBadRequest, "This answer does not name the platform as its issuer.", nil)
		return
	case query.Get("error") != "":
		a.fail(w, r, http.StatusOK,
			strings.TrimSuffix("The platform answered "+query.Get("error")+": "+query.Get("error_description"), ": "),
			nil)
		return
	}

	shown, err := a.redeem(r.Context(), begun, query.Get("code"))
	if err != nil {
		a.fail(w, r, http.StatusBadGateway, "The code could not be redeemed.", err)
		return
	}

	a.signedIn(w, r, shown)
}

// signedIn starts a session for the result of a sign-in, replacing any other.
func (a *App) signedIn(w http.ResponseWriter, r *http.Request, shown result) {
	session, err := oauth.NewSecret(a.opts.Random)
	if err != nil {
		a.fail(w, r, http.StatusServiceUnavailable, "No randomness is to be had.", err)
		return
	}

	a.forget(r)
	a.shown.put(session, shown)
	setCookie(w, sessionCookie, session)
	http.Redirect(w, r, Path+"/tokens", http.StatusSeeOther)
}

// forget ends the demo's own session in a browser.
func (a *App) forget(r *http.Request) (was result, ok bool) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		return result{}, false
	}
	return a.shown.take(cookie.Value)
}

// serveLogout ends the demo's session, then the platform's. A page of another site can do
// neither, because its POST carries no SameSite=Lax cookie.
func (a *App) serveLogout(w http.ResponseWriter, r *http.Request) {
	next := Path
	if was, ok := a.forget(r); ok && was.logoutURL != "" {
		next = was.logoutURL
	}
	setCookie(w, sessionCookie, "")
	http.Redirect(w, r, next, http.StatusSeeOther)
}

// setCookie sets a cookie for the demo alone, or removes it if value is empty.
func setCookie(w http.ResponseWriter, name, value string) {
	//nolint:gosec // the demo only runs on loopback, where http is all there is
	cookie := &http.Cookie{
		Name:     name,
		Value:    value,
		Path:     Path,
		HttpOnly: true,
		SameSite: http.SameSiteLaxMode,
	}
	if value == "" {
		cookie.MaxAge = -1
	}

	http.SetCookie(w, cookie)
}

func (a *App) serveTokens(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(sessionCookie)
	if err != nil {
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}

	shown, ok := a.shown.get(cookie.Value)
	if !ok {
		http.Redirect(w, r, Path, http.StatusSeeOther)
		return
	}

	other := Path + "/login/" + SecondClient
	if shown.ClientID == SecondClient {
		other = Path + "/login/" + WebClient
	}

	a.opts.UI.Render(w, r, http.StatusOK, a.tokens, webui.View{
		Title:   "Signed in",
		Heading: "Signed in to " + shown.ClientID,
		Wide:    true,
		Lead:    "What the platform gave this application, decoded. The ID token's signature was checked with the keys that the platform publishes.",
		Data:    map[string]any{"Result": shown, "Other": other, "Home": Path, "Logout": logoutPath},
	}, webui.PageOptions{LeadsAway: true})
}

func (a *App) fail(w http.ResponseWriter, r *http.Request, status int, message string, cause error) {
	if cause != nil {
		a.opts.Logger.WarnContext(r.Context(), "demo sign-in failed", "cause", cause)
	}
	a.opts.UI.Render(w, r, status, a.failed,
		webui.View{Title: "Not signed in", Lead: message, Data: Path}, webui.PageOptions{})
}

// config discovers the provider at the first sign-in, because the platform isn't listening
// yet when New runs.
func (a *App) config(ctx context.Context, client string) (*oauth2.Config, *oidc.Provider, error) {
	a.mu.Lock()
	defer a.mu.Unlock()

	if a.provider == nil {
		// The provider keeps this context for its key fetches.
		provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), a.client), a.opts.Issuer)
		if err != nil {
			return nil, nil, fmt.Errorf("discover the platform: %w", err)
		}
		a.provider = provider
	}

	return &oauth2.Config{
		ClientID:     client,
		ClientSecret: a.secrets[client],
		Endpoint:     a.provider.Endpoint(),
		RedirectURL:  a.opts.Origin + callbackPath,
		Scopes:       []string{oidc.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail},
	}, a.provider, nil
}

// endSession returns the provider's logout endpoint (RP-Initiated Logout 1.0 2.1) with the
// client id only. The platform then asks for confirmation, and no token is in a URL.
func (a *App) endSession(provider *oidc.Provider, client string) string {
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if provider.Claims(&metadata) != nil || metadata.EndSession == "" {
		return ""
	}
	return metadata.EndSession + "?" + url.Values{
		"client_id":                {client},
		"post_logout_redirect_uri": {a.opts.Origin + Path},
	}.Encode()
}
