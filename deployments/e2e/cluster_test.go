//go:build cluster

package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"testing"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
	"github.com/stretchr/testify/require"
	"golang.org/x/oauth2"

	"github.com/platform-oauth/platform-oauth/libs/testkit/formbrowser"
)

// killed is how many of a thousand requests may be lost when a pod is killed without
// notice: those in flight, until the ingress stops sending it requests.
const killed = 10

// TestOnACluster lives through a release on the cluster of the current kubeconfig
// context, whose administrator the caller must be: install, test, sign in, lose a
// pod, scale, upgrade, roll back, uninstall. It needs kubectl in the PATH, an
// ingress controller in the cluster, and
//
//	CLUSTER_IMAGES             where the six images are, as the chart's image.repository; required
//	CLUSTER_TAG                their tag; the chart's appVersion
//	CLUSTER_UPGRADE_TAG        the tag to upgrade to; the same with another setting, which replaces every pod too
//	CLUSTER_INGRESS_CLASS      the cluster's default
//	CLUSTER_INGRESS            host:port of the ingress from here; the address in the Ingress's status
//	CLUSTER_INGRESS_NAMESPACE  ingress-nginx
//	CLUSTER_INGRESS_SERVICE    ingress-nginx-controller.ingress-nginx.svc:443, from inside
//	CLUSTER_TRUSTED_PROXIES    10.0.0.0/8
//
// Everything is in a namespace of its own, under the restricted Pod Security
// Standard, but for one ClusterRoleBinding, by which OpenBao may review tokens.
func TestOnACluster(t *testing.T) {
	c := newCluster(t)
	s := &system{Origin: "https://" + clusterHost}
	s.Issuer = s.url("/oauth")

	step := func(name string, f func(t *testing.T)) {
		start := time.Now()
		if !t.Run(name, f) {
			t.FailNow() // each needs the one before
		}
		t.Logf("%s: %s", name, time.Since(start).Round(time.Second))
	}

	// under has what f does happen under load, of which nothing may be lost.
	under := func(t *testing.T, f func()) {
		t.Helper()
		l := startLoad(s, serviceForm())
		f()
		lost := l.end()
		t.Logf("%d requests", l.answered.Load())
		require.Zero(t, lost, "of %d requests; the first: %s", l.answered.Load(), l.said)
	}

	pods := func(t *testing.T) string {
		t.Helper()
		return c.kubectl(t, "get", "pods", "-l", "app.kubernetes.io/component=token",
			"--field-selector=status.phase=Running", "-o", "jsonpath={.items[*].metadata.name}")
	}

	step("install", func(t *testing.T) {
		c.deploy(t)
		require.Eventually(t, func() bool {
			status, _ := fetch(t.Context(), s.Issuer+"/.well-known/openid-configuration")
			return status == http.StatusOK
		}, 2*time.Minute, time.Second, "the ingress routes to the release")
	})

	step("helm test", func(t *testing.T) {
		require.Contains(t, c.helm(t, "test", clusterRelease, "--timeout", helmPatience), "ok  token")
	})
	step("sign in", func(t *testing.T) {
		rp := newRelyingParty(t, s, "web", webCallback, "openid", "profile", "email")
		a := newAttempt()
		tokens, id := rp.redeem(t, a,
			rp.code(t, s, a, signIn(formbrowser.New(t, "https://billing.test").Get(rp.begin(a)), "ada@acme.test")))
		info, err := rp.provider.UserInfo(t.Context(), oauth2.StaticTokenSource(tokens))
		require.NoError(t, err)
		require.Equal(t, id.Subject, info.Subject)
		keys := oidc.NewRemoteKeySet(t.Context(), s.url("/.well-known/jwks.json"))
		_, err = keys.VerifySignature(t.Context(), tokens.AccessToken)
		require.NoError(t, err, "signed by Vault, verified by what the keys service publishes")
	})

	step("30 seconds of load while a pod is killed", func(t *testing.T) {
		l := startLoad(s, serviceForm())
		wait(t, 10*time.Second)
		victim := c.kubectl(t, "get", "pods", "-l", "app.kubernetes.io/component=token", "-o",
			"jsonpath={.items[0].metadata.name}")
		c.kubectl(t, "delete", "pod", victim, "--grace-period=0", "--force")
		wait(t, 20*time.Second)
		lost := l.end()
		t.Logf("%d requests, %d lost: %s", l.answered.Load(), lost, l.said)
		require.Greater(t, l.answered.Load(), int64(1000))
		require.LessOrEqual(t, lost*1000, killed*l.answered.Load(), "the first: %s", l.said)
		require.NotContains(t, pods(t), victim)
		c.rolledOut(t)
	})

	step("scale from one to four", func(t *testing.T) {
		under(t, func() {
			for _, replicas := range []string{"1", "4"} {
				c.kubectl(t, "scale", "deployment", clusterRelease+"-token", "--replicas="+replicas)
				c.rolledOut(t)
				wait(t, 20*time.Second) // what drains is still asked for a while
			}
		})

		require.Regexp(t, `^(\S+ ){3}\S+$`, pods(t), "four of them")
	})

	step("upgrade", func(t *testing.T) {
		set := []string{"config.PLATFORM_ACCESS_TOKEN_TTL=5m", "services.token.replicas=4"}
		if tag := os.Getenv("CLUSTER_UPGRADE_TAG"); tag != "" {
			set = append(set, "image.tag="+tag)
		}

		before := pods(t)
		under(t, func() {
			c.deploy(t, set...)
			wait(t, 20*time.Second)
		})
		require.NotEqual(t, before, pods(t))
		require.Equal(t, 300, c.lifetime(t, s))
	})

	step("roll back", func(t *testing.T) {
		under(t, func() {
			c.helm(t, "rollback", clusterRelease, "--wait", "--timeout", helmPatience)
			wait(t, 20*time.Second)
		})
		require.Equal(t, 3600, c.lifetime(t, s))
	})

	step("uninstall", func(t *testing.T) {
		c.helm(t, "uninstall", clusterRelease, "--wait", "--timeout", helmPatience)
		const kinds = "deployment,replicaset,pod,service,ingress,job,serviceaccount,configmap,secret,networkpolicy,poddisruptionbudget,horizontalpodautoscaler"
		require.Eventually(t, func() bool {
			return c.kubectl(t, "get", kinds, "-l", "app.kubernetes.io/instance="+clusterRelease, "-o", "name") == ""
		}, 2*time.Minute, time.Second, "nothing is left behind")
		require.Empty(t, c.helm(t, "list", "--all", "--short"))
	})
}

// rolledOut waits until the token service's pods are as many as they should be.
func (c *cluster) rolledOut(t *testing.T) {
	t.Helper()
	c.kubectl(t, "rollout", "status", "deployment/"+clusterRelease+"-token", "--timeout="+helmPatience)
}

// lifetime requests a token and returns its lifetime in seconds.
func (c *cluster) lifetime(t *testing.T, s *system) int {
	t.Helper()
	res, body := exchange(t, http.MethodPost, s.url("/oauth/token"), serviceForm(), nil)
	require.Equal(t, http.StatusOK, res.StatusCode, string(body))
	var answer struct {
		ExpiresIn int `json:"expires_in"`
	}
	require.NoError(t, json.Unmarshal(body, &answer))
	return answer.ExpiresIn
}

// wait lets the load continue for a while. Here the time itself is tested.
func wait(t *testing.T, d time.Duration) {
	t.Helper()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-t.Context().Done():
		require.Fail(t, "the test is over")
	}
}
