package local

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/api"
	"github.com/platform-oauth/platform-oauth/libs/config"
)

// TestTheIngressHasTheRouteTable compares nginx's map with api/openapi.yaml.
func TestTheIngressHasTheRouteTable(t *testing.T) {
	content, err := os.ReadFile("ingress/default.conf.template")
	require.NoError(t, err)
	var found []api.Entry
	for _, line := range regexp.MustCompile(`(?m)^    (~\^)?(/\S+) (\w+);$`).FindAllStringSubmatch(string(content),
		-1) {
		found = append(found, api.Entry{Path: line[2], Prefix: line[1] != "", Service: line[3]})
	}

	require.Equal(t, api.Ingress(), found)
}

type compose struct {
	Services map[string]struct {
		Image       string            `yaml:"image"`
		Environment map[string]string `yaml:"environment"`
		Ports       []string          `yaml:"ports"`
		Volumes     []string          `yaml:"volumes"`
		ReadOnly    bool              `yaml:"read_only"`
		DependsOn   any               `yaml:"depends_on"`
	} `yaml:"services"`
	Volumes map[string]any `yaml:"volumes"`
}

func readCompose(t *testing.T) compose {
	t.Helper()
	content, err := os.ReadFile("compose.yaml")
	require.NoError(t, err)
	var c compose
	require.NoError(t, yaml.Unmarshal(content, &c))
	return c
}

func TestComposeSetsOnlyWhatTheProgramsKnow(t *testing.T) {
	known := map[string]bool{}
	for _, variable := range config.Table() {
		known[variable.Name] = true
	}

	for name, service := range readCompose(t).Services {
		if !strings.HasPrefix(service.Image, "platform-oauth/") {
			require.Regexp(t, `:v?\d+\.\d+`, service.Image, "%s: a version, not latest", name)
			continue
		}

		for variable := range service.Environment {
			if strings.HasPrefix(variable, "OTEL_") {
				continue
			}
			require.True(t, known[variable] || known[strings.TrimSuffix(variable, "_FILE")],
				"%s: no service knows %s", name, variable)
		}
	}
}

func TestComposeListensOnLoopbackAndMountsWhatThereIs(t *testing.T) {
	c := readCompose(t)
	for name, service := range c.Services {
		for _, port := range service.Ports {
			require.True(t, strings.HasPrefix(port, "127.0.0.1:"), "%s: %s is open to the network", name, port)
		}

		for _, mount := range service.Volumes {
			source, _, _ := strings.Cut(mount, ":")
			if _, ok := c.Volumes[source]; ok {
				continue
			}
			_, err := os.Stat(source)
			require.NoError(t, err, name)
		}
	}
}

// Authorize and device have no Vault role.
func TestEachServiceHasItsOwnDatabaseRoleAndVaultRole(t *testing.T) {
	logins, err := os.ReadFile("postgres/logins.sql")
	require.NoError(t, err)
	c := readCompose(t)
	for _, name := range []string{"authorize", "token", "device", "session", "keys"} {
		service := c.Services[name]
		require.True(t, service.ReadOnly, name)
		require.True(t, strings.HasPrefix(service.Environment["PLATFORM_DATABASE_URL"], "postgres://"+name+":"), name)
		require.Contains(t, string(logins), "'"+name+"'")

		if name == "authorize" || name == "device" {
			require.NotContains(t, service.Environment, "PLATFORM_SIGNING_BACKEND", name)
			require.NotContains(t, service.Environment, "VAULT_ADDR", name)
			continue
		}

		require.Equal(t, "platform-"+name, service.Environment["PLATFORM_VAULT_ROLE"])
		require.FileExists(t, filepath.Join("..", "vault", "policies", name+".hcl"))
	}
}
