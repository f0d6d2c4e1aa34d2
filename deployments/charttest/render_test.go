package charttest

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

const (
	release = "login"
	chart   = "../../charts/platform-oauth"
	tools   = "../../bin/tools"
)

// examples are the values files that ship with the chart.
var examples = []string{"minimal", "production", "dev"}

// serviceNames lists the five services.
var serviceNames = []string{"authorize", "token", "device", "session", "keys"}

// tool runs a pinned tool and returns its output on both streams.
func tool(t *testing.T, stdin io.Reader, name string, args ...string) (string, error) {
	t.Helper()
	path, err := filepath.Abs(filepath.Join(tools, name))
	require.NoError(t, err)
	_, err = os.Stat(path)
	require.NoError(t, err, "these tests need %s: run `make %s`", name, "bin/tools/"+name)
	cmd := exec.Command(path, args...)
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = stdin, &out, &out
	err = cmd.Run()
	return out.String(), err
}

// template runs `helm template` with an example's values and more arguments.
func template(t *testing.T, example string, args ...string) (string, error) {
	t.Helper()
	return tool(t, nil, "helm", append([]string{
		"template", release, chart, "--namespace", "identity", "--kube-version", "1.29.0", "-f",
		filepath.Join(chart, "examples", example+".yaml"),
	}, args...)...)
}

// object holds the fields of any rendered object that these tests use.
type object struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name        string            `yaml:"name"`
		Labels      map[string]string `yaml:"labels"`
		Annotations map[string]string `yaml:"annotations"`
	} `yaml:"metadata"`
	Spec spec `yaml:"spec"`
}

// spec has the fields of all kinds together.
type spec struct {
	Pod      podSpec `yaml:",inline"`
	Template struct {
		Spec podSpec `yaml:"spec"`
	} `yaml:"template"`
	Rules []rule `yaml:"rules"`
	TLS   []struct {
		Hosts []string `yaml:"hosts"`
	} `yaml:"tls"`
	Egress      []traffic `yaml:"egress"`
	Ingress     []traffic `yaml:"ingress"`
	Replicas    *int      `yaml:"replicas"`
	PodSelector struct {
		MatchLabels map[string]string `yaml:"matchLabels"`
	} `yaml:"podSelector"`
}

type rule struct {
	Host string `yaml:"host"`
	HTTP struct {
		Paths []struct {
			Path     string `yaml:"path"`
			PathType string `yaml:"pathType"`
			Backend  struct {
				Service struct {
					Name string `yaml:"name"`
				} `yaml:"service"`
			} `yaml:"backend"`
		} `yaml:"paths"`
	} `yaml:"http"`
}

type traffic struct {
	Ports []struct {
		Port any `yaml:"port"`
	} `yaml:"ports"`
}

type podSpec struct {
	ServiceAccountName            string           `yaml:"serviceAccountName"`
	AutomountServiceAccountToken  *bool            `yaml:"automountServiceAccountToken"`
	EnableServiceLinks            *bool            `yaml:"enableServiceLinks"`
	TerminationGracePeriodSeconds int              `yaml:"terminationGracePeriodSeconds"`
	HostNetwork                   bool             `yaml:"hostNetwork"`
	HostPID                       bool             `yaml:"hostPID"`
	HostIPC                       bool             `yaml:"hostIPC"`
	SecurityContext               security         `yaml:"securityContext"`
	InitContainers                []container      `yaml:"initContainers"`
	Containers                    []container      `yaml:"containers"`
	Volumes                       []map[string]any `yaml:"volumes"`
}

type security struct {
	RunAsNonRoot             *bool `yaml:"runAsNonRoot"`
	RunAsUser                *int  `yaml:"runAsUser"`
	AllowPrivilegeEscalation *bool `yaml:"allowPrivilegeEscalation"`
	ReadOnlyRootFilesystem   *bool `yaml:"readOnlyRootFilesystem"`
	Privileged               bool  `yaml:"privileged"`
	Capabilities             struct {
		Add  []string `yaml:"add"`
		Drop []string `yaml:"drop"`
	} `yaml:"capabilities"`
	SeccompProfile struct {
		Type string `yaml:"type"`
	} `yaml:"seccompProfile"`
}

type container struct {
	Name            string     `yaml:"name"`
	Image           string     `yaml:"image"`
	Args            []string   `yaml:"args"`
	Env             []variable `yaml:"env"`
	EnvFrom         []any      `yaml:"envFrom"`
	SecurityContext security   `yaml:"securityContext"`
	Resources       struct {
		Requests map[string]any `yaml:"requests"`
		Limits   map[string]any `yaml:"limits"`
	} `yaml:"resources"`
	Ports []struct {
		ContainerPort int `yaml:"containerPort"`
		HostPort      int `yaml:"hostPort"`
	} `yaml:"ports"`
}

type variable struct {
	Name      string         `yaml:"name"`
	Value     string         `yaml:"value"`
	ValueFrom map[string]any `yaml:"valueFrom"`
}

// render returns every object of the chart with an example's values.
func render(t *testing.T, example string, args ...string) []object {
	t.Helper()
	out, err := template(t, example, args...)
	require.NoError(t, err, out)
	return parse(t, out)
}

func parse(t *testing.T, manifests string) []object {
	t.Helper()
	var all []object
	decoder := yaml.NewDecoder(bytes.NewReader([]byte(manifests)))
	for {
		var o object
		err := decoder.Decode(&o)
		if errors.Is(err, io.EOF) {
			require.NotEmpty(t, all)
			return all
		}

		require.NoError(t, err)

		if o.Kind != "" {
			all = append(all, o)
		}
	}
}

// find returns the only object of a kind and component.
func find(t *testing.T, all []object, kind, component string) object {
	t.Helper()
	var found []object
	for _, o := range all {
		if o.Kind == kind && o.Metadata.Labels["app.kubernetes.io/component"] == component {
			found = append(found, o)
		}
	}

	require.Len(t, found, 1, "%s of %s", kind, component)
	return found[0]
}

// pod returns the pod that an object creates, if any.
func (o object) pod() (podSpec, bool) {
	switch o.Kind {
	case "Pod":
		return o.Spec.Pod, true
	case "Deployment", "Job":
		return o.Spec.Template.Spec, true
	default:
		return podSpec{}, false
	}
}
