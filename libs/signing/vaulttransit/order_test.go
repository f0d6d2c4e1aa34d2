package vaulttransit_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/signing/signingtest"
	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
)

// meddler changes the answers to batches in transit.
type meddler struct {
	http.RoundTripper
	change func(results []map[string]any) []map[string]any
}

func (m *meddler) RoundTrip(r *http.Request) (*http.Response, error) {
	response, err := m.RoundTripper.RoundTrip(r)
	if err != nil || !strings.Contains(r.URL.Path, "/sign/") {
		return response, err
	}

	defer func() { _ = response.Body.Close() }()
	var answer struct {
		Data struct {
			Results []map[string]any `json:"batch_results"`
		} `json:"data"`
	}
	if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
		return nil, err
	}

	answer.Data.Results = m.change(answer.Data.Results)
	body, err := json.Marshal(answer)
	response.Body, response.ContentLength = io.NopCloser(bytes.NewReader(body)), int64(len(body))
	return response, err
}

// Answers are matched to requests by reference, not by position.
func TestAnswersAreMatchedByTheirReference(t *testing.T) {
	bao := prepared(t)
	key := signingtest.NewKey(t, open(t, bao, vaulttransit.Options{}), signing.ES256, 1, time.Now())
	inputs := [][]byte{[]byte("one"), []byte("two"), []byte("three")}
	digests := make([][]byte, len(inputs))
	for i, input := range inputs {
		sum := sha256.Sum256(input)
		digests[i] = sum[:]
	}

	for name, tt := range map[string]struct {
		change func(results []map[string]any) []map[string]any
		fails  bool
	}{
		"in their order": {change: func(r []map[string]any) []map[string]any { return r }},
		"backwards": {change: func(r []map[string]any) []map[string]any {
			slices.Reverse(r)
			return r
		}},
		"one twice": {fails: true, change: func(r []map[string]any) []map[string]any { return append(r[:2], r[0]) }},
		"without references": {fails: true, change: func(r []map[string]any) []map[string]any {
			for _, result := range r {
				delete(result, "reference")
			}
			return r
		}},
		"with a reference of nothing": {fails: true, change: func(r []map[string]any) []map[string]any {
			r[1]["reference"] = "3"
			return r
		}},
		"one too few": {fails: true, change: func(r []map[string]any) []map[string]any { return r[:2] }},
	} {
		t.Run(name, func(t *testing.T) {
			speaks, wire := gated(t, bao, bao.RootToken)
			wire.RoundTripper = &meddler{wire.RoundTripper, tt.change}
			e := open(t, bao, vaulttransit.Options{Client: speaks})
			signatures, errs := e.SendTogether(t.Context(), key, digests...)
			for i := range inputs {
				if tt.fails {
					requireReason(t, vaulttransit.Fault, errs[i])
					require.Empty(t, signatures[i])
					continue
				}

				require.NoError(t, errs[i])
				require.NoError(t, signingtest.Check(key, inputs[i], signatures[i]))
			}
		})
	}
}
