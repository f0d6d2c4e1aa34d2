package login_test

import (
	"bytes"
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
	"go.uber.org/goleak"

	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit/login"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// world is a server and what logs in to it.
type world struct {
	t       *testing.T
	bao     *testkit.BaoServer
	root    *api.Client
	client  *api.Client
	session *login.Session
	log     *syncBuffer
}

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

func newWorld(t *testing.T) *world {
	t.Helper()
	bao := testkit.OpenBao(t)
	return &world{
		t:    t,
		bao:  bao,
		root: bao.Client(t, bao.RootToken),
		log:  &syncBuffer{},
	}
}

// login keeps a new client logged in until the test ends.
func (w *world) login(method api.AuthMethod) {
	w.t.Helper()
	transport := http.DefaultTransport.(*http.Transport).Clone()
	w.t.Cleanup(transport.CloseIdleConnections)
	var err error
	w.client, err = vaulttransit.NewClient(vaulttransit.ClientOptions{
		Config: &api.Config{Address: w.bao.Addr, HttpClient: &http.Client{Transport: transport}}, Connections: 4,
	})
	require.NoError(w.t, err)
	w.session, err = login.New(w.client, method, slog.New(slog.NewTextHandler(w.log, nil)))
	require.NoError(w.t, err)
	require.Error(w.t, w.session.Err(), "not yet")
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- w.session.Run(ctx) }()
	w.t.Cleanup(func() {
		cancel()
		require.NoError(w.t, <-done)
	})
}

func (w *world) loggedIn() {
	w.t.Helper()
	require.Eventually(w.t, func() bool { return w.session.Err() == nil }, 10*time.Second,
		5*time.Millisecond, "%v", w.session.Err())
}

func (w *world) write(path string, data map[string]any) *api.Secret {
	w.t.Helper()
	secret, err := w.root.Logical().WriteWithContext(w.t.Context(), path, data)
	require.NoError(w.t, err)
	return secret
}

// policy is what the policies of the platform say of a token's own affairs.
const policy = `path "auth/token/lookup-self" { capabilities = ["read"] }
path "auth/token/renew-self" { capabilities = ["update"] }`

// approle makes a role whose tokens live so long, and returns its ids.
func (w *world) approle(ttl, maxTTL string) (roleID, secretID string) {
	w.t.Helper()
	require.NoError(w.t,
		w.root.Sys().EnableAuthWithOptionsWithContext(w.t.Context(), "apps", &api.EnableAuthOptions{Type: "approle"}))
	require.NoError(w.t, w.root.Sys().PutPolicyWithContext(w.t.Context(), "platform", policy))
	w.write("auth/apps/role/platform", map[string]any{
		"token_policies":          []string{"platform"},
		"token_no_default_policy": true,
		"token_ttl":               ttl,
		"token_max_ttl":           maxTTL,
	})

	role, err := w.root.Logical().ReadWithContext(w.t.Context(), "auth/apps/role/platform/role-id")
	require.NoError(w.t, err)

	return role.Data["role_id"].(string), w.write("auth/apps/role/platform/secret-id", nil).Data["secret_id"].(string)
}

// token makes one that an attacker could have made.
func (w *world) token(ttl, maxTTL string) string {
	w.t.Helper()
	require.NoError(w.t, w.root.Sys().PutPolicyWithContext(w.t.Context(), "platform", policy))
	secret, err := w.root.Auth().Token().CreateWithContext(w.t.Context(), &api.TokenCreateRequest{
		Policies:        []string{"platform"},
		NoDefaultPolicy: true,
		TTL:             ttl,
		ExplicitMaxTTL:  maxTTL,
	})

	require.NoError(w.t, err)
	return secret.Auth.ClientToken
}

// ask makes a request as the token's owner would.
func (w *world) ask() error {
	_, err := w.client.Auth().Token().LookupSelfWithContext(w.t.Context())
	return err
}

func TestNoRequestFailsWhileTokensAreRenewedAndReplaced(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleID, secretID := w.approle("4s", "6s")
	w.login(login.AppRole("apps", roleID, login.Secret{Value: secretID}))
	w.loggedIn()
	first, tokens, requests := w.client.Token(), map[string]bool{}, 0
	// The first is renewed, and then has reached its longest life.
	ticks := time.NewTicker(2 * time.Millisecond)
	defer ticks.Stop()

	for ; len(tokens) < 2; <-ticks.C {
		require.NoError(t, w.ask(), "request %d with token %d", requests, len(tokens))
		require.NoError(t, w.session.Err())
		tokens[w.client.Token()] = true
		requests++
	}

	require.True(t, tokens[first])
	require.Greater(t, requests, 100)
	require.NotContains(t, w.log.String(), "level=ERROR")
}

func TestASecretIDIsReadAtEachLogin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleID, secretID := w.approle("1h", "1h")
	file := filepath.Join(t.TempDir(), "secret-id")
	w.login(login.AppRole("apps", roleID, login.Secret{File: file}))
	require.Eventually(t, func() bool { return bytes.Contains([]byte(w.log.String()), []byte("can't log in")) },
		testkit.Patience, 5*time.Millisecond)
	require.ErrorContains(t, w.session.Err(), "secret id")
	require.NoError(t, os.WriteFile(file, []byte(secretID+"\n"), 0o600))
	w.loggedIn()
	require.NoError(t, w.ask())
	require.Contains(t, w.log.String(), "recovered: logged in to vault")
}

func TestARevokedTokenIsReplacedWhenItIsDoubted(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleID, secretID := w.approle("1h", "1h")
	w.login(login.AppRole("apps", roleID, login.Secret{Value: secretID}))
	w.loggedIn()
	before := w.client.Token()
	w.session.Doubt()
	require.NoError(t, w.root.Auth().Token().RevokeTreeWithContext(t.Context(), before))
	require.Eventually(t, func() bool {
		w.session.Doubt()
		return w.ask() == nil
	}, testkit.Patience, 10*time.Millisecond)
	require.NotEqual(t, before, w.client.Token())
}

func TestAPodLogsInWithItsServiceAccount(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	cluster := testkit.NewKubernetes(t)
	w.bao.SetUp(t, testkit.BaoSetup{Kubernetes: cluster})
	file := filepath.Join(t.TempDir(), "token")
	gone := cluster.Token(t, "platform", "platform-oauth-token", "vault")
	cluster.Forget(gone)
	require.NoError(t, os.WriteFile(file, []byte(gone), 0o600))
	w.login(login.Kubernetes("kubernetes", "platform-token", file))
	require.Eventually(t, func() bool { return bytes.Contains([]byte(w.log.String()), []byte("can't log in")) },
		testkit.Patience, 5*time.Millisecond)
	require.NotContains(t, w.log.String(), gone, "no credential in the log")
	// The kubelet replaces the file.
	require.NoError(t, os.WriteFile(file, []byte(cluster.Token(t, "platform", "platform-oauth-token", "vault")), 0o600))
	w.loggedIn()
	require.NoError(t, w.ask())
}

func TestATokenIsReadAgainWhenItsFileChanges(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	file := filepath.Join(t.TempDir(), "token")
	first, second := w.token("1h", ""), w.token("1h", "")
	require.NoError(t, os.WriteFile(file, []byte(first+"\n"), 0o600))
	w.login(login.Token(login.Secret{File: file}))
	w.loggedIn()
	require.Equal(t, first, w.client.Token())
	// A half-written file, or one with an unknown token, doesn't replace a good token.
	require.NoError(t, os.WriteFile(file, []byte("hvs.half"), 0o600))
	require.Eventually(t, func() bool { return bytes.Contains([]byte(w.log.String()), []byte("can't log in")) },
		testkit.Patience, 5*time.Millisecond)
	require.NoError(t, w.session.Err())
	require.NoError(t, w.ask())
	require.NoError(t, os.WriteFile(file, []byte(second), 0o600))
	require.Eventually(t, func() bool { return w.client.Token() == second }, testkit.Patience, 10*time.Millisecond)
	require.NoError(t, w.ask())
}

func TestATokenThatIsRenewedNoLongerIsSaidToEnd(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(login.Token(login.Secret{Value: w.token("2s", "3s")}))
	w.loggedIn()
	require.Eventually(t, func() bool { return w.session.Err() != nil }, testkit.Patience, 20*time.Millisecond)
	require.ErrorContains(t, w.session.Err(), "expired")
	require.Regexp(t, "can no longer be renewed|has just expired", w.log.String())
}

func TestATokenWithoutAnEndNeedsNoCare(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.login(login.Token(login.Secret{Value: w.bao.RootToken}))
	w.loggedIn()
	require.NoError(t, w.ask())
}

func TestALoginCanBeBegunBeforeItIsKept(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleID, secretID := w.approle("2s", "3s")
	session, err := login.New(w.root, login.AppRole("apps", roleID, login.Secret{Value: secretID}), nil)
	require.NoError(t, err)
	session.Begin(t.Context())
	require.NoError(t, session.Err())
	first := w.root.Token()
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- session.Run(ctx) }()
	require.Eventually(t, func() bool { return w.root.Token() != first }, testkit.Patience, 10*time.Millisecond,
		"and is kept from there")
	cancel()
	require.NoError(t, <-done)
}

// leaving is a login during which the process is told to end.
type leaving struct{ end func() }

func (l leaving) Login(ctx context.Context, _ *api.Client) (*api.Secret, error) {
	l.end()
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestAnEndDuringALoginIsNoFailure(t *testing.T) {
	t.Parallel()
	client, err := vaulttransit.NewClient(vaulttransit.ClientOptions{Config: &api.Config{
		Address:    "http://127.0.0.1:1",
		HttpClient: &http.Client{},
	}})
	require.NoError(t, err)
	ctx, cancel := context.WithCancel(t.Context())
	log := &syncBuffer{}
	session, err := login.New(client, leaving{cancel}, slog.New(slog.NewTextHandler(log, nil)))
	require.NoError(t, err)
	require.NoError(t, session.Run(ctx))
	require.Empty(t, log.String())
}

func TestAServerThatComesLateIsLoggedInTo(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	roleID, secretID := w.approle("1h", "1h")
	w.bao.Kill(t)
	w.login(login.AppRole("apps", roleID, login.Secret{Value: secretID}))
	require.Eventually(t, func() bool { return bytes.Contains([]byte(w.log.String()), []byte("can't log in")) },
		testkit.Patience, 5*time.Millisecond)
	w.bao.Start(t)
	w.bao.Unseal(t)
	w.loggedIn()
	require.NoError(t, w.ask())
	require.Equal(t, 1, bytes.Count([]byte(w.log.String()), []byte("level=ERROR")), "it complains once")
}
