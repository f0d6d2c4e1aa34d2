package e2e

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"regexp"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	tracepb "go.opentelemetry.io/proto/otlp/trace/v1"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func number(all []*commonpb.KeyValue, key string) int64 {
	for _, a := range all {
		if a.Key == key {
			return a.Value.GetIntValue()
		}
	}
	return 0
}

// requireTied follows parents and links, in both directions, from the last span
// of a name, and demands that the requests it reaches are of those names at least,
// and that no request of a flow is left out.
func requireTied(t *testing.T, spans []testkit.Span, last string, want []string) {
	t.Helper()
	byID := map[string]testkit.Span{}
	tied := map[string][]string{}
	tie := func(a, b []byte) {
		tied[string(a)] = append(tied[string(a)], string(b))
		tied[string(b)] = append(tied[string(b)], string(a))
	}
	var start string
	for _, s := range spans {
		byID[string(s.SpanId)] = s

		if len(s.ParentSpanId) > 0 {
			tie(s.SpanId, s.ParentSpanId)
		}
		for _, link := range s.Links {
			tie(s.SpanId, link.SpanId)
		}
		if s.Name == last {
			start = string(s.SpanId)
		}
	}

	require.NotEmpty(t, start, "%s was not traced", last)
	reached, names := map[string]bool{}, map[string]bool{}
	for next := []string{start}; len(next) > 0; next = next[1:] {
		if id := next[0]; !reached[id] {
			reached[id], names[byID[id].Name] = true, true
			next = append(next, tied[id]...)
		}
	}

	for _, name := range want {
		require.Contains(t, names, name)
	}

	for _, s := range spans {
		if own := ofNoFlow.MatchString(s.Name); !own && s.Kind == tracepb.Span_SPAN_KIND_SERVER {
			require.True(t, reached[string(s.SpanId)], "%s stands alone", s.Name)
		}
	}
}

// ofNoFlow are requests that belong to no sign-in: metadata, and those that a test
// sends to see that it has everything.
var ofNoFlow = regexp.MustCompile(`well-known|^HEAD `)

// requireNested demands a server span above each statement, and of each span that
// it is of a kind and named by no value.
func requireNested(t *testing.T, spans []testkit.Span) {
	t.Helper()
	byID := map[string]testkit.Span{}
	for _, s := range spans {
		byID[string(s.SpanId)] = s
	}

	statements, outbound := 0, 0
	for _, s := range spans {
		switch {
		case testkit.Attribute(s.Attributes, "db.system.name") != "":
			statements++
			require.Regexp(t, `^[a-z_]+\.[a-z_]+$`, s.Name)
			require.Equal(t, s.Name, testkit.Attribute(s.Attributes, "db.operation.name"))
			require.Contains(t, byID, string(s.ParentSpanId), s.Name)
		case s.Kind == tracepb.Span_SPAN_KIND_CLIENT:
			outbound++
			require.NotEmpty(t, testkit.Attribute(s.Attributes, "server.address"))
		default:
			require.Equal(t, tracepb.Span_SPAN_KIND_SERVER, s.Kind, s.Name)
			require.Empty(t, s.ParentSpanId, s.Name)
			require.NotEmpty(t, testkit.Attribute(s.Attributes, "http.request.method"))
			require.NotZero(t, number(s.Attributes, "http.response.status_code"))
			if route := testkit.Attribute(s.Attributes, "http.route"); route != "" {
				require.Equal(t, testkit.Attribute(s.Attributes, "http.request.method")+" "+route, s.Name)
			}
		}
	}

	require.Greater(t, statements, 50)
	require.GreaterOrEqual(t, outbound, 2, "keys of an application, and a logout")
}

func (o *observed) requireStrangersApart(t *testing.T, spans []testkit.Span) {
	t.Helper()
	linked := 0
	for _, s := range spans {
		for _, link := range s.Links {
			if hex.EncodeToString(link.TraceId) == strangersID {
				linked++
			}
		}
		require.NotEqual(t, strangersID, hex.EncodeToString(s.TraceId))
	}

	require.Equal(t, 1, linked, "also where an ingress passes on what it is sent")
}

// requireLinesTraced demands that each line of a request names a span that the
// collector got.
func (o *observed) requireLinesTraced(t *testing.T, spans []testkit.Span) {
	t.Helper()
	known := map[string]string{}
	for _, s := range spans {
		known[hex.EncodeToString(s.SpanId)] = hex.EncodeToString(s.TraceId)
	}

	lines := 0
	for name, p := range o.procs {
		for scanner := bufio.NewScanner(strings.NewReader(withoutSeed(p.out.String()))); scanner.Scan(); {
			var line struct {
				Message string `json:"msg"`
				Trace   string `json:"trace_id"`
				Span    string `json:"span_id"`
			}

			if !strings.HasPrefix(scanner.Text(), "{") {
				continue // what `platform up` prints when it is ready
			}

			require.NoError(t, json.Unmarshal(scanner.Bytes(), &line), "%s: %s", name, scanner.Text())

			if line.Message != "request" {
				continue
			}

			lines++
			require.NotEmpty(t, line.Span, scanner.Text())
			require.Equal(t, line.Trace, known[line.Span], scanner.Text())
		}
	}

	require.Greater(t, lines, 50)
}
