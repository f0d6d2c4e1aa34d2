// Package vault has the hooks of the Stackdriver sink that the server names.
package vault

import metrics "github.com/armon/go-metrics"

// Extractor leaves the key as it is.
func Extractor(key []string) ([]string, []metrics.Label, error) { return key, nil, nil }

// Bucketer has no buckets.
func Bucketer([]string) []float64 { return nil }
