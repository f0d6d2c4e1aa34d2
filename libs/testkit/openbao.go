package testkit

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// OpenBaoVariable names the program that [OpenBao] starts; without it that is
// bin/openbao at the root of the repository, which `make bin/openbao` builds.
const OpenBaoVariable = "TESTKIT_OPENBAO"

// BaoServer is an OpenBao of one test's own: Vault transit, AppRole and Kubernetes
// logins, on plain HTTP. Its storage outlives its process, as a real one's does.
type BaoServer struct {
	Addr      string // http://127.0.0.1:port, the same after a restart
	RootToken string

	unsealKeys []string
	dir        string
	process    *baoProcess // nil while it does not run
}

// OpenBao starts a server, unsealed and empty, that ends with the test.
func OpenBao(t testing.TB) *BaoServer {
	t.Helper()
	s := &BaoServer{Addr: "http://" + FreeAddr(t), dir: t.TempDir()}
	t.Cleanup(func() { s.end() })
	line := s.start(t)
	s.RootToken, s.unsealKeys = line.RootToken, line.UnsealKeys
	return s
}

// Client speaks to the server with the token; without one it can only log in. It
// does not retry, so that a test sees each answer, and it reads no environment.
func (s *BaoServer) Client(t testing.TB, token string) *api.Client {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: s.Addr, HttpClient: &http.Client{Transport: s.transport(t)}})
	require.NoError(t, err)
	client.SetMaxRetries(0)
	client.SetNamespace("")
	client.SetToken(token)
	return client
}

// transport has connections of its own, none of which outlives the test.
func (*BaoServer) transport(t testing.TB) *http.Transport {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Seal makes the server forget its keys: it answers 503 until Unseal.
func (s *BaoServer) Seal(t testing.TB) {
	t.Helper()
	require.NoError(t, s.Client(t, s.RootToken).Sys().SealWithContext(t.Context()))
}

// Unseal gives the server its keys back.
func (s *BaoServer) Unseal(t testing.TB) {
	t.Helper()
	client := s.Client(t, "")
	for _, key := range s.unsealKeys {
		status, err := client.Sys().UnsealWithContext(t.Context(), key)
		require.NoError(t, err)
		require.False(t, status.Sealed, "%d keys unseal the server", len(s.unsealKeys))
	}
}

// Stop ends the server in order; Start brings it back.
func (s *BaoServer) Stop(t testing.TB) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	require.NoError(t, s.process.stop())
	s.process = nil
}

// Kill ends the server as a crash would; Start brings it back.
func (s *BaoServer) Kill(t testing.TB) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	require.NoError(t, s.process.kill())
	s.process = nil
}

// Start starts a stopped server again, at the same address, with what it had;
// sealed, as Vault always comes up.
func (s *BaoServer) Start(t testing.TB) {
	t.Helper()
	require.Nil(t, s.process, "the server runs")
	require.True(t, s.start(t).Sealed)
}

// Restart kills the server, and starts and unseals it.
func (s *BaoServer) Restart(t testing.TB) {
	t.Helper()
	s.Kill(t)
	s.Start(t)
	s.Unseal(t)
}

// Pause keeps the server from doing anything: connections are accepted by the
// kernel, and nobody answers.
func (s *BaoServer) Pause(t testing.TB) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	require.NoError(t, s.process.signal(pauseSignal))
	require.Eventually(t, s.process.paused, baoPatience, time.Millisecond, "the server goes on")
}

// Resume ends a pause.
func (s *BaoServer) Resume(t testing.TB) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	require.NoError(t, s.process.signal(resumeSignal))
}

func (s *BaoServer) end() {
	if s.process != nil {
		_ = s.process.kill()
	}
}

func (s *BaoServer) start(t testing.TB) baoLine {
	t.Helper()
	program, err := openBaoBinary(os.Getenv(OpenBaoVariable))
	require.NoError(t, err, "this test needs OpenBao")
	process, line, err := startBao(program, s.Addr, s.dir)
	require.NoError(t, err)
	s.process = process
	return line
}
