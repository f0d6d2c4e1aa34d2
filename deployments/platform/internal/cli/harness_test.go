package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// patience bounds operations that take a second or two.
const patience = testkit.Patience

// output is a stream that may be read while it is written.
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

// outcome is how a command ended and what it wrote.
type outcome struct {
	code     int
	out, err string
}

// desk is an operator's environment and data folder.
type desk struct {
	t       *testing.T
	data    string
	environ []string
	in      string
}

func newDesk(t *testing.T, environ ...string) *desk {
	t.Helper()
	data := filepath.Join(t.TempDir(), "data")
	return &desk{t: t, data: data, environ: append(environ, "PLATFORM_DATA_DIR="+data)}
}

func (d *desk) run(args ...string) outcome {
	d.t.Helper()
	return d.runIn(d.t.Context(), args...)
}

func (d *desk) runIn(ctx context.Context, args ...string) outcome {
	d.t.Helper()
	var out, err output
	code := Run(ctx, args, Streams{In: strings.NewReader(d.in), Out: &out, Err: &err}, d.environ)
	return outcome{code, out.String(), err.String()}
}

// done runs a command that must succeed and returns what it printed.
func (d *desk) done(args ...string) string {
	d.t.Helper()
	o := d.run(args...)
	require.Equal(d.t, exitDone, o.code, o.err)
	return o.out
}

// json runs a command that must succeed and print one JSON document.
func (d *desk) json(v any, args ...string) {
	d.t.Helper()
	require.NoError(d.t, json.Unmarshal([]byte(d.done(append(args, "--output", "json")...)), v))
}

// wrong runs a command that must be wrong usage and returns the message.
func (d *desk) wrong(args ...string) string {
	d.t.Helper()
	o := d.run(args...)
	require.Equal(d.t, exitUsage, o.code, o.err)
	require.Empty(d.t, o.out)
	return o.err
}

// failed runs a command that must fail and returns the message.
func (d *desk) failed(args ...string) string {
	d.t.Helper()
	o := d.run(args...)
	require.Equal(d.t, exitFailed, o.code, o.err)
	return o.err
}

// up is a command in the background, usually `platform up`.
type up struct {
	t        *testing.T
	out, err *output
	stop     context.CancelFunc
	ended    chan int
}

func (d *desk) up(args ...string) *up {
	d.t.Helper()
	return d.start(append([]string{"up"}, args...)...)
}

// start runs a command in the background.
func (d *desk) start(args ...string) *up {
	d.t.Helper()
	ctx, stop := context.WithCancel(d.t.Context())
	u := &up{
		t:     d.t,
		out:   &output{},
		err:   &output{},
		stop:  stop,
		ended: make(chan int, 1),
	}

	go func() { u.ended <- Run(ctx, args, Streams{Out: u.out, Err: u.err}, d.environ) }()
	d.t.Cleanup(stop)

	return u
}

// ready waits for the block and returns it.
func (u *up) ready(sign string) string {
	u.t.Helper()
	require.Eventually(u.t, func() bool { return strings.Contains(u.out.String(), sign) || len(u.ended) > 0 },
		patience, 5*time.Millisecond)
	require.Contains(u.t, u.out.String(), sign, u.err.String())
	return u.out.String()
}

// end tells it to stop and returns the exit code.
func (u *up) end() int {
	u.t.Helper()
	u.stop()
	return u.wait()
}

func (u *up) wait() int {
	u.t.Helper()
	select {
	case code := <-u.ended:
		return code
	case <-time.After(patience):
		require.Fail(u.t, "still up", u.err.String())
		return -1
	}
}

// lines returns the lines of a text, without the empty one at the end.
func lines(text string) []string { return strings.Split(strings.TrimSuffix(text, "\n"), "\n") }
