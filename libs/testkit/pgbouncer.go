package testkit

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/apt"
)

// pgBouncerConfig is Debian's default configuration, with transaction pooling and little
// else. Users log in with their own passwords, for which PgBouncer queries the server.
const pgBouncerConfig = `
[databases]
* = host=%[1]s port=%[2]s auth_user=postgres
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = %[3]s
unix_socket_dir =
pool_mode = transaction
default_pool_size = 5
max_client_conn = 500
auth_type = scram-sha-256
auth_file = %[4]s
auth_query = SELECT usename, passwd FROM pg_shadow WHERE usename = $1
%[5]s
`

// pgBouncerSupervisor ends the program when our end of the pipe, its standard input,
// closes. That happens however the test binary ends.
const pgBouncerSupervisor = `"$0" -q "$1" </dev/null & bouncer=$!; while read -r _; do :; done; kill "$bouncer"; wait "$bouncer"`

// PgBouncer starts a PgBouncer in transaction mode in front of the server. It installs
// PgBouncer if it is missing and we have the rights to. It returns a function that turns a
// database's URL into one that goes through PgBouncer. Further settings are lines of its
// configuration. PgBouncer stops at the end of the test.
func PgBouncer(t testing.TB, server *PGServer, settings ...string) (through func(dbURL string) string) {
	t.Helper()
	program := pgBouncerProgram(t)
	who, err := pgUser()
	require.NoError(t, err)
	dir, err := pgFolder(who)
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, os.RemoveAll(dir)) })

	addr := FreeAddr(t)
	_, port, err := net.SplitHostPort(addr)
	require.NoError(t, err)
	host, serverPort, err := net.SplitHostPort(server.process.host)
	require.NoError(t, err)
	users, config := filepath.Join(dir, "users"), filepath.Join(dir, "pgbouncer.ini")
	for path, content := range map[string]string{
		users:  fmt.Sprintf("\"postgres\" %q\n", server.process.password),
		config: fmt.Sprintf(pgBouncerConfig, host, serverPort, port, users, strings.Join(settings, "\n")),
	} {
		require.NoError(t, os.WriteFile(path, []byte(content), 0o600))
		if who != nil {
			require.NoError(t, os.Chown(path, int(who.Uid), int(who.Gid)))
		}
	}

	ctx := context.WithoutCancel(t.Context())
	command := exec.CommandContext(ctx, "sh", "-c", pgBouncerSupervisor, program, config) //nolint:gosec // we found it
	startPgBouncer(t, command, who, addr)
	return func(dbURL string) string {
		u, err := url.Parse(dbURL)
		require.NoError(t, err)
		u.Host = addr
		return u.String()
	}
}

func startPgBouncer(t testing.TB, cmd *exec.Cmd, who *syscall.Credential, addr string) {
	t.Helper()
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: who, Setpgid: true}
	var log bytes.Buffer
	cmd.Stdout, cmd.Stderr = &log, &log
	keep, err := cmd.StdinPipe()
	require.NoError(t, err)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		_ = keep.Close()
		_ = cmd.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})

	require.Eventually(t, func() bool {
		conn, err := net.Dial("tcp", addr) //nolint:noctx // to loopback
		if err == nil {
			_ = conn.Close()
		}
		return err == nil
	}, Patience, 10*time.Millisecond, "PgBouncer does not listen")
}

func pgBouncerProgram(t testing.TB) string {
	t.Helper()

	for range 2 {
		for _, name := range []string{"pgbouncer", "/usr/sbin/pgbouncer"} {
			if path, err := exec.LookPath(name); err == nil {
				return path
			}
		}
		require.NoError(t, apt.Install("PgBouncer", "pgbouncer"))
	}

	require.Fail(t, "the package pgbouncer is installed, but there is no pgbouncer in PATH or /usr/sbin")
	return ""
}
