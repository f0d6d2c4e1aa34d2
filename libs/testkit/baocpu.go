package testkit

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
)

// clockTick is the unit of times in /proc, which Linux reports to programs as 1/100 s on
// every architecture.
const clockTick = 10 * time.Millisecond

// CPUTime returns the CPU time that the server has used so far, for benchmarks.
func (s *BaoServer) CPUTime(t testing.TB) time.Duration {
	t.Helper()
	require.NotNil(t, s.process, "the server does not run")
	content, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", s.process.cmd.Process.Pid))
	require.NoError(t, err)
	// proc(5): the name, in parentheses, may contain any character; utime and stime are
	// fields 14 and 15.
	fields := strings.Fields(string(content[strings.LastIndexByte(string(content), ')')+1:]))
	var sum time.Duration
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		require.NoError(t, err)
		sum += time.Duration(ticks) * clockTick
	}

	return sum
}
