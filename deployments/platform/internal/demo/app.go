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
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/webui"
)

// Path is where the demo application lives, below the public URL.
const (
	Path         = "/demo"
	callbackPath = Path + "/callback"
	cookieName   = "platform_demo"
)

//go:embed pages/*.html
var pageFiles embed.FS

// Options is what the demo application is made of.
type Options struct {
	Origin      string // the public URL
	Issuer      string
	Credentials Credentials
	UI          *webui.UI
	Logger      *slog.Logger
	Now         func() time.Time
	Random      io.Reader
}

// App is the demo's relying party. It keeps the sign-ins it shows in memory.
type App struct {
	opts    Options
	secrets map[string]string // by client id
	home    *webui.Page
	tokens  *webui.Page
	failed  *webui.Page
	client  *http.Client
	started *store[attempt]
	shown   *store[result]

	mu       sync.Mutex
	provider *oidc.Provider
}

// attempt is a sign-in on its way, by state.
type attempt struct {
	Browser  string // the demo's cookie: a callback counts in the browser that began
	ClientID string
	Nonce    string
	Verifier string
}

// New makes the demo application.
func New(opts Options) (*App, error) {
	a := &App{
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
	return mux
}

func (a *App) serveHome(w http.ResponseWriter, r *http.Request) {
	a.opts.UI.Render(w, r, http.StatusOK, a.home, webui.View{
		Title: "Demo application",
		Lead:  "An application like one of yours: it knows the platform's address, its own client id and secret, and nothing else.",
		Data: map[string]any{
			"Login": Path + "/login/" + WebClient, "Second": Path + "/login/" + SecondClient,
			"Email": Email, "Password": a.opts.Credentials.Password,
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
	if c, err := r.Cookie(cookieName); err == nil && c.Value != "" {
		browser = c.Value
	}
	verifier := oauth2.GenerateVerifier()
	a.started.put(state, attempt{Browser: browser, ClientID: client, Nonce: nonce, Verifier: verifier})
	//nolint:gosec // the demo refuses to run on anything but loopback, where http is all there is
	http.SetCookie(w, &http.Cookie{Name: cookieName, Value: browser, Path: Path, HttpOnly: true, SameSite: http.SameSiteLaxMode})
	//nolint:gosec // to the endpoint that the issuer's own metadata names
	http.Redirect(w, r, config.AuthCodeURL(state, oidc.Nonce(nonce), oauth2.S256ChallengeOption(verifier)), http.StatusSeeOther)
}

// serveCallback redeems the code and redirects, so that a reload of what follows
// does not redeem it again: that would be a replay and end the grant.
func (a *App) serveCallback(w http.ResponseWriter, r *http.Request) {
	query := r.URL.Query()
	begun, ok := a.started.take(query.Get("state"))
	cookie, err := r.Cookie(cookieName)
	switch {
	case !ok || err != nil || subtle.ConstantTimeCompare([]byte(cookie.Value), []byte(begun.Browser)) != 1:
		a.fail(w, r, http.StatusBadRequest, "This answer belongs to no sign-in that began in this browser.", err)
		return
	case query.Get("iss") != a.opts.Issuer: // RFC 9207 2.4
		a.fail(w, r, http.StatusBadRequest, "This answer does not name the platform as its issuer.", nil)
		return
	case query.Get("error") != "":
		a.fail(w, r, http.StatusOK, strings.TrimSuffix("The platform answered "+query.Get("error")+": "+query.Get("error_description"), ": "), nil)
		return
	}
	shown, err := a.redeem(r.Context(), begun, query.Get("code"))
	if err != nil {
		a.fail(w, r, http.StatusBadGateway, "The code could not be redeemed.", err)
		return
	}
	a.shown.put(begun.Browser, shown)
	http.Redirect(w, r, Path+"/tokens", http.StatusSeeOther)
}

func (a *App) serveTokens(w http.ResponseWriter, r *http.Request) {
	cookie, err := r.Cookie(cookieName)
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
		Title: "Signed in", Heading: "Signed in to " + shown.ClientID, Wide: true,
		Lead: "What the platform gave this application, decoded. The ID token's signature was checked with the keys that the platform publishes.",
		Data: map[string]any{"Result": shown, "Other": other, "Home": Path, "Logout": shown.logoutURL},
	}, webui.PageOptions{})
}

func (a *App) fail(w http.ResponseWriter, r *http.Request, status int, message string, cause error) {
	if cause != nil {
		a.opts.Logger.WarnContext(r.Context(), "demo sign-in failed", "cause", cause)
	}
	a.opts.UI.Render(w, r, status, a.failed, webui.View{Title: "Not signed in", Lead: message, Data: Path}, webui.PageOptions{})
}

// config discovers the provider at the first sign-in: at New the platform does
// not listen yet.
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
		ClientID: client, ClientSecret: a.secrets[client], Endpoint: a.provider.Endpoint(),
		RedirectURL: a.opts.Origin + callbackPath,
		Scopes:      []string{oidc.ScopeOpenID, oauth.ScopeProfile, oauth.ScopeEmail},
	}, a.provider, nil
}

// endSession is the provider's logout endpoint (RP-Initiated Logout 1.0 2.1),
// by client id alone: the confirmation page comes first, and no token stands in
// a URL.
func (a *App) endSession(provider *oidc.Provider, client string) string {
	var metadata struct {
		EndSession string `json:"end_session_endpoint"`
	}
	if provider.Claims(&metadata) != nil || metadata.EndSession == "" {
		return ""
	}
	return metadata.EndSession + "?" + url.Values{"client_id": {client}, "post_logout_redirect_uri": {a.opts.Origin + Path}}.Encode()
}
