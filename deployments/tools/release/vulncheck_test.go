package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// vulncheck runs `make vulncheck` on httpkit, with the database at the URL.
func vulncheck(t *testing.T, database string) (out string, err error) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "make", "-C", filepath.Join("..", "..", ".."), "vulncheck",
		"GOVULNDB="+database, "VULNCHECKED=github.com/platform-oauth/platform-oauth/libs/httpkit")
	cmd.Env = append(os.Environ(), "GOWORK=") // as a developer runs it
	all, err := cmd.CombinedOutput()

	return string(all), err
}

// vulnerable makes a database that knows one vulnerability, in the function of gin.
func vulnerable(t *testing.T, function string) (url string) {
	t.Helper()
	folder := t.TempDir()
	for name, content := range map[string]string{
		"index/db.json": `{"modified": "2026-11-01T00:00:00Z"}`,
		"index/modules.json": `[{"path": "github.com/gin-gonic/gin",
			"vulns": [{"id": "GO-2026-0000", "modified": "2026-11-01T00:00:00Z"}]}]`,
		"ID/GO-2026-0000.json": `{"schema_version": "1.3.1", "id": "GO-2026-0000", "modified": "2026-11-01T00:00:00Z",
			"affected": [{"package": {"name": "github.com/gin-gonic/gin", "ecosystem": "Go"},
				"ranges": [{"type": "SEMVER", "events": [{"introduced": "0"}]}],
				"ecosystem_specific": {"imports": [
					{"path": "github.com/gin-gonic/gin", "symbols": ["` + function + `"]}]}}]}`,
	} {
		file := filepath.Join(folder, name)
		must(t, os.MkdirAll(filepath.Dir(file), 0o755))
		must(t, os.WriteFile(file, []byte(content), 0o600))
	}

	return "file://" + folder
}

func TestAVulnerabilityThatIsReachedFails(t *testing.T) {
	out, err := vulncheck(t, vulnerable(t, "New"))
	if err == nil || !strings.Contains(out, "GO-2026-0000") {
		t.Errorf("httpkit calls gin.New, but vulncheck ended with %v:\n%s", err, out)
	}
}

func TestAVulnerabilityThatIsNotReachedPasses(t *testing.T) {
	if out, err := vulncheck(t, vulnerable(t, "NoSuchFunction")); err != nil {
		t.Errorf("%v:\n%s", err, out)
	}
}

func TestWithoutTheDatabaseVulncheckSaysSoAndGoesOn(t *testing.T) {
	out, err := vulncheck(t, "http://127.0.0.1:1")
	if err != nil || !strings.Contains(out, "NOT CHECKED, because http://127.0.0.1:1 can't be reached") {
		t.Errorf("%v:\n%s", err, out)
	}
}
