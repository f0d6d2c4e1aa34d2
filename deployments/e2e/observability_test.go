package e2e

import (
	"encoding/json"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"
	"github.com/stretchr/testify/require"
)

const observability = "../observability/"

// expressions are the PromQL of the dashboard and the alerts, by where they stand.
func expressions(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{}
	var dashboard struct {
		Panels []struct {
			Title   string
			Targets []struct{ Expr string }
		}
	}

	text, err := os.ReadFile(observability + "dashboard.json")
	require.NoError(t, err)
	require.NoError(t, json.Unmarshal(text, &dashboard))

	for _, panel := range dashboard.Panels {
		for _, target := range panel.Targets {
			found["panel "+panel.Title+": "+target.Expr] = target.Expr
		}
	}

	require.Greater(t, len(found), 20)

	for _, rule := range rules(t) {
		found["alert "+rule.Alert] = rule.Expr
	}

	return found
}

type rule struct {
	Alert       string
	Expr        string
	For         string
	Labels      map[string]string
	Annotations map[string]string
}

func rules(t *testing.T) []rule {
	t.Helper()
	var file struct {
		Groups []struct {
			Name  string
			Rules []rule
		}
	}

	text, err := os.ReadFile(observability + "alerts.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &file))
	var all []rule
	for _, group := range file.Groups {
		all = append(all, group.Rules...)
	}

	require.NotEmpty(t, all)
	return all
}

func TestEveryAlertSaysWhatItMeansAndWhatToDo(t *testing.T) {
	names := map[string]bool{}
	for _, r := range rules(t) {
		require.False(t, names[r.Alert], "%s is there twice", r.Alert)
		names[r.Alert] = true
		require.Contains(t, []string{"page", "ticket"}, r.Labels["severity"], r.Alert)
		for _, name := range []string{"summary", "meaning", "runbook"} {
			require.NotEmpty(t, r.Annotations[name], "%s has no %s", r.Alert, name)
		}

		require.Contains(t, r.Annotations["runbook"], "1. ", r.Alert)
	}
}

// TestTheCollectorsPipelinesUseWhatIsConfigured catches a misspelt name, which the
// collector would refuse to start with.
func TestTheCollectorsPipelinesUseWhatIsConfigured(t *testing.T) {
	var config struct {
		Extensions, Receivers, Processors, Exporters map[string]any
		Service                                      struct {
			Extensions []string
			Pipelines  map[string]struct{ Receivers, Processors, Exporters []string }
		}
	}

	text, err := os.ReadFile(observability + "collector.yaml")
	require.NoError(t, err)
	require.NoError(t, yaml.Unmarshal(text, &config))
	used := map[string]bool{}
	check := func(configured map[string]any, names []string) {
		for _, name := range names {
			require.Contains(t, configured, name)
			used[name] = true
		}
	}

	check(config.Extensions, config.Service.Extensions)

	for _, p := range config.Service.Pipelines {
		check(config.Receivers, p.Receivers)
		check(config.Processors, p.Processors)
		check(config.Exporters, p.Exporters)
	}

	for _, of := range []map[string]any{config.Extensions, config.Receivers, config.Processors, config.Exporters} {
		for name := range of {
			require.True(t, used[name], "%s is in no pipeline", name)
		}
	}
}

var (
	inQuotes   = regexp.MustCompile(`"(?:[^"\\]|\\.)*"`)
	inBraces   = regexp.MustCompile(`\{([^}]*)\}`)
	inBrackets = regexp.MustCompile(`\[[^\]]*\]`)
	grouping   = regexp.MustCompile(`\b(?:by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)`)
	called     = regexp.MustCompile(`[a-z_0-9]+\s*\(`)
	identifier = regexp.MustCompile(`[a-zA-Z_:][a-zA-Z0-9_:]*`)
	operators  = map[string]bool{"and": true, "or": true, "unless": true, "bool": true, "offset": true}
)

// mentioned are the metrics and the labels that a PromQL expression names: what is
// left when strings, selectors, ranges, groupings and functions are taken away.
func mentioned(expr string) (metrics, labels []string) {
	rest := inQuotes.ReplaceAllString(expr, `""`)
	for _, part := range []*regexp.Regexp{inBraces, grouping} {
		for _, found := range part.FindAllStringSubmatch(rest, -1) {
			labels = append(labels, identifier.FindAllString(found[1], -1)...)
		}
		rest = part.ReplaceAllString(rest, " ")
	}

	rest = called.ReplaceAllString(inBrackets.ReplaceAllString(rest, " "), "(")
	for _, name := range identifier.FindAllString(rest, -1) {
		if !operators[name] {
			metrics = append(metrics, name)
		}
	}

	return metrics, labels
}

func TestNamesAreFoundInPromQL(t *testing.T) {
	metrics, labels := mentioned(`histogram_quantile(0.99, sum by (le, a) (rate(x_seconds_bucket{job=~"$job", b!="not(c)"}[$__rate_interval]))) > 1 and on (d) topk(3, y_total) unless z`)
	require.Equal(t, []string{"x_seconds_bucket", "y_total", "z"}, metrics)
	require.Equal(t, []string{"job", "b", "le", "a", "d"}, labels)
}

// declaration is an instrument in the code, with its unit.
var declaration = regexp.MustCompile(`(?s)\.(?:Int64|Float64)(Observable)?(Counter|UpDownCounter|Gauge|Histogram)\(\s*"([a-z0-9_.]+)"(.{0,120})`)

var unit = regexp.MustCompile(`WithUnit\("([^"]*)"\)`)

// declared are the metrics that the services' code makes, as Prometheus calls them.
func declared(t *testing.T) map[string]bool {
	t.Helper()
	names := map[string]bool{}
	for _, root := range []string{"../../libs", "../../services"} {
		require.NoError(t, filepath.WalkDir(root, func(path string, d fs.DirEntry, err error) error {
			if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}

			text, err := os.ReadFile(path)
			for _, found := range declaration.FindAllStringSubmatch(string(text), -1) {
				name := strings.ReplaceAll(found[3], ".", "_")
				if u := unit.FindStringSubmatch(found[4]); u != nil && u[1] == "s" {
					name += "_seconds"
				}

				switch found[2] {
				case "Counter":
					name += "_total"
				case "Histogram":
					names[name+"_bucket"], names[name+"_sum"] = true, true
					name += "_count"
				}

				names[name] = true
			}

			return err
		}))
	}

	return names
}

// notHere are metrics that only a platform which signs with Vault has.
const notHere = "platform_signing_vault_"

var series = regexp.MustCompile(`(?m)^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? `)

var labelName = regexp.MustCompile(`([a-zA-Z_][a-zA-Z0-9_]*)="`)

// families are the metrics and labels in what /metrics said.
func families(scraped map[string]string) (metrics, labels map[string]bool) {
	metrics, labels = map[string]bool{}, map[string]bool{}
	for _, text := range scraped {
		for _, line := range series.FindAllStringSubmatch(text, -1) {
			metrics[line[1]] = true
			for _, name := range labelName.FindAllStringSubmatch(line[2], -1) {
				labels[name[1]] = true
			}
		}
	}

	return metrics, labels
}

// requireKnownMetrics holds the dashboard and the alerts against what a platform
// that was used has at /metrics.
func requireKnownMetrics(t *testing.T, scraped map[string]string) {
	t.Helper()
	there, labels := families(scraped)
	inCode := declared(t)

	// What Prometheus adds when it scrapes, what only Vault has, and what only
	// failures have.
	for _, label := range []string{"job", "instance", "algorithm", "error_type"} {
		labels[label] = true
	}

	for where, expr := range expressions(t) {
		metrics, used := mentioned(expr)
		require.NotEmpty(t, metrics, where)

		for _, name := range metrics {
			if strings.HasPrefix(name, notHere) {
				require.Contains(t, inCode, name, where)
				continue
			}
			require.True(t, there[name], "%s: there is no metric %s", where, name)
		}

		for _, label := range used {
			require.True(t, labels[label], "%s: no metric has the label %s", where, label)
		}
	}
}

// requireMetrics demands that each metric which the code declares is at /metrics
// and, once the processes have ended, at the collector: the flows have been driven.
func (o *observed) requireMetrics(t *testing.T) {
	t.Helper()
	there, _ := families(o.metrics)
	inCode := declared(t)
	require.Greater(t, len(inCode), 20)

	for name := range inCode {
		if !strings.HasPrefix(name, notHere) {
			require.True(t, there[name], "%s is declared and not at /metrics", name)
		}
	}

	for name := range there {
		if strings.HasPrefix(name, "platform_") || strings.HasPrefix(name, "http_") || strings.HasPrefix(name, "db_") {
			require.True(t, inCode[name], "%s is at /metrics and was not found in the code", name)
		}
	}

	sent := slices.Sorted(maps.Keys(o.collector.Metrics()))
	for _, name := range []string{
		"http.server.request.duration", "platform.token.requests", "platform.session.sign_ins", "platform.audit.events",
		"platform.limits.refusals",
		"db.client.operation.duration", "db.client.connection.count", "platform.cache.lookups",
		"platform.session.backchannel.waiting", "platform.expiry.rows",
	} {
		require.Contains(t, sent, name)
	}
}
