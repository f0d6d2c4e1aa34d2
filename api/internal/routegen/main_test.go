package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"
)

const small = `
openapi: 3.1.0
paths:
  /b/{id}:
    summary: not an operation
    parameters: []
    post: {operationId: second, x-service: token, x-pages: true}
  /a:
    get: {operationId: first, x-service: keys, x-pages: false}
`

func TestGenerateKeepsTheOrderOfTheDocument(t *testing.T) {
	t.Parallel()
	code, err := generate([]byte(small))
	require.NoError(t, err)
	require.Contains(t, string(code),
		"\t{Method: \"POST\", Path: \"/b/{id}\", Service: \"token\", OperationID: \"second\", Pages: true},\n"+
			"\t{Method: \"GET\", Path: \"/a\", Service: \"keys\", OperationID: \"first\", Pages: false},\n")
}

func TestGenerateRefusesWhatTheTableCouldNotHold(t *testing.T) {
	t.Parallel()
	tests := map[string]struct{ document, problem string }{
		"no operation id": {"paths: {/a: {get: {x-service: keys}}}", "GET /a has no operationId"},
		"no service":      {"paths: {/a: {get: {operationId: a}}}", "GET /a has no x-service"},
		"who goes there":  {"paths: {/a: {get: {operationId: a, x-service: k}}}", "GET /a has no x-pages"},
		"an operation id twice": {
			"paths: {/a: {get: {operationId: a, x-service: k}, post: {operationId: a, x-service: k}}}",
			"operationId a is used twice",
		},
		"HEAD, which GET implies":   {"paths: {/a: {head: {operationId: a, x-service: k}}}", "HEAD is implied"},
		"nothing at all":            {"openapi: 3.1.0", "no operations"},
		"something that isn't YAML": {"paths: [", "parse openapi.yaml"},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := generate([]byte(test.document))
			require.ErrorContains(t, err, test.problem)
		})
	}
}

func TestCheckTellsWhetherTheFileIsUpToDate(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(dir, "openapi.yaml"), []byte(small), 0o600))
	require.Error(t, run(dir, true), "no file yet")
	require.NoError(t, run(dir, false))
	require.NoError(t, run(dir, true))
	require.NoError(t, os.WriteFile(filepath.Join(dir, "routes_gen.go"), []byte("package api\n"), 0o600))
	require.ErrorContains(t, run(dir, true), "is not what openapi.yaml says")
}

func TestTheCommittedTableIsUpToDate(t *testing.T) {
	t.Parallel()
	require.NoError(t, run("../..", true))
}
