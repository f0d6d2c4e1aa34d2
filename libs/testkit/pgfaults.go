package testkit

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// Crash ends the server at once, and it stays down until Start.
func (s *PGServer) Crash(t testing.TB) {
	t.Helper()
	p := s.process
	postmaster := p.postmaster(t)
	require.NoError(t, os.WriteFile(filepath.Join(p.dir, "hold"), nil, 0o600))
	require.NoError(t, syscall.Kill(postmaster, syscall.SIGQUIT))
	require.Eventually(t, func() bool {
		_, err := os.Stat(p.heldFile())
		return err == nil
	}, Patience, 10*time.Millisecond, "the server still runs")
	require.NoError(t, removeIfThere(p.pidFile())) // an immediate shutdown leaves the file
}

// Start starts a crashed server on the same port, with its data.
func (s *PGServer) Start(t testing.TB) {
	t.Helper()
	require.NoError(t, os.Remove(s.process.heldFile()))
	require.NoError(t, s.process.await())
}

// Pause stops all processes of the server without ending them (SIGSTOP). The kernel still
// accepts connections, but no query is answered. Resume undoes it, and so does the end of
// the test.
func (s *PGServer) Pause(t testing.TB) {
	t.Helper()
	t.Cleanup(func() { s.Resume(t) })
	s.signal(t, syscall.SIGSTOP)
}

// Resume lets a paused server continue.
func (s *PGServer) Resume(t testing.TB) {
	t.Helper()
	s.signal(t, syscall.SIGCONT)
}

// signal signals the postmaster first, so that it starts no more children.
func (s *PGServer) signal(t testing.TB, signal syscall.Signal) {
	t.Helper()
	postmaster := s.process.postmaster(t)
	require.NoError(t, syscall.Kill(postmaster, signal))
	for _, child := range children(t, postmaster) {
		if err := syscall.Kill(child, signal); !errors.Is(err, syscall.ESRCH) {
			require.NoError(t, err)
		}
	}
}

func (p *pgProcess) pidFile() string  { return filepath.Join(p.dir, "data", "postmaster.pid") }
func (p *pgProcess) heldFile() string { return filepath.Join(p.dir, "held") }

func (p *pgProcess) postmaster(t testing.TB) int {
	t.Helper()
	content, err := os.ReadFile(p.pidFile())
	require.NoError(t, err)
	first, _, _ := bytes.Cut(content, []byte("\n"))
	pid, err := strconv.Atoi(string(first))
	require.NoError(t, err)
	return pid
}

// children returns the processes whose parent is pid.
func children(t testing.TB, pid int) (pids []int) {
	t.Helper()
	stats, err := filepath.Glob("/proc/[0-9]*/stat")
	require.NoError(t, err)

	for _, name := range stats {
		content, err := os.ReadFile(name) //nolint:gosec // a kernel file
		if err != nil {
			continue // the process has ended
		}

		// The line is "pid (name) state parent …", and the name may contain anything.
		fields := strings.Fields(string(content[bytes.LastIndexByte(content, ')')+1:]))
		if len(fields) > 1 && fields[1] == strconv.Itoa(pid) {
			child, err := strconv.Atoi(filepath.Base(filepath.Dir(name)))
			require.NoError(t, err)
			pids = append(pids, child)
		}
	}

	return pids
}

func removeIfThere(path string) error {
	if err := os.Remove(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}
