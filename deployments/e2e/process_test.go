package e2e

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"os/exec"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// output collects what a process writes, while it writes.
type output struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.buf.String()
}

// process is one running binary.
type process struct {
	name string
	cmd  *exec.Cmd
	out  *output
	done chan struct{} // closed when it has ended; err is set then
	err  error
}

// start runs a binary with nothing in its environment but env. It is killed, if
// it still runs, when the test ends; its output is shown when the test failed.
func start(t testing.TB, name string, env []string, args ...string) *process {
	t.Helper()
	p := &process{name: name, out: &output{}, done: make(chan struct{})}
	p.cmd = exec.Command(filepath.Join(bin, name), args...)
	p.cmd.Env, p.cmd.Stdout, p.cmd.Stderr, p.cmd.Dir = env, p.out, p.out, t.TempDir()
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	require.NoError(t, p.cmd.Start())
	go func() {
		p.err = p.cmd.Wait()
		close(p.done)
	}()
	t.Cleanup(func() {
		_ = p.cmd.Process.Kill()
		<-p.done
		if t.Failed() {
			t.Logf("--- %s said:\n%s", name, p.out.String())
		}
	})

	return p
}

// stop asks the process to drain and waits for its end.
func (p *process) stop(t *testing.T) {
	t.Helper()
	p.terminate(t)
	p.waitForEnd(t)
}

// terminate asks the process to drain.
func (p *process) terminate(t *testing.T) {
	t.Helper()
	require.NoError(t, p.cmd.Process.Signal(syscall.SIGTERM))
}

// waitForEnd waits for the end of a process that was asked to drain.
func (p *process) waitForEnd(t *testing.T) {
	t.Helper()
	select {
	case <-p.done:
	case <-time.After(2 * time.Minute):
		require.Fail(t, "still running 30 s after SIGTERM", p.name)
	}

	require.NoError(t, p.err, "%s must end with exit code 0 after SIGTERM", p.name)
}

// waitFor polls a path of the admin listener until it answers 200.
func (p *process) waitFor(t testing.TB, admin, path string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	last := ""
	for {
		if status, body := fetch(ctx, "http://"+admin+path); status == http.StatusOK {
			return
		} else if body != "" {
			last = body
		}

		select {
		case <-p.done:
			require.Fail(t, "ended before it was ready", "%s: %v\n%s", p.name, p.err, p.out.String())
		case <-ctx.Done():
			require.Fail(t, "not ready within a minute", "%s: %s", p.name, last)
		case <-tick.C:
		}
	}
}

func fetch(ctx context.Context, url string) (int, string) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, url, http.NoBody)
	if err != nil {
		return 0, ""
	}

	res, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, ""
	}

	defer func() { _ = res.Body.Close() }()
	body, _ := io.ReadAll(res.Body)
	return res.StatusCode, string(body)
}
