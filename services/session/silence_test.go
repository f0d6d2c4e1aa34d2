package session

import (
	"context"
	"math/rand/v2"
	"net/http"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/password"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// exchanged is all that an attacker sees of one request, and the work it caused.
type exchanged struct {
	Path       string
	Status     int
	Location   string
	Header     http.Header
	Body       string
	Hashes     int64
	Spent      uint64 // KiB times passes
	Statements []string
}

// stranger tries an address in their own browser and writes everything down,
// their own choices masked.
type stranger struct {
	*visitor
	spans *tracetest.SpanRecorder
	mask  []string
	seen  []exchanged
}

func (s *stranger) note(ask func() *formbrowser.Page) *formbrowser.Page {
	s.spans.Reset()
	before, spent := s.w.hasher.Work(), s.w.hasher.Spent()
	p := ask()
	if token := p.Hidden("csrf_token"); token != "" {
		s.mask = append(s.mask, token, "CSRF")
	}

	mask := strings.NewReplacer(s.mask...).Replace
	x := exchanged{
		Path:   mask(p.URL.RequestURI()),
		Status: p.Status,
		Header: p.Header.Clone(),
		Body:   mask(p.Body),
		Hashes: s.w.hasher.Work() - before,
	}

	x.Spent = s.w.hasher.Spent() - spent
	x.Location = mask(p.Header.Get("Location"))
	x.Header.Del("Location")
	x.Header.Del("X-Request-Id")   // random
	x.Header.Del("Content-Length") // the address is in the page; the page itself is compared

	for _, span := range s.spans.Ended() {
		x.Statements = append(x.Statements, span.Name())
	}

	s.seen = append(s.seen, x)
	return p
}

func (s *stranger) get(target string) *formbrowser.Page {
	return s.note(func() *formbrowser.Page { return s.Get(target) })
}

// send presses a form's only button and follows the redirect by hand.
func (s *stranger) send(p *formbrowser.Page, button, field, value string) *formbrowser.Page {
	answer := s.note(func() *formbrowser.Page { return p.Submit(button, url.Values{field: {value}}) })
	to := answer.Location()
	if id, ok := strings.CutPrefix(to.Path, "/auth/flows/"); ok {
		s.mask = append(s.mask, id, "FLOW")
		s.seen[len(s.seen)-1].Location = strings.NewReplacer(s.mask...).Replace(answer.Header.Get("Location"))
	}
	return s.get(to.String())
}

// tries is what an attacker sees of an address: by the pages of a flow, with a
// login_hint, and by a tenant's entrance.
func (w *world) tries(email string, spans *tracetest.SpanRecorder) []exchanged {
	w.t.Helper()
	s := &stranger{
		visitor: w.newBrowser(),
		spans:   spans,
		mask:    []string{email, "ADDRESS", url.QueryEscape(email), "ADDRESS"},
	}
	s.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	guess := func(p *formbrowser.Page) {
		if p.Has("password") {
			s.send(p, "Sign in", "password", "not "+rightWords)
		}
	}

	id, page := s.flow(nil)
	s.mask = append(s.mask, id, "FLOW")
	guess(s.send(s.get(page), "Continue", "email", email))
	token := url.Values{"csrf_token": {s.token(page)}, "password": {rightWords + "!"}}
	s.note(func() *formbrowser.Page { return s.Post(page+"/password", token) }) // also where no page offers it

	id, page = s.flow(func(r *grants.Flow) { r.LoginHint = email })
	s.mask = append(s.mask, id, "FLOW")
	guess(s.get(page))

	guess(s.send(s.get(origin+"/auth/tenants/north"), "Continue", "email", email))
	require.Nil(w.t, s.session())

	return s.seen
}

// Nothing reports whether an account exists: for people who are known, unknown,
// disabled, or sign in upstream (they have no password here, and those of an
// sso_only tenant never see a field for one), every answer on every path is the
// same to the byte and costs the same hashes and the same statements in the same
// order (RFC 6749 10.10, OpenID Connect Core 3.1.2.3), also where their own hashes
// have three costs, as imported ones do.
func TestNothingTellsWhetherAnAccountExists(t *testing.T) {
	onEachTracedDatabase(t, func(t *testing.T, w *world, spans *tracetest.SpanRecorder) {
		account, err := w.people.Account(t.Context(), "ada@acme.test")
		require.NoError(t, err)
		w.operate(func(ctx context.Context, o *directorystore.Writer) {
			for _, name := range []string{"known", "disabled", "upstream"} {
				user := directory.User{
					ID:     "usr_sso_" + name,
					Email:  name + "@locked.test",
					Name:   name,
					Active: true,
				}

				require.NoError(t, o.SaveUser(ctx, user, []string{"tnt_locked"}, started))

				if name != "upstream" {
					require.NoError(t, o.SetPassword(ctx, user.ID, account.PasswordHash, started))
				}
			}

			require.NoError(t, o.DisableUser(ctx, "usr_sso_disabled", started))
		})

		w.imported("cheap", password.Params{Memory: 64, Time: 1, Threads: 1})
		w.imported("dear", password.Params{Memory: 1024, Time: 3, Threads: 2})

		for what, c := range map[string]struct {
			domain string
			people []string
			hashes int64
		}{
			"where passwords are": {
				"@acme.test", []string{"ada", "unknown", "disabled", "upstream", "nobody", "cheap", "dear"}, 4 * 3,
			},
			"of an sso_only tenant": {"@locked.test", []string{"known", "unknown", "disabled", "upstream"}, 0},
		} {
			want := w.tries(c.people[0]+c.domain, spans)
			for _, name := range c.people[1:] {
				got := w.tries(name+c.domain, spans)
				require.Len(t, got, len(want), name)
				for i := range want {
					require.Equal(t, want[i], got[i], "%s: %s, %s", what, name, want[i].Path)
				}
			}

			var hashes int64
			for _, x := range want {
				hashes += x.Hashes
				require.NotEmpty(t, x.Statements, x.Path)
			}

			require.Equal(t, c.hashes, hashes, "one of each cost for each password that was sent where there are any")
		}
	})
}

// A replica that has checked passwords before an import pays for the imported hash in every check from that moment on:
// the first one at the imported account costs what the first one at an unknown account does.
func TestTheFirstCheckAfterAnImportTellsNothing(t *testing.T) {
	costs := map[string]password.Params{
		"cheap": {Memory: 64, Time: 1, Threads: 1}, "dear": {Memory: 1024, Time: 3, Threads: 2},
	}
	for name, cost := range costs {
		t.Run(name, func(t *testing.T) {
			onEachDatabase(t, func(t *testing.T, w *world) {
				first := map[string]uint64{}
				people := []string{name, "unknown", "disabled", "upstream", "ada"}
				replicas := make([]http.Handler, len(people))
				hashers := make([]*password.Hasher, len(people))
				for i := range people {
					var err error
					hashers[i], err = password.New(password.Options{Params: w.hasher.New()})
					require.NoError(t, err)
					built, err := build(testConfig(t), w.deps(), hashers[i])
					require.NoError(t, err)
					w.handler, replicas[i] = built.Handler, built.Handler
					w.guess("198.51.100.77", "bob@acme.test", "wrong")
					require.Equal(t, w.hasher.New().Cost(), hashers[i].Spent())
				}

				w.imported(name, cost)

				for i, person := range people {
					before := hashers[i].Spent()
					w.handler = replicas[i]
					require.Equal(t, http.StatusSeeOther,
						w.guess("198.51.100.78", person+"@acme.test", "wrong").StatusCode)
					first[person] = hashers[i].Spent() - before
				}

				for person, spent := range first {
					require.Equal(t, w.hasher.New().Cost()+cost.Cost(), spent, person)
				}
			})
		})
	}
}

// A sign-in reads the browser's sessions once, whether its session goes on or is new.
func TestASignInListsTheBrowsersSessionsOnce(t *testing.T) {
	onEachTracedDatabase(t, func(t *testing.T, w *world, spans *tracetest.SpanRecorder) {
		b, _ := w.atHome("ada@acme.test")
		for _, email := range []string{"ada@acme.test", "bob@acme.test"} {
			before := b.session()
			w.clock.Advance(time.Minute)
			_, page := b.flow(prompt(oauth.PromptLogin))
			p := b.Get(page).Submit("Continue", url.Values{"email": {email}})
			spans.Reset()
			token := url.Values{"csrf_token": {p.Hidden("csrf_token")}, "password": {rightWords}}
			b.Client().CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
			require.Equal(t, http.StatusSeeOther, b.Post(page+"/password", token).Status)
			b.Client().CheckRedirect = nil
			require.Equal(t, email == "ada@acme.test", b.session().ID == before.ID)

			lists := 0
			for _, span := range spans.Ended() {
				if span.Name() == "sessions.of_browser" {
					lists++
				}
			}
			require.Equal(t, 1, lists, email)
		}
	})
}

// imported adds a person of acme whose hash has a cost of its own.
func (w *world) imported(name string, cost password.Params) {
	w.t.Helper()
	hasher, err := password.New(password.Options{Params: cost})
	require.NoError(w.t, err)
	hash, err := hasher.Hash(w.t.Context(), rightWords)
	require.NoError(w.t, err)
	w.person(name)
	w.operate(func(ctx context.Context, o *directorystore.Writer) {
		require.NoError(w.t, o.SetPassword(ctx, "usr_"+name, hash, started))
	})
}

// onEachTracedDatabase is onEachDatabase with a record of the service's statements.
func onEachTracedDatabase(t *testing.T, f func(t *testing.T, w *world, spans *tracetest.SpanRecorder)) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "platform.db")
	server := testkit.PostgresServer(t)
	owner := server.NewDatabase(t)
	role := server.LoginURL(t, owner, "platform_session")
	for dialect, open := range map[string]func(o database.Options) (*database.DB, error){
		"sqlite": func(o database.Options) (*database.DB, error) { return sqlite.Open(t.Context(), path, o) },
		"postgres": func(o database.Options) (*database.DB, error) {
			if o.URL = owner; o.TracerProvider != nil {
				o.URL = role
			}
			return database.Open(t.Context(), o)
		},
	} {
		t.Run(dialect, func(t *testing.T) {
			plain, err := open(database.Options{})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, plain.Close()) })
			_, _, err = database.Migrate(t.Context(), plain, nil)
			require.NoError(t, err)
			spans := tracetest.NewSpanRecorder()
			tracers := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans))
			traced, err := open(database.Options{TracerProvider: tracers})
			require.NoError(t, err)
			t.Cleanup(func() { require.NoError(t, traced.Close()) })
			w := newWorld(t, plain, traced)
			deps := w.deps()
			deps.TracerProvider = tracers // statements are children of requests
			service, err := build(testConfig(t), deps, w.hasher)
			require.NoError(t, err)
			w.handler = service.Handler
			warm := w.newBrowser() // fills the cache of applications
			_, page := warm.flow(nil)
			warm.Get(page)
			f(t, w, spans)
		})
	}
}

// BenchmarkWrongPassword shows whether the time of an answer tells who exists: compare its lines, of several runs, since
// each has an order of its own.
func BenchmarkWrongPassword(b *testing.B) {
	db := testkit.SQLite(b)
	w := newWorld(b, db, db)
	w.imported("cheap", password.Params{Memory: 64, Time: 1, Threads: 1})
	w.imported("dear", password.Params{Memory: 1024, Time: 3, Threads: 2})

	guess := func(b *testing.B, name string) {
		w.clock.Advance(time.Hour) // nobody is held up
		if res := w.guess("192.0.2.1", name+"@acme.test", "wrong"); res.StatusCode != http.StatusSeeOther {
			b.Fatal(res.Status)
		}
	}

	for range 50 { // the first of all guesses is slower, whoever it is at
		guess(b, "another")
	}

	names := []string{"ada", "unknown", "disabled", "upstream", "nobody", "cheap", "dear"}
	rand.Shuffle(len(names), func(i, j int) { names[i], names[j] = names[j], names[i] })

	for _, name := range names {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				guess(b, name)
			}
		})
	}
}

// RFC 6265 8.4: an old cookie never signs in again, not after a logout, and not by
// being put back.
func TestACookieFromBeforeALogoutIsWorthNothing(t *testing.T) {
	onEachDatabase(t, func(t *testing.T, w *world) {
		b := w.signedIn()
		old := b.Cookies(origin)
		sid := b.session().ID
		require.Equal(t, http.StatusSeeOther,
			b.Get(query("id_token_hint", w.signer()("JWT", idToken(sid)), "post_logout_redirect_uri", bye)).Status)
		u, err := url.Parse(origin)
		require.NoError(t, err)

		for _, c := range old {
			c.Path = "/"
		}

		b.Client().Jar.SetCookies(u, old)
		require.Equal(t, sid, b.session().ID, "the browser sends it")
		require.Equal(t, "Sign in", b.Get(accountURL).H1())
		_, page := b.flow(nil)
		require.Equal(t, "Sign in", b.Get(page).H1())
		require.True(t, w.ended(sid))
	})
}
