package local

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
	"go.starlark.net/starlark"
	"go.starlark.net/syntax"
)

const root = "../.."

// call is a call of one of Tilt's functions.
type call struct {
	name   string
	args   starlark.Tuple
	kwargs map[string]starlark.Value
}

// subject is the first argument, or the named one.
func (c call) subject() string {
	if len(c.args) > 0 {
		text, _ := starlark.AsString(c.args[0])
		return text
	}
	return c.text("new_name")
}

func (c call) text(name string) string {
	text, _ := starlark.AsString(c.kwargs[name])
	return text
}

func (c call) list(name string) (list []string) {
	values, ok := c.kwargs[name].(*starlark.List)
	for i := range lengthOf(values, ok) {
		text, _ := starlark.AsString(values.Index(i))
		list = append(list, text)
	}
	return list
}

func lengthOf(list *starlark.List, ok bool) int {
	if !ok {
		return 0
	}
	return list.Len()
}

// tilt runs the Tiltfile with a real interpreter, and with functions that only record
// their calls.
func tilt(t *testing.T) []call {
	t.Helper()
	var calls []call
	builtin := func(name string, answer starlark.Value) *starlark.Builtin {
		return starlark.NewBuiltin(name, func(
			_ *starlark.Thread, _ *starlark.Builtin, args starlark.Tuple, kwargs []starlark.Tuple,
		) (starlark.Value, error) {
			c := call{name: name, args: args, kwargs: map[string]starlark.Value{}}
			for _, pair := range kwargs {
				key, _ := starlark.AsString(pair[0])
				c.kwargs[key] = pair[1]
			}

			calls = append(calls, c)
			return answer, nil
		})
	}

	known := starlark.StringDict{
		"TRIGGER_MODE_MANUAL": starlark.String("manual"),
		"read_yaml":           builtin("read_yaml", starlark.NewDict(0)),
	}
	for _, name := range []string{"local", "blob", "helm", "link"} {
		known[name] = builtin(name, starlark.String(name))
	}

	for _, name := range []string{
		"version_settings", "allow_k8s_contexts", "default_registry", "local_resource", "docker_build", "watch_file",
		"k8s_yaml", "k8s_resource",
	} {
		known[name] = builtin(name, starlark.None)
	}

	_, err := starlark.ExecFileOptions(&syntax.FileOptions{TopLevelControl: true}, &starlark.Thread{Name: "Tiltfile"},
		filepath.Join(root, "Tiltfile"), nil, known)
	require.NoError(t, err)
	return calls
}

func named(calls []call, names ...string) []call {
	return slices.DeleteFunc(slices.Clone(calls), func(c call) bool { return !slices.Contains(names, c.name) })
}

func TestTiltCompilesEachProgramFromFoldersThatExist(t *testing.T) {
	calls := tilt(t)
	var built []string
	for _, c := range named(calls, "docker_build") {
		built = append(built, c.subject())
		require.FileExists(t, filepath.Join(root, c.text("dockerfile")))
	}

	require.ElementsMatch(t, []string{
		"platform-oauth/authorize", "platform-oauth/token", "platform-oauth/device", "platform-oauth/session",
		"platform-oauth/keys", "platform-oauth/platform",
	}, built)

	for _, c := range named(calls, "local_resource") {
		for _, folder := range c.list("deps") {
			_, err := os.Stat(filepath.Join(root, folder))
			require.NoError(t, err, c.subject())
		}

		if command, ok := starlark.AsString(second(c.args)); ok && strings.HasPrefix(command, "make ") {
			out, err := exec.Command("make",
				append([]string{"-n", "-C", root}, strings.Fields(command)[1:]...)...).CombinedOutput()
			require.NoError(t, err, "%s: %s", command, out)
		}
	}
}

func second(args starlark.Tuple) starlark.Value {
	if len(args) < 2 {
		return starlark.None
	}
	return args[1]
}

// TestTheProgramThatTiltBuildsRuns runs one of the compile commands.
func TestTheProgramThatTiltBuildsRuns(t *testing.T) {
	out, err := exec.Command("make", "-s", "-C", root, "bin/local/keys").CombinedOutput()
	require.NoError(t, err, string(out))
	said, err := exec.Command(filepath.Join(root, "bin", "local", "keys"), "--version").CombinedOutput()
	require.NoError(t, err)
	require.Contains(t, string(said), "keys ")
}

// object holds the fields of a manifest that the tests use.
type object struct {
	Kind     string `yaml:"kind"`
	Metadata struct {
		Name string `yaml:"name"`
	} `yaml:"metadata"`
}

func (o object) workload() bool {
	return slices.Contains([]string{"Deployment", "Job", "Pod", "StatefulSet"}, o.Kind)
}

func objects(t *testing.T, documents string) (list []object) {
	t.Helper()
	for _, document := range strings.Split(documents, "\n---\n") {
		var o object
		require.NoError(t, yaml.Unmarshal([]byte(document), &o), document)
		if o.Kind != "" {
			list = append(list, o)
		}
	}
	return list
}

// applied returns every object that `tilt up` applies, except the three ConfigMaps that
// kubectl creates.
func applied(t *testing.T, calls []call) []object {
	t.Helper()
	var list []object
	for _, c := range named(calls, "k8s_yaml") {
		files, ok := c.args[0].(*starlark.List)
		for i := range lengthOf(files, ok) {
			name, _ := starlark.AsString(files.Index(i))
			content, err := os.ReadFile(filepath.Join(root, name))
			require.NoError(t, err)
			list = append(list, objects(t, string(content))...)
		}
	}

	chart := named(calls, "helm")
	require.Len(t, chart, 1)
	line := []string{
		"template", chart[0].text("name"), chart[0].subject(), "--namespace", chart[0].text("namespace"),
		"--kube-version", "1.29.0",
	}
	for _, file := range chart[0].list("values") {
		line = append(line, "-f", file)
	}

	cmd := exec.Command("bin/tools/helm", line...)
	cmd.Dir = root
	out, err := cmd.CombinedOutput()
	require.NoError(t, err, "helm (`make bin/tools/helm` builds it): %s", out)

	return append(list, objects(t, string(out))...)
}

// TestTiltKnowsEveryObject checks that each workload is a labelled resource, that every
// other object belongs to one instead of "uncategorized", and that resources wait for
// existing ones.
func TestTiltKnowsEveryObject(t *testing.T) {
	calls := tilt(t)
	resources, claimed := map[string]bool{}, map[string]bool{}
	for _, c := range named(calls, "local_resource", "k8s_resource") {
		resources[c.subject()] = true
		require.NotEmpty(t, c.list("labels"), "%s has no label", c.subject())
		for _, o := range c.list("objects") {
			claimed[o] = true
		}
	}

	for _, c := range named(calls, "local_resource", "k8s_resource") {
		for _, dependency := range c.list("resource_deps") {
			require.True(t, resources[dependency], "%s waits for %s, which isn't a resource", c.subject(), dependency)
		}
	}

	for _, o := range applied(t, calls) {
		// Tilt itself adds objects that select a workload's pods to the workload.
		if slices.Contains([]string{"Service", "NetworkPolicy", "PodDisruptionBudget", "HorizontalPodAutoscaler"},
			o.Kind) {
			continue
		}
		name := fmt.Sprintf("%s:%s", o.Metadata.Name, strings.ToLower(o.Kind))
		require.True(t, (o.workload() && resources[o.Metadata.Name]) || claimed[name],
			"%s %s belongs to no resource", o.Kind, o.Metadata.Name)
		delete(claimed, name)
	}

	for name := range claimed {
		require.True(t, strings.HasSuffix(name, ":configmap"), "%s is claimed, but nothing applies it", name)
	}
}
