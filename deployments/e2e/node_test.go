package e2e

import (
	"bufio"
	"context"
	"encoding/json"
	"io"
	"net/url"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// script is a program of the folder clients, run by Node.
type script struct {
	t      *testing.T
	input  io.WriteCloser
	output *bufio.Scanner
}

// request is one of three things that a script asks the test for.
type request struct {
	Open    string          `json:"open"`
	Approve string          `json:"approve"`
	Done    json.RawMessage `json:"done"`
}

func startScript(t *testing.T, name string) *script {
	t.Helper()
	node, err := exec.LookPath("node")
	require.NoError(t, err, "this test needs Node")
	require.DirExists(t, filepath.Join("node_modules", name), "make test installs it from npm")
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 2*time.Minute)
	cmd := exec.CommandContext(ctx, node, filepath.Join("clients", name+".mjs"))
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	said := &output{}
	cmd.Env, cmd.Stderr = []string{}, said
	s := &script{t: t}
	s.input, err = cmd.StdinPipe()
	require.NoError(t, err)
	out, err := cmd.StdoutPipe()
	require.NoError(t, err)
	s.output = bufio.NewScanner(out)
	s.output.Buffer(nil, 1<<20)
	require.NoError(t, cmd.Start())
	t.Cleanup(func() {
		if t.Failed() {
			cancel()
			t.Logf("--- %s said:\n%s", name, said.String())
		}

		_ = s.input.Close()
		err := cmd.Wait()
		cancel()

		if !t.Failed() {
			require.NoError(t, err, said.String())
		}
	})

	return s
}

func (s *script) say(what any) {
	s.t.Helper()
	line, err := json.Marshal(what)
	require.NoError(s.t, err)
	_, err = s.input.Write(append(line, '\n'))
	require.NoError(s.t, err)
}

func (s *script) hear() request {
	s.t.Helper()
	require.True(s.t, s.output.Scan(), "the script ended before it was done")
	var r request
	require.NoError(s.t, json.Unmarshal(s.output.Bytes(), &r), s.output.Text())
	return r
}

// learned is the result of a script.
type learned struct {
	Subject          string `json:"subject"`
	Name             string `json:"name"`
	Rotated          bool   `json:"rotated"`
	RefreshedSubject string `json:"refreshed_subject"`
	ActiveBefore     bool   `json:"active_before"`
	ActiveAfter      bool   `json:"active_after"`
	AfterRevocation  string `json:"after_revocation"`
	OwnSubject       string `json:"own_subject"`
	DeviceSubject    string `json:"device_subject"`
	IssuedTokenType  string `json:"issued_token_type"`
	Logout           string `json:"logout"`
}

// TestClientsFromNPM runs two libraries that check what they are told more strictly
// than most: discovery, code with PKCE, userinfo, refresh, introspection,
// revocation, client credentials, device and exchange.
func TestClientsFromNPM(t *testing.T) {
	onBothWays(t, func(t *testing.T, s *system) {
		for _, name := range []string{"openid-client", "oauth4webapi"} {
			t.Run(name, func(t *testing.T) {
				browser := formbrowser.New(t, "https://")
				script := startScript(t, name)
				script.say(map[string]string{
					"issuer":                   s.Issuer,
					"client_id":                "portal",
					"client_secret":            secrets["portal"],
					"resource":                 "https://api.billing.test",
					"redirect_uri":             "https://portal.test/callback",
					"post_logout_redirect_uri": "https://portal.test/bye",
				})

				answer := converse(t, script, browser)
				require.NotEmpty(t, answer.Subject)
				require.Equal(t, learned{
					Subject:          answer.Subject,
					Name:             "Ada Lovelace",
					Rotated:          true,
					RefreshedSubject: answer.Subject,
					ActiveBefore:     true,
					ActiveAfter:      false,
					AfterRevocation:  "invalid_grant",
					OwnSubject:       "portal",
					DeviceSubject:    answer.Subject,
					IssuedTokenType:  "urn:ietf:params:oauth:token-type:access_token",
					Logout:           answer.Logout,
				}, answer)

				page := browser.Get(answer.Logout)
				require.True(t, strings.HasPrefix(page.Location().String(), "https://portal.test/bye"),
					"OpenID Connect RP-Initiated Logout 1.0 2")
			})
		}
	})
}

// converse does what the script asks of a person until it ends.
func converse(t *testing.T, script *script, browser *formbrowser.Browser) learned {
	t.Helper()

	for {
		switch r := script.hear(); {
		case r.Open != "":
			script.say(signIn(browser.Get(r.Open), "ada@acme.test").String())
		case r.Approve != "":
			page := browser.Get(r.Approve).Submit("Allow", nil)
			require.Contains(t, page.Text(), "Device connected")
			script.say("done")
		default:
			var answer learned
			require.NoError(t, json.Unmarshal(r.Done, &answer))
			u, err := url.Parse(answer.Logout)
			require.NoError(t, err)
			require.True(t, u.Query().Has("id_token_hint"))
			return answer
		}
	}
}
