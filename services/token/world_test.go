package token_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"log/slog"
	"net/url"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	grantstore "github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/localkeys"
	keystore "github.com/platform-oauth/platform-oauth/libs/signing/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
	"github.com/platform-oauth/platform-oauth/services/token"
)

const (
	issuer      = "https://id.test/api/v1/platform/oauth"
	tokenPath   = "/api/v1/platform/oauth/token"
	infoPath    = "/api/v1/platform/oauth/userinfo"
	redirectURI = "https://app.test/cb"
	secretWord  = "a+secret/with%odd characters:in it"
	apiURI      = "https://api.test"
	// The pair of RFC 7636 appendix B.
	verifier  = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk"
	challenge = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

var keyDir string

func TestMain(m *testing.M) {
	var err error
	if keyDir, err = os.MkdirTemp("", "token-test-keys"); err != nil {
		panic(err)
	}

	code := m.Run()
	_ = os.RemoveAll(keyDir)
	os.Exit(code)
}

// sharedKeys makes one key of each algorithm for the whole test binary: an RSA
// key takes long.
var sharedKeys = sync.OnceValues(func() (*madeKeys, error) {
	store, err := localkeys.Open(keyDir)
	if err != nil {
		return nil, err
	}

	made := &madeKeys{store: store}
	for _, alg := range []signing.Algorithm{signing.RS256, signing.PS256, signing.ES256, signing.EdDSA} {
		ref, public, err := store.Create(context.Background(), alg)
		if err != nil {
			return nil, err
		}

		made.keys = append(made.keys, signing.Key{
			KID:         signing.Thumbprint(public),
			Algorithm:   alg,
			Generation:  1,
			Ref:         ref,
			PublicKey:   public,
			PublishedAt: start.Add(-time.Hour),
			ActiveFrom:  start.Add(-time.Hour),
		})
	}

	return made, nil
})

type madeKeys struct {
	store *localkeys.Store
	keys  []signing.Key
}

// keeper is a signing backend that can go away.
type keeper struct {
	signing.Backend
	away atomic.Bool
}

func (k *keeper) Sign(ctx context.Context, key signing.Key, input []byte) ([]byte, error) {
	if k.away.Load() {
		return nil, errors.New("the keeper of keys does not answer")
	}
	return k.Backend.Sign(ctx, key, input)
}

// world is a token service on a real database with people and applications.
type world struct {
	db      *database.DB
	clock   *testkit.Clock
	service *servicekit.Service
	keeper  *keeper
	keys    []signing.Key
	codes   *grantstore.ForAuthorize
	rows    *grantstore.ForToken
	tenant  directory.Tenant
	tracers trace.TracerProvider // nil: no tracing
	logs    bytes.Buffer
}

func newWorld(t *testing.T, db *database.DB) *world {
	t.Helper()
	made, err := sharedKeys()
	require.NoError(t, err)
	w := &world{
		db:     db,
		clock:  testkit.NewClock(start),
		keeper: &keeper{Backend: made.store},
		keys:   made.keys,
		codes:  grantstore.NewForAuthorize(db),
		rows:   grantstore.NewForToken(db),
		tenant: directory.Tenant{
			ID:     "tnt_acme",
			Slug:   "acme",
			Name:   "Acme",
			Active: true,
		},
	}

	for _, key := range made.keys {
		require.NoError(t, keystore.New(db).Insert(t.Context(), key))
	}

	w.operate(t, func(out *directorystore.Writer) error {
		return out.SaveTenant(t.Context(), w.tenant, []string{"acme.test"}, start)
	})

	for _, app := range applications() {
		w.saveApplication(t, app)
	}

	w.service = w.start(t, db)
	return w
}

func (w *world) start(t *testing.T, db *database.DB) *servicekit.Service {
	t.Helper()
	return w.startWith(t, db, nil)
}

// startWith starts the service with another configuration; change may be nil.
func (w *world) startWith(t *testing.T, db *database.DB, change func(*token.Config)) *servicekit.Service {
	t.Helper()
	return w.build(t, db, change, nil)
}

// build starts the service with another configuration and with other
// dependencies; both changes may be nil.
func (w *world) build(
	t *testing.T, db *database.DB, change func(*token.Config), depend func(*token.Deps),
) *servicekit.Service {
	t.Helper()
	public, err := url.Parse("https://id.test")
	require.NoError(t, err)
	logger := slog.New(slog.NewTextHandler(&w.logs, &slog.HandlerOptions{Level: slog.LevelDebug}))
	cfg := token.Config{
		Server: config.Server{PublicURL: public, HTTP: config.HTTP{RequestDeadline: testkit.Patience}},
		Signing: config.Signing{
			AccessTokenAlg:  signing.ES256,
			IDTokenAlg:      signing.RS256,
			KeyPublishAhead: 24 * time.Hour,
		},
		Tokens: config.Tokens{
			AccessTokenTTL:  time.Hour,
			RefreshTokenTTL: 90 * 24 * time.Hour,
			RefreshIdleTTL:  30 * 24 * time.Hour,
			RefreshGrace:    10 * time.Second,
		},
		Limits:     config.Limits{ClientAuth: 20, Window: 15 * time.Minute},
		Encryption: config.Encryption{Keys: []config.EncryptionKey{{1}}},
	}
	if change != nil {
		change(&cfg)
	}

	deps := token.Deps{
		DB:             db,
		Signing:        w.keeper,
		Logger:         logger,
		Now:            w.clock.Now,
		Random:         rand.Reader,
		TracerProvider: w.tracers,
	}
	if depend != nil {
		depend(&deps)
	}

	service, err := token.New(cfg, deps)
	require.NoError(t, err)
	return service
}

func applications() []*directory.Application {
	all := oauth.Scopes{"openid", "profile", "email", "address", "phone", "offline_access", "api:read", "api:write"}
	people := []oauth.GrantType{oauth.GrantAuthorizationCode, oauth.GrantDeviceCode}
	secret := []directory.ApplicationSecret{{ID: "1", Hash: oauth.HashSecret(secretWord)}}
	app := func(id string, kind directory.ApplicationType, change func(*directory.Application)) *directory.Application {
		a := &directory.Application{
			ClientID:     id,
			Name:         id,
			Type:         kind,
			ScopeLevel:   directory.Global,
			RedirectURIs: []string{redirectURI},
			Grants:       slices.Concat(people, []oauth.GrantType{oauth.GrantClientCredentials}),
			Scopes:       all,
			Audiences:    []string{apiURI, "https://other.test"},
			Active:       true,
		}
		if !a.Public() {
			a.Secrets = secret
		}

		if change != nil {
			change(a)
		}

		return a
	}

	return []*directory.Application{
		app("web", directory.Web, nil),
		app("other", directory.Web, nil),
		app("spa", directory.SPA, func(a *directory.Application) { a.Grants = people }),
		app("native", directory.Native, nil),
		app("service", directory.Service,
			func(a *directory.Application) { a.DefaultAudience = "https://default.test" }),
		app("bare", directory.Service, func(a *directory.Application) { a.Scopes = oauth.Scopes{"openid"} }),
		app("code-only", directory.Web, func(a *directory.Application) { a.Grants = people[:1] }),
		app("own", directory.Web, func(a *directory.Application) {
			a.AccessTokenAlg, a.IDTokenAlg, a.AccessTokenTTL, a.IDTokenClaims = "PS256", "EdDSA", 5*time.Minute, true
		}),
		app("tenant", directory.Web,
			func(a *directory.Application) { a.ScopeLevel, a.TenantID = directory.TenantScoped, "tnt_acme" }),
		app("disabled", directory.Web, func(a *directory.Application) { a.Active = false }),
	}
}

func (w *world) operate(t *testing.T, f func(*directorystore.Writer) error) {
	t.Helper()
	require.NoError(t, directorystore.NewOperator(w.db).Tx(t.Context(), f))
}

func (w *world) saveApplication(t *testing.T, app *directory.Application) {
	t.Helper()
	w.operate(t, func(out *directorystore.Writer) error {
		if err := out.SaveApplication(t.Context(), app, start); err != nil {
			return err
		}

		secrets := make([]directory.ApplicationSecret, len(app.Secrets))
		for i, s := range app.Secrets {
			s.ID = app.ClientID + s.ID
			secrets[i] = s
		}

		if err := out.SetSecrets(t.Context(), app.ClientID, secrets, start); err != nil {
			return err
		}

		if !app.Active {
			return out.DisableApplication(t.Context(), app.ClientID, start)
		}

		return nil
	})
}

// person is a person with a session.
type person struct {
	user    directory.User
	session string
}

func (w *world) person(t *testing.T) person {
	t.Helper()
	p := person{session: newID(t, "ses_"), user: directory.User{
		ID:            newID(t, "usr_"),
		EmailVerified: true,
		Name:          "Ada Lovelace",
		GivenName:     "Ada",
		FamilyName:    "Lovelace",
		Active:        true,
		Claims: map[string]any{
			"locale":       "en-GB",
			"phone_number": "+44 20 7946 0000",
			"address":      map[string]any{"country": "GB"},
		},
	}}

	p.user.Email = p.user.ID[4:] + "@acme.test"
	w.operate(t, func(out *directorystore.Writer) error {
		return out.SaveUser(t.Context(), p.user, []string{w.tenant.ID}, start)
	})
	w.exec(t,
		`INSERT INTO sessions (id, cookie_hash, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at)
		VALUES ($1, $2, $3, $4, $5, '1', '["pwd"]', $5, $5, $6)`,
		p.session, oauth.HashSecret(p.session), p.user.ID, w.tenant.ID, database.At(start.Add(-time.Minute)),
		database.At(w.clock.Now().Add(30*24*time.Hour)))

	return p
}

func (w *world) exec(t *testing.T, query string, args ...any) {
	t.Helper()
	_, err := w.db.Exec(t.Context(), "test", query, args...)
	require.NoError(t, err)
}

func newID(t *testing.T, prefix string) string {
	t.Helper()
	id, err := oauth.NewID(prefix, rand.Reader)
	require.NoError(t, err)
	return id
}

// code issues an authorization code as the authorize service does.
func (w *world) code(t *testing.T, p person, change func(*grants.AuthorizationCode)) string {
	t.Helper()
	code, err := oauth.NewSecret(rand.Reader)
	require.NoError(t, err)
	now := w.clock.Now()
	row := &grants.AuthorizationCode{
		Hash:          oauth.HashSecret(code),
		ClientID:      "web",
		RedirectURI:   redirectURI,
		CodeChallenge: challenge,
		Scope:         oauth.Scopes{"openid", "profile", "email", "api:read"},
		Nonce:         "n-0S6_WzA2Mj",
		GrantID:       newID(t, "gnt_"),
		UserID:        p.user.ID,
		TenantID:      w.tenant.ID,
		SessionID:     p.session,
		AuthTime:      start.Add(-time.Minute),
		ACR:           "1",
		AMR:           []string{"pwd"},
		CreatedAt:     now,
		ExpiresAt:     now.Add(time.Minute),
	}
	if change != nil {
		change(row)
	}

	require.NoError(t, w.codes.Issue(t.Context(), row))
	return code
}
