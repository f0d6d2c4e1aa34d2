package cli

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestTheDemoRunsBesideAPlatform(t *testing.T) {
	d := newDesk(t, "PLATFORM_PUBLIC_URL=http://127.0.0.1:8080")
	d.done("migrate")
	listen := testkit.FreeAddr(t)
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	ended := make(chan outcome, 1)
	go func() { ended <- d.runIn(ctx, "demo", "--listen", listen) }()
	require.Eventually(t, func() bool {
		res, err := http.Get("http://" + listen + "/demo")
		if err != nil {
			return false
		}

		defer func() { _ = res.Body.Close() }()
		body, err := io.ReadAll(res.Body)
		return err == nil && res.StatusCode == http.StatusOK && strings.Contains(string(body), "ada@acme.test")
	}, patience, 20*time.Millisecond)

	stop()
	o := <-ended
	require.Equal(t, exitDone, o.code, o.err)
	require.Contains(t, o.out, "http://"+listen+"/demo")
	require.Contains(t, d.done("app", "show", "demo-web"), "http://"+listen+"/demo/callback",
		"the set names the demo's own origin")
}

func TestTheDemoIsForLoopbackOnly(t *testing.T) {
	o := newDesk(t).run("demo", "--listen", ":8090")
	require.Equal(t, exitUsage, o.code)
	require.Contains(t, o.err, "loopback")

	d := newDesk(t, "PLATFORM_PUBLIC_URL=https://id.example.com")
	d.done("migrate")
	o = d.run("demo")
	require.Equal(t, exitUsage, o.code)
	require.Contains(t, o.err, "PLATFORM_PUBLIC_URL")
}
