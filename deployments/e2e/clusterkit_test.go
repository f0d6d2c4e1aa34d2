//go:build cluster

package e2e

import (
	"bytes"
	"cmp"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

const (
	clusterHost    = "login.platform.test"
	clusterRelease = "platform-oauth"
	helmPatience   = "5m"
)

// cluster is a namespace of its own on the cluster of the caller's kubeconfig.
type cluster struct {
	namespace string
	values    string // the chart's values, a file
	chart     string
}

// setting returns an environment variable, which is required if it has no default.
func setting(t *testing.T, name, or string) string {
	t.Helper()
	value := cmp.Or(os.Getenv(name), or)
	require.NotEmpty(t, value, "set %s: the comment of TestOnACluster says what to", name)
	return value
}

// newCluster creates the namespace, the chart's dependencies in it, and its values. All
// of it is removed when the test ends.
func newCluster(t *testing.T) *cluster {
	t.Helper()
	c := &cluster{
		namespace: "platform-verify-" + strings.ToLower(rand.Text()[:8]),
		values:    filepath.Join(t.TempDir(), "values.yaml"),
		chart:     filepath.Join("..", "..", "charts", "platform-oauth"),
	}
	images := setting(t, "CLUSTER_IMAGES", "")
	c.kubectl(t, "create", "namespace", c.namespace)
	t.Cleanup(func() {
		if t.Failed() {
			c.explain(t)
		}
		c.kubectl(t, "delete", "clusterrolebinding", c.namespace, "--ignore-not-found")
		c.kubectl(t, "delete", "namespace", c.namespace, "--wait", "--timeout=3m")
	})

	c.kubectl(t, "label", "namespace", c.namespace, "pod-security.kubernetes.io/enforce=restricted")

	authority := c.certificates(t)
	c.dependencies(t)
	write(t, c.values, map[string]any{
		"image":          map[string]any{"repository": images, "tag": os.Getenv("CLUSTER_TAG")},
		"publicUrl":      "https://" + clusterHost,
		"trustedProxies": strings.Split(setting(t, "CLUSTER_TRUSTED_PROXIES", "10.0.0.0/8"), ","),
		"vault":          map[string]any{"address": "http://openbao:8200"},
		"caConfigMap":    map[string]any{"name": "authority"},
		"ingress": map[string]any{
			"className": os.Getenv("CLUSTER_INGRESS_CLASS"),
			"tls":       map[string]any{"secretName": "ingress"},
		},
		"networkPolicy": map[string]any{"ingressController": []any{map[string]any{"namespaceSelector": map[string]any{
			"matchLabels": map[string]any{"kubernetes.io/metadata.name": setting(t,
				"CLUSTER_INGRESS_NAMESPACE", "ingress-nginx")},
		}}}},
		"apply": map[string]any{"enabled": true, "secretName": "declaration"},
		"test": map[string]any{
			"clientId": "service", "clientSecret": map[string]any{"name": "declaration", "key": "service"},
			"connectTo": setting(t, "CLUSTER_INGRESS_SERVICE", "ingress-nginx-controller.ingress-nginx.svc:443"),
		},
		"services": map[string]any{"token": map[string]any{
			"replicas":    2,
			"autoscaling": map[string]any{"enabled": false},
		}},
	})

	http.DefaultTransport.(*contract).next = &http.Transport{
		TLSClientConfig:     &tls.Config{RootCAs: authority, MinVersion: tls.VersionTLS12},
		MaxIdleConnsPerHost: 16,
		TLSHandshakeTimeout: 10 * time.Second,
		DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
			var d net.Dialer
			return d.DialContext(ctx, network, c.ingress(t))
		},
	}

	return c
}

// certificates makes an authority and the ingress's certificate.
func (c *cluster) certificates(t *testing.T) *x509.CertPool {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	require.NoError(t, err)
	template := &x509.Certificate{
		SerialNumber:          big.NewInt(1),
		DNSNames:              []string{clusterHost},
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().Add(24 * time.Hour),
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}

	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	require.NoError(t, err)
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	require.NoError(t, err)
	folder := t.TempDir()
	file := func(name, kind string, content []byte) string {
		path := filepath.Join(folder, name)
		require.NoError(t, os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: content}), 0o600))
		return path
	}

	crt, private := file("ca.crt", "CERTIFICATE", der), file("tls.key", "PRIVATE KEY", pkcs8)
	c.kubectl(t, "create", "secret", "tls", "ingress", "--cert", crt, "--key", private)
	c.kubectl(t, "create", "configmap", "authority", "--from-file", crt)
	pool := x509.NewCertPool()
	certificate, err := x509.ParseCertificate(der)
	require.NoError(t, err)
	pool.AddCert(certificate)

	return pool
}

// dependencies starts PostgreSQL with a login role a service, and OpenBao with the
// policies and roles of deployments/vault, and makes the Secrets that the chart
// expects.
func (c *cluster) dependencies(t *testing.T) {
	t.Helper()
	var sql strings.Builder
	login := func(name, member string) {
		password := rand.Text()
		fmt.Fprintf(&sql, "CREATE ROLE %s LOGIN PASSWORD '%s'", name, password)
		if member != "" {
			fmt.Fprintf(&sql, " IN ROLE %s", member)
		}

		sql.WriteString(";\n")
		c.secret(t, "platform-database-"+strings.TrimSuffix(name, "_login"), map[string]string{
			"url": fmt.Sprintf("postgres://%s:%s@postgres:5432/platform?sslmode=disable", name, password),
		})
	}
	for _, service := range append([]string{"operator"}, services...) {
		fmt.Fprintf(&sql, "CREATE ROLE platform_%s NOLOGIN;\n", service)
		login(service+"_login", "platform_"+service)
	}

	login("owner_login", "")
	sql.WriteString("CREATE DATABASE platform OWNER owner_login;\n")

	encryption := make([]byte, 32)
	_, err := rand.Read(encryption)
	require.NoError(t, err)
	c.secret(t, "platform-encryption", map[string]string{"keys": base64.StdEncoding.EncodeToString(encryption)})
	declaration, err := os.ReadFile(seed(t))
	require.NoError(t, err)
	c.secret(t, "declaration", map[string]string{"platform.yaml": string(declaration), "service": secrets["service"]})
	c.secret(t, "dependencies",
		map[string]string{"init.sql": sql.String(), "postgres": rand.Text(), "openbao": rand.Text()})
	policies := filepath.Join("..", "vault")
	c.kubectl(t, "create", "configmap", "openbao-setup", "--from-file", filepath.Join(policies, "setup.sh"),
		"--from-file", filepath.Join(policies, "policies"))
	c.kubectl(t, "create", "clusterrolebinding", c.namespace, "--clusterrole=system:auth-delegator",
		"--serviceaccount="+c.namespace+":openbao")
	c.kubectl(t, "apply", "-f", filepath.Join("testdata", "cluster", "dependencies.yaml"))

	for _, deployment := range []string{"postgres", "openbao"} {
		c.kubectl(t, "rollout", "status", "deployment/"+deployment, "--timeout="+helmPatience)
	}

	c.kubectl(t, "wait", "job/openbao-setup", "--for=condition=complete", "--timeout="+helmPatience)
}

// secret is passed on standard input, so that it isn't in an argument.
func (c *cluster) secret(t *testing.T, name string, data map[string]string) {
	t.Helper()
	manifest, err := yaml.Marshal(map[string]any{
		"apiVersion": "v1",
		"kind":       "Secret",
		"metadata":   map[string]any{"name": name},
		"stringData": data,
	})

	require.NoError(t, err)
	_, err = c.run(t, bytes.NewReader(manifest), "kubectl", "apply", "-f", "-")
	require.NoError(t, err)
}

// ingress returns the address of the ingress controller from here.
func (c *cluster) ingress(t *testing.T) string {
	if address := os.Getenv("CLUSTER_INGRESS"); address != "" {
		return address
	}

	host, err := c.run(t, nil, "kubectl", "get", "ingress", clusterRelease, "-o",
		"jsonpath={.status.loadBalancer.ingress[0]['ip','hostname']}")
	if err != nil || strings.TrimSpace(host) == "" {
		return "the-ingress-has-no-address-yet.invalid:443" // the dial fails, and is tried again
	}
	return net.JoinHostPort(strings.TrimSpace(host), "443")
}

// explain prints the state of the cluster after a failure.
func (c *cluster) explain(t *testing.T) {
	t.Helper()
	for _, args := range [][]string{
		{"get", "all,ingress,networkpolicy,secret", "-o", "wide"},
		{"get", "events", "--sort-by=.lastTimestamp"},
		{
			"logs", "-l", "app.kubernetes.io/instance=" + clusterRelease, "--all-containers", "--prefix",
			"--tail=40", "--max-log-requests=40",
		},
	} {
		out, _ := c.run(t, nil, "kubectl", args...)
		t.Logf("kubectl %s\n%s", strings.Join(args, " "), out)
	}
}

func (c *cluster) kubectl(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.run(t, nil, "kubectl", args...)
	require.NoError(t, err, "kubectl %s:\n%s", strings.Join(args, " "), out)
	return out
}

// helm runs the pinned Helm.
func (c *cluster) helm(t *testing.T, args ...string) string {
	t.Helper()
	out, err := c.run(t, nil, filepath.Join("..", "..", "bin", "tools", "helm"), args...)
	require.NoError(t, err, "helm %s:\n%s", strings.Join(args, " "), out)
	return out
}

// deploy installs or upgrades with the values and additional ones.
func (c *cluster) deploy(t *testing.T, set ...string) {
	t.Helper()
	args := []string{
		"upgrade", "--install", clusterRelease, c.chart, "-f", c.values, "--wait", "--timeout", helmPatience,
	}
	for _, s := range set {
		args = append(args, "--set", s)
	}
	c.helm(t, args...)
}

func (c *cluster) run(t *testing.T, stdin *bytes.Reader, name string, args ...string) (string, error) {
	t.Helper()
	// Cleaning up goes on after the test's own context has ended.
	cmd := exec.CommandContext(context.WithoutCancel(t.Context()), name,
		append([]string{"--namespace", c.namespace}, args...)...)
	if stdin != nil {
		cmd.Stdin = stdin
	}

	out, err := cmd.CombinedOutput()
	return string(out), err
}

func write(t *testing.T, path string, v any) {
	t.Helper()
	text, err := yaml.Marshal(v)
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(path, text, 0o600))
}
