package charttest

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/services/authorize"
	"github.com/platform-oauth/platform-oauth/services/device"
	"github.com/platform-oauth/platform-oauth/services/keys"
	"github.com/platform-oauth/platform-oauth/services/session"
	"github.com/platform-oauth/platform-oauth/services/token"
)

// configs returns empty configurations of the five services.
var configs = map[string]func() any{
	"authorize": func() any { return new(authorize.Config) },
	"token":     func() any { return new(token.Config) },
	"device":    func() any { return new(device.Config) },
	"session":   func() any { return new(session.Config) },
	"keys":      func() any { return new(keys.Config) },
}

// has reports whether a service's configuration has a section.
func has[S any](service string) bool {
	sections := reflect.TypeOf(configs[service]()).Elem()
	for i := range sections.NumField() {
		if sections.Field(i).Type == reflect.TypeFor[S]() {
			return true
		}
	}
	return false
}

// environment returns a container's variables, with made-up files and values for those
// from a Secret or a field of the pod.
func environment(t *testing.T, c container) []string {
	t.Helper()
	require.Empty(t, c.EnvFrom, "what a container finds stands in its pod's template")
	secrets := map[string]string{
		"PLATFORM_DATABASE_URL_FILE":        "postgres://login:secret@db.test:5432/platform",
		"PLATFORM_DATABASE_DIRECT_URL_FILE": "postgres://login:secret@db.test:5433/platform",
		"PLATFORM_ENCRYPTION_KEYS_FILE":     base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}

	var env []string
	seen := map[string]bool{}
	for _, v := range c.Env {
		require.False(t, seen[v.Name], "%s is set twice", v.Name)
		seen[v.Name] = true
		value := v.Value
		switch {
		case v.Name == "PLATFORM_VAULT_ROLE" && v.ValueFrom != nil: // an AppRole's id, which isn't secret
			value = "role-id"
		case strings.HasPrefix(v.Name, "PLATFORM_"), strings.HasPrefix(v.Name, "VAULT_"):
			require.Empty(t, v.ValueFrom, "%s: a secret comes as a file", v.Name)
		}

		if secret, ok := secrets[v.Name]; ok {
			require.True(t, strings.HasPrefix(value, "/var/run/secrets/platform/"), value)
			value = filepath.Join(t.TempDir(), "secret")
			require.NoError(t, os.WriteFile(value, []byte(secret), 0o600))
		}

		env = append(env, v.Name+"="+value)
	}

	return env
}

// Each service starts with its variables: every name is known, no required one is
// missing, and none belongs to another service.
func TestTheEnvironmentIsAConfiguration(t *testing.T) {
	t.Parallel()

	for _, values := range [][]string{
		{"minimal"}, {"production"}, {"dev"}, {"minimal", "--set", "vault.auth=approle"},
	} {
		example := values[0]
		all := render(t, example, values[1:]...)
		for _, service := range serviceNames {
			pod, _ := find(t, all, "Deployment", service).pod()
			require.Len(t, pod.Containers, 1)
			env := environment(t, pod.Containers[0])
			cfg := configs[service]()
			require.NoError(t, config.Load(cfg, config.LoadOptions{Environ: env}),
				"%s with %s", service, example)

			for _, entry := range env {
				name, value, _ := strings.Cut(entry, "=")
				ours := strings.HasPrefix(name, "PLATFORM_") || strings.HasPrefix(name, "VAULT_") ||
					strings.HasPrefix(name, "OTEL_") ||
					slices.Contains([]string{"POD_NAME", "GOMEMLIMIT"}, name)
				require.True(t, ours, "%s of %s belongs to no service", name, service)
				require.NotContains(t, value, "e+", "%s isn't a number any more", name)
			}

			names := strings.Join(env, "\n")
			require.Equal(t, has[config.Signing](service), strings.Contains(names, "PLATFORM_VAULT_AUTH="),
				"%s: only services that sign log in to Vault", service)
			require.Equal(t, has[config.Signing](service), strings.Contains(names, "VAULT_ADDR="), service)
			require.Equal(t, has[config.Encryption](service),
				strings.Contains(names, "PLATFORM_ENCRYPTION_KEYS_FILE="), service)

			server := reflect.ValueOf(cfg).Elem().FieldByName("Server").Interface().(config.Server)
			require.Equal(t, ":8080", server.Listen)
			require.Equal(t, ":9090", server.AdminListen)
			grace := time.Duration(pod.TerminationGracePeriodSeconds) * time.Second
			require.GreaterOrEqual(t, grace, server.HTTP.DrainDelay+server.HTTP.DrainTimeout+15*time.Second,
				"SIGKILL must not come before the end of the drain")
		}

		for _, job := range []string{"migrate", "rights", "apply"} {
			if job == "apply" && example != "production" {
				continue
			}

			pod, _ := find(t, all, "Job", job).pod()
			var cfg struct {
				Server   config.Server
				Database config.Database
			}
			require.NoError(t,
				config.Load(&cfg, config.LoadOptions{Environ: environment(t, pod.Containers[0])}),
				"%s with %s", job, example)
		}
	}
}

// made lists the variables that the chart itself sets, so `config` must not.
var made = []string{
	"PLATFORM_PUBLIC_URL", "PLATFORM_LISTEN", "PLATFORM_ADMIN_LISTEN", "PLATFORM_TRUSTED_PROXIES",
	"PLATFORM_HTTP_DRAIN_DELAY", "PLATFORM_HTTP_DRAIN_TIMEOUT",
	"PLATFORM_SIGNING_BACKEND", "PLATFORM_DATA_DIR", "PLATFORM_VAULT_AUTH", "PLATFORM_VAULT_AUTH_MOUNT",
	"PLATFORM_VAULT_ROLE", "PLATFORM_VAULT_TRANSIT_MOUNT",
	"PLATFORM_VAULT_KEY_PREFIX",
}

var update = flag.Bool("update", false, "write the names of the settings into values.schema.json")

// values.schema.json lists the settings by name, so that `helm template` refuses a
// misspelt one.
func TestTheSchemaKnowsTheSettings(t *testing.T) {
	t.Parallel()
	var want []string
	for _, v := range config.Table() {
		file := strings.HasSuffix(v.Name, "_FILE") // of what the chart mounts
		if v.Secret == "" && strings.HasPrefix(v.Name, "PLATFORM_") && !file && !slices.Contains(made, v.Name) {
			want = append(want, v.Name)
		}
	}

	path := filepath.Join(chart, "values.schema.json")
	text, err := os.ReadFile(path)
	require.NoError(t, err)
	const begin, end = `"propertyNames": {` + "\n        " + `"enum": [` + "\n", "\n        ]"
	before, rest, found := strings.Cut(string(text), begin)
	require.True(t, found)
	listed, after, found := strings.Cut(rest, end)
	require.True(t, found)

	if *update {
		listed = `          "` + strings.Join(want, "\",\n          \"") + `"`
		require.NoError(t, os.WriteFile(path, []byte(before+begin+listed+end+after), 0o600))
	}

	var names []string
	require.NoError(t, json.Unmarshal([]byte("["+listed+"]"), &names))
	require.Equal(t, want, names, "run `go test ./deployments/charttest -run Schema -update`")
}

func TestEveryContainerIsRestricted(t *testing.T) {
	t.Parallel()

	for _, example := range examples {
		pods := 0
		for _, o := range render(t, example) {
			pod, ok := o.pod()
			if !ok {
				continue
			}

			pods++
			what := example + ": " + o.Kind + " " + o.Metadata.Name
			isTrue := func(b *bool) bool { return b != nil && *b }
			isFalse := func(b *bool) bool { return b != nil && !*b }
			// https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted
			require.True(t, isTrue(pod.SecurityContext.RunAsNonRoot), what)
			require.NotNil(t, pod.SecurityContext.RunAsUser, what)
			require.NotZero(t, *pod.SecurityContext.RunAsUser, what)
			require.Equal(t, "RuntimeDefault", pod.SecurityContext.SeccompProfile.Type, what)
			require.False(t, pod.HostNetwork || pod.HostPID || pod.HostIPC, what)

			for _, volume := range pod.Volumes {
				kinds := slices.Sorted(maps.Keys(volume))
				kinds = slices.DeleteFunc(kinds, func(k string) bool { return k == "name" })
				require.Subset(t, []string{"configMap", "projected", "secret"}, kinds, what)
			}

			// And what this chart promises in addition.
			require.True(t, isFalse(pod.AutomountServiceAccountToken), what)
			require.True(t, isFalse(pod.EnableServiceLinks), what)
			require.NotEmpty(t, pod.Containers, what)

			for _, c := range append(pod.Containers, pod.InitContainers...) {
				s := c.SecurityContext
				require.True(t, isFalse(s.AllowPrivilegeEscalation), what)
				require.True(t, isTrue(s.ReadOnlyRootFilesystem), what)
				require.False(t, s.Privileged, what)
				require.Equal(t, []string{"ALL"}, s.Capabilities.Drop, what)
				require.Empty(t, s.Capabilities.Add, what)
				require.Nil(t, s.RunAsNonRoot, "%s: the pod's stands", what)

				for _, resource := range []string{"cpu", "memory"} {
					require.Contains(t, c.Resources.Requests, resource, what)
					require.Contains(t, c.Resources.Limits, resource, what)
				}

				for _, port := range c.Ports {
					require.Zero(t, port.HostPort, what)
				}

				require.NotContains(t, c.Image, ":latest", what)
				require.Regexp(t,
					`/(authorize|token|device|session|keys|platform)(:[^:/]+|@sha256:[0-9a-f]{64})$`, c.Image, what)
			}
		}

		require.GreaterOrEqual(t, pods, len(serviceNames)+2, "the services, the migration and the test")
	}
}

// Pods reach what their configuration needs, and nothing else.
func TestNetworkPoliciesFollowTheArchitecture(t *testing.T) {
	t.Parallel()
	all := render(t, "minimal")
	ports := func(rules []traffic) []any {
		var list []any
		for _, r := range rules {
			for _, p := range r.Ports {
				list = append(list, p.Port)
			}
		}
		return list
	}

	number := func(list []any) []string {
		var texts []string
		for _, p := range list {
			texts = append(texts, jsonText(t, p))
		}
		return texts
	}
	for _, service := range serviceNames {
		policy := find(t, all, "NetworkPolicy", service)
		require.Equal(t, service, policy.Spec.PodSelector.MatchLabels["app.kubernetes.io/component"])
		require.Equal(t, []any{"http", "admin"}, ports(policy.Spec.Ingress), service)
		want := []string{"53", "53", "5432"}
		if has[config.Signing](service) {
			want = append(want, "8200")
		}
		if has[config.Outbound](service) {
			want = append(want, "443")
		}

		require.Equal(t, want, number(ports(policy.Spec.Egress)), service)
	}

	migrate := find(t, all, "NetworkPolicy", "migrate")
	require.Empty(t, migrate.Spec.Ingress)
	require.Equal(t, []string{"53", "53", "5432"}, number(ports(migrate.Spec.Egress)))
}

func jsonText(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	require.NoError(t, err)
	return string(text)
}

// Each service has its own account, database Secret and Vault role.
func TestNoTwoServicesShareALogin(t *testing.T) {
	t.Parallel()
	out, err := template(t, "production")
	require.NoError(t, err, out)
	all := parse(t, out)
	for _, service := range serviceNames {
		pod, _ := find(t, all, "Deployment", service).pod()
		require.Equal(t, find(t, all, "ServiceAccount", service).Metadata.Name, pod.ServiceAccountName)
		volumes := jsonText(t, pod.Volumes)
		require.Contains(t, volumes, `"platform-database-`+service+`"`)

		for _, other := range append([]string{"owner", "operator"}, serviceNames...) {
			if other != service {
				require.NotContains(t, volumes, `"platform-database-`+other+`"`)
			}
		}

		require.Equal(t, has[config.Signing](service), strings.Contains(volumes, "serviceAccountToken"), service)

		for _, v := range pod.Containers[0].Env {
			if v.Name == "PLATFORM_VAULT_ROLE" {
				require.Equal(t, "platform-"+service, v.Value)
			}
		}
	}

	require.NotContains(t, out, "kind: Secret\n", "the chart makes no secret")
}

// The schemas that the chart is validated with refuse what they should.
func TestTheSchemasOfKubernetesAreStrict(t *testing.T) {
	t.Parallel()
	out, err := template(t, "production")
	require.NoError(t, err, out)
	wrongs := map[string]string{
		"enableServiceLinks: false":               "enableServicelinks: false",
		"interval: 30s":                           "intervall: 30s",
		"unhealthyPodEvictionPolicy: AlwaysAllow": "unhealthyPodEvictionPolicy: 1",
		"matchLabelKeys: [pod-template-hash]":     "matchLabelKeys: pod-template-hash",
		"apiVersion: autoscaling/v2\n":            "apiVersion: autoscaling/v2beta2\n",
		"port: {name: http}":                      "port: {name: http, host: a}",
	}

	var manifests strings.Builder
	for right, wrong := range wrongs {
		documents := strings.Split(out, "\n---\n")
		i := slices.IndexFunc(documents, func(d string) bool { return strings.Contains(d, right) })
		require.NotEqual(t, -1, i, right)
		manifests.WriteString("---\n" + strings.Replace(documents[i], right, wrong, 1) + "\n")
	}

	said, err := tool(t, strings.NewReader(manifests.String()), "kubeconform", "-strict", "-output", "json",
		"-kubernetes-version", "1.29.15",
		"-schema-location", "../../bin/kube/{{.NormalizedKubernetesVersion}}/{{.ResourceKind}}{{.KindSuffix}}.json")
	require.Error(t, err)
	var verdict struct{ Resources []any }
	require.NoError(t, json.Unmarshal([]byte(said), &verdict), said)
	require.Len(t, verdict.Resources, len(wrongs), "each is refused:\n%s", said)
}
