package e2e

import (
	"encoding/json"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// changeBound is how soon every replica sees an operator's change, as --help states.
const changeBound = 5 * time.Second

// subject is what an operator's command changes, and whether a replica serves it.
type subject struct {
	name     string
	servedAt func(replica string) bool
	command  []string
}

// operate runs an operator's command on a running platform.
func (s *system) operate(t *testing.T, args ...string) string {
	t.Helper()
	return platform(t, s.operator, args...)
}

// operatesReplicas uses the operator's commands while two replicas of the token service
// run, and requires that within the bound neither serves what was disabled.
func operatesReplicas(t *testing.T, s *system) {
	word := filepath.Join(t.TempDir(), "password")
	require.NoError(t, os.WriteFile(word, []byte(password), 0o600))
	var created struct {
		Secrets []struct {
			Secret string `json:"client_secret"`
		} `json:"secrets"`
	}

	secretFrom := func(printed string) string {
		t.Helper()
		require.NoError(t, json.Unmarshal([]byte(printed), &created), printed)
		require.Len(t, created.Secrets, 1)
		return created.Secrets[0].Secret
	}

	service := func(id string) (servedAt func(string) bool) {
		t.Helper()
		secret := secretFrom(s.operate(t, "app", "create", id, "--name", id, "--type", "SERVICE", "--grant",
			"client_credentials", "--output", "json"))
		return s.servesAt(t, id, secret)
	}

	person := func(email string) (servedAt func(string) bool) {
		t.Helper()
		s.operate(t, "user", "create", email, "--name", email, "--tenant", "acme", "--password-file", word)
		rp := newRelyingParty(t, s, "portal", portalCallback, "openid")
		a := newAttempt()
		tokens, _ := rp.redeem(t, a, rp.code(t, s, a, signIn(formbrowser.New(t, "https://").Get(rp.begin(a)), email)))
		return func(replica string) bool {
			status, _ := s.at(t, replica, "/oauth/userinfo", nil,
				http.Header{"Authorization": {"Bearer " + tokens.AccessToken}})
			return status == http.StatusOK
		}
	}

	subjects := []subject{
		{"an application that is disabled", service("halted"), []string{"app", "disable", "halted"}},
		{
			"the secret that was replaced", service("leaky"),
			[]string{"app", "rotate-secret", "leaky", "--overlap", "0s", "--output", "json"},
		},
		{
			"a person whose session is ended", person("ended@acme.test"),
			[]string{"session", "end", "--user", "ended@acme.test"},
		},
		{"a person who is disabled", person("gone@acme.test"), []string{"user", "disable", "gone@acme.test"}},
	}

	replicas := []string{"token", "token-2"}
	for _, subject := range subjects {
		for _, replica := range replicas {
			require.True(t, subject.servedAt(replica), "%s, at %s", subject.name, replica)
		}
	}

	said := map[string]string{}
	for _, subject := range subjects {
		said[subject.name] = s.operate(t, subject.command...)
	}

	within := time.Now().Add(changeBound + time.Second) // the last command's bound, and a moment for a busy machine
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	eventually := func(what string, condition func() bool) {
		t.Helper()
		for !condition() {
			require.True(t, time.Now().Before(within), what)
			<-tick.C
		}
	}

	fresh := s.servesAt(t, "leaky", secretFrom(said["the secret that was replaced"]))
	for _, replica := range replicas {
		for _, subject := range subjects {
			eventually(subject.name+" is refused at "+replica, func() bool { return !subject.servedAt(replica) })
		}
		eventually("the new secret is good at "+replica, func() bool { return fresh(replica) })
	}
}

// servesAt reports whether a replica gives an application a token for its secret.
func (s *system) servesAt(t *testing.T, client, secret string) func(replica string) bool {
	return func(replica string) bool {
		status, _ := s.at(t, replica, "/oauth/token", url.Values{
			"grant_type": {"client_credentials"}, "client_id": {client}, "client_secret": {secret},
		}, nil)
		return status == http.StatusOK
	}
}
