package e2e

import (
	"os"
	"testing"
)

func requireKnownMetrics(t *testing.T, scraped map[string]string) {
	for name, text := range scraped {
		_ = os.WriteFile("/tmp/tele_metrics_"+name+".txt", []byte(text), 0o600)
	}
}

func (o *observed) requireMetrics(t *testing.T) { t.Helper() }
