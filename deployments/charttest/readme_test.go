package charttest

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

// whole lists values that the README explains as one.
var whole = []string{
	"image.digests", "config", "networkPolicy.ingressController", "networkPolicy.monitoring", "networkPolicy.dns",
	"networkPolicy.postgres",
	"networkPolicy.vault", "networkPolicy.collector", "networkPolicy.outbound", "migrate.resources",
	"test.clientSecret", "defaults.resources", "services",
}

// leaves returns the paths of all values.
func leaves(prefix string, value any) []string {
	fields, ok := value.(map[string]any)
	if !ok || len(fields) == 0 || slices.Contains(whole, prefix) {
		return []string{prefix}
	}

	var all []string
	for name, v := range fields {
		all = append(all, leaves(strings.TrimPrefix(prefix+"."+name, "."), v)...)
	}
	return all
}

var quoted = regexp.MustCompile("`([^`]+)`")

// The first column of the README's table of values names each of them. A leading dot
// stands for the parent of the row's previous name.
func TestTheReadmeExplainsEveryValueAndNoOther(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join(chart, "README.md"))
	require.NoError(t, err)
	_, table, found := strings.Cut(string(text), "| value | default | meaning |\n")
	require.True(t, found)
	table, _, _ = strings.Cut(table, "\n\n")
	var explained []string
	for row := range strings.SplitSeq(table, "\n") {
		in := ""
		for _, match := range quoted.FindAllStringSubmatch(strings.Split(row, "|")[1], -1) {
			name := match[1]
			if strings.HasPrefix(name, ".") {
				name = in + name
			}
			in = name[:max(0, strings.LastIndex(name, "."))]
			explained = append(explained, strings.TrimSuffix(name, ".<name>"))
		}
	}

	values, err := os.ReadFile(filepath.Join(chart, "values.yaml"))
	require.NoError(t, err)
	require.Less(t, strings.Count(string(values), "\n"), 250)
	var defaults map[string]any
	require.NoError(t, yaml.Unmarshal(values, &defaults))
	require.ElementsMatch(t, leaves("", defaults), explained)
}
