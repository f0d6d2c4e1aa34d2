package testkit

import (
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"
)

// OpenBaoVariable names the environment variable with the path of the program that
// [OpenBao] starts. The default is bin/openbao at the root of the repository, which `make
// bin/openbao` builds.
const OpenBaoVariable = "TESTKIT_OPENBAO"

// BaoServer is an OpenBao for one test, with Vault transit and AppRole and Kubernetes
// logins, on plain HTTP. Its storage outlives its process, like that of a real server.
type BaoServer struct {
	Addr      string // http://127.0.0.1:port, the same after a restart
	RootToken string

	unsealKeys []string
	dir        string
	process    *baoProcess // nil while the server isn't running
}

// OpenBao starts an unsealed, empty server that stops at the end of the test.
func OpenBao(t testing.TB) *BaoServer {
	t.Helper()
	s := &BaoServer{Addr: "http://" + FreeAddr(t), dir: t.TempDir()}
	t.Cleanup(func() { s.end() })
	line := s.start(t)
	s.RootToken, s.unsealKeys = line.RootToken, line.UnsealKeys
	return s
}

// Client returns a client that uses the token; without one it can only log in. It doesn't
// retry, so that a test sees each response, and it ignores the environment.
func (s *BaoServer) Client(t testing.TB, token string) *api.Client {
	t.Helper()
	client, err := api.NewClient(&api.Config{Address: s.Addr, HttpClient: &http.Client{Transport: s.transport(t)}})
	require.NoError(t, err)
	client.SetMaxRetries(0)
	client.SetNamespace("")
	client.SetToken(token)
	return client
}

// transport returns a transport whose connections end with the test.
func (*BaoServer) transport(t testing.TB) *http.Transport {
	transport := &http.Transport{}
	t.Cleanup(transport.CloseIdleConnections)
	return transport
}

// Seal seals the server, which then answers 503 until Unseal.
func (s *BaoServer) Seal(t testing.TB) {
	t.Helper()
	require.NoError(t, s.Client(t, s.RootToken).Sys().SealWithContext(t.Context()))
}

// Unseal unseals the server.
func (s *BaoServer) Unseal(t testing.TB) {
	t.Helper()
	client := s.Client(t, "")
	for _, key := range s.unsealKeys {
		status, err := client.Sys().UnsealWithContext(t.Context(), key)
		require.NoError(t, err)
		require.False(t, status.Sealed, "%d keys unseal the server", len(s.unsealKeys))
	}
}

// Stop shuts the server down in order. Start starts it again.
func (s *BaoServer) Stop(t testing.TB) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	require.NoError(t, s.process.stop())
	s.process = nil
}

// Kill ends the server as a crash would. Start starts it again.
func (s *BaoServer) Kill(t testing.TB) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	require.NoError(t, s.process.kill())
	s.process = nil
}

// Start starts a stopped server again, at the same address and with its data. It comes up
// sealed, as Vault always does.
func (s *BaoServer) Start(t testing.TB) {
	t.Helper()
	require.Nil(t, s.process, "the server runs")
	require.True(t, s.start(t).Sealed)
}

// Restart kills, starts and unseals the server.
func (s *BaoServer) Restart(t testing.TB) {
	t.Helper()
	s.Kill(t)
	s.Start(t)
	s.Unseal(t)
}

// Pause stops the server's process. The kernel still accepts connections, but no request
// is answered.
func (s *BaoServer) Pause(t testing.TB) {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	require.NoError(t, s.process.signal(pauseSignal))
	require.Eventually(t, s.process.paused, baoPatience, time.Millisecond, "the server goes on")
}

// Resume ends a Pause.
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
