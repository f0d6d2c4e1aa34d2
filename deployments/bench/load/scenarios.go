package load

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Target is a platform, and the application and person that use it. The application is
// confidential and sends its secret in the form.
type Target struct {
	URL          string // the public origin, such as http://127.0.0.1:8080
	ClientID     string
	ClientSecret string
	RedirectURI  string
	Resource     string // for client_credentials; empty: the application's default
	Scope        string // for sign-ins; with offline_access for refresh
	Email        string // of the person who signs in
	Password     string
	// Transport is shared by all workers. If nil, one that keeps the workers' connections
	// is used.
	Transport http.RoundTripper
}

const timeout = 30 * time.Second

// Scenarios holds the kinds of load by name. Each function makes the step of one worker,
// and signs in first if the step needs it.
var Scenarios = map[string]func(ctx context.Context, t Target) (Step, error){
	"jwks":               jwks,
	"client_credentials": clientCredentials,
	"code":               code,
	"refresh":            refresh,
	"userinfo":           userinfo,
	"introspect":         introspect,
	"device":             device,
	"sign_in":            signIn,
}

// Workers makes n steps of a scenario.
func Workers(ctx context.Context, name string, t Target, n int) ([]Step, error) {
	scenario, known := Scenarios[name]
	if !known {
		return nil, fmt.Errorf("unknown scenario %q", name)
	}

	if t.Transport == nil {
		t.Transport = &http.Transport{MaxIdleConnsPerHost: n, IdleConnTimeout: time.Minute}
	}

	steps := make([]Step, n)
	for i := range steps {
		var err error
		if steps[i], err = scenario(ctx, t); err != nil {
			return nil, fmt.Errorf("prepare %s: %w", name, err)
		}
	}

	return steps, nil
}

func jwks(_ context.Context, t Target) (Step, error) {
	client := t.client()
	return func(ctx context.Context) error {
		_, err := send(ctx, client, http.MethodGet, t.URL+oauth.PlatformPath+"/.well-known/jwks.json", nil, "")
		return err
	}, nil
}

func clientCredentials(_ context.Context, t Target) (Step, error) {
	client := t.client()
	form := url.Values{"grant_type": {"client_credentials"}}
	if t.Resource != "" {
		form.Set("resource", t.Resource)
	}

	return func(ctx context.Context) error {
		_, err := t.token(ctx, client, form)
		return err
	}, nil
}

// code returns a step that makes the authorization request of a person who is signed in and
// redeems the code.
func code(ctx context.Context, t Target) (Step, error) {
	client := t.client()
	if _, err := t.signIn(ctx, client); err != nil {
		return nil, err
	}

	return func(ctx context.Context) error {
		_, err := t.signIn(ctx, client)
		return err
	}, nil
}

func refresh(ctx context.Context, t Target) (Step, error) {
	client := t.client()
	tokens, err := t.signIn(ctx, client)
	if err != nil {
		return nil, err
	}

	if tokens.Refresh == "" {
		return nil, errors.New("the application got no refresh token: it needs the grant refresh_token and the scope offline_access")
	}

	return func(ctx context.Context) error {
		renewed, err := t.token(ctx, client,
			url.Values{"grant_type": {"refresh_token"}, "refresh_token": {tokens.Refresh}})
		if err == nil {
			tokens = renewed
		}
		return err
	}, nil
}

func userinfo(ctx context.Context, t Target) (Step, error) {
	client := t.client()
	tokens, err := t.signIn(ctx, client)
	if err != nil {
		return nil, err
	}

	return func(ctx context.Context) error {
		_, err := send(ctx, client, http.MethodGet, t.URL+oauth.IssuerPath+"/userinfo", nil, tokens.Access)
		return err
	}, nil
}

// introspect returns a step that introspects a token of the application's own.
func introspect(ctx context.Context, t Target) (Step, error) {
	client := t.client()
	tokens, err := t.signIn(ctx, client)
	if err != nil {
		return nil, err
	}

	form := url.Values{"client_id": {t.ClientID}, "client_secret": {t.ClientSecret}, "token": {tokens.Access}}
	return func(ctx context.Context) error {
		_, err := send(ctx, client, http.MethodPost, t.URL+oauth.IssuerPath+"/introspect", form, "")
		return err
	}, nil
}

// device returns a step in which a device requests its codes, which no person enters.
func device(_ context.Context, t Target) (Step, error) {
	client := t.client()
	form := url.Values{"client_id": {t.ClientID}, "client_secret": {t.ClientSecret}}
	return func(ctx context.Context) error {
		_, err := send(ctx, client, http.MethodPost, t.URL+oauth.IssuerPath+"/device/authorize", form, "")
		return err
	}, nil
}

// signIn returns a step that does a whole sign-in in a new browser: pages, password,
// redirect, redemption.
func signIn(_ context.Context, t Target) (Step, error) {
	return func(ctx context.Context) error {
		_, err := t.signIn(ctx, t.client())
		return err
	}, nil
}

// client returns the HTTP client of a browser or an application. It has cookies of its own
// and stops at the application's redirect URI.
func (t Target) client() *http.Client {
	jar, _ := cookiejar.New(nil) // fails only with options
	return &http.Client{
		Jar:       jar,
		Timeout:   timeout,
		Transport: t.Transport,
		CheckRedirect: func(r *http.Request, _ []*http.Request) error {
			if strings.HasPrefix(r.URL.String(), t.RedirectURI) {
				return http.ErrUseLastResponse
			}
			return nil
		},
	}
}

type tokens struct {
	Access  string `json:"access_token"`
	Refresh string `json:"refresh_token"`
}

func (t Target) token(ctx context.Context, client *http.Client, form url.Values) (tokens, error) {
	form.Set("client_id", t.ClientID)
	form.Set("client_secret", t.ClientSecret)
	body, err := send(ctx, client, http.MethodPost, t.URL+oauth.IssuerPath+"/token", form, "")
	if err != nil {
		return tokens{}, err
	}

	var answer tokens
	if err := json.Unmarshal(body, &answer); err != nil {
		return tokens{}, fmt.Errorf("the token answer: %w", err)
	}

	return answer, nil
}

// signIn goes through the pages of a sign-in and redeems the code.
func (t Target) signIn(ctx context.Context, client *http.Client) (tokens, error) {
	verifier := oauth2.GenerateVerifier()
	begin := t.URL + oauth.IssuerPath + "/authorize?" + url.Values{
		"response_type":         {"code"},
		"client_id":             {t.ClientID},
		"redirect_uri":          {t.RedirectURI},
		"scope":                 {t.Scope},
		"state":                 {rand.Text()},
		"nonce":                 {rand.Text()},
		"code_challenge":        {oauth2.S256ChallengeFromVerifier(verifier)},
		"code_challenge_method": {"S256"},
	}.Encode()

	answer, err := t.pages(ctx, client, begin)
	if err != nil {
		return tokens{}, err
	}

	if answer.Get("code") == "" {
		return tokens{}, fmt.Errorf("authorize: %s: %s", answer.Get("error"), answer.Get("error_description"))
	}

	return t.token(ctx, client, url.Values{
		"grant_type":    {"authorization_code"},
		"code":          {answer.Get("code")},
		"redirect_uri":  {t.RedirectURI},
		"code_verifier": {verifier},
	})
}

// send sends a request and returns the body of a 200.
func send(
	ctx context.Context, client *http.Client, method, target string, form url.Values, bearer string,
) ([]byte, error) {
	r, err := http.NewRequestWithContext(ctx, method, target, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}

	if form != nil {
		r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}

	if bearer != "" {
		r.Header.Set("Authorization", "Bearer "+bearer)
	}

	res, err := client.Do(r)
	if err != nil {
		return nil, err
	}

	defer res.Body.Close() //nolint:errcheck // it has been read
	body, err := io.ReadAll(res.Body)
	if err != nil {
		return nil, err
	}

	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: status %d: %.300s", method, r.URL.Path, res.StatusCode, body)
	}

	return body, nil
}
