package config

import (
	"bytes"
	"encoding/base64"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

func TestPrintConfigShowsEverythingButSecrets(t *testing.T) {
	var cfg everything
	env := valid()
	env["PLATFORM_DATABASE_URL"] = "postgres://app:pa55word@db:5432/platform?sslmode=require&sslpassword=pa55phrase"
	env["PLATFORM_ENCRYPTION_KEYS"] += "," + base64.StdEncoding.EncodeToString([]byte(strings.Repeat("k", 32)))
	env["PLATFORM_TRUSTED_PROXIES"] = "10.0.0.0/8,fd00::/8"
	env["PLATFORM_OUTBOUND_ALLOW"] = "idp.internal:8443,10.1.0.0/16"
	require.NoError(t, Load(&cfg, LoadOptions{Environ: environ(env)}))
	var out bytes.Buffer
	require.NoError(t, Print(&out, &cfg))

	for _, line := range []string{
		`PLATFORM_PUBLIC_URL +http://127\.0\.0\.1:8080`,
		`PLATFORM_TRUSTED_PROXIES +10\.0\.0\.0/8,fd00::/8`,
		`PLATFORM_OUTBOUND_ALLOW +idp\.internal:8443,10\.1\.0\.0/16`,
		`PLATFORM_DATABASE_URL +postgres://app:\*\*\*@db:5432/platform\?sslmode=require&sslpassword=\*\*\*`,
		`PLATFORM_DATABASE_DIRECT_URL +postgres://app:\*\*\*@db`,
		`PLATFORM_ENCRYPTION_KEYS +\*\*\*,\*\*\*`,
		`PLATFORM_CODE_TTL +1m0s`,
		`PLATFORM_LOG_LEVEL +info`,
	} {
		require.Regexp(t, "(?m)^"+line, out.String())
	}

	require.NotContains(t, out.String(), "pa55")
	require.NotContains(t, out.String(), "a2tra")
	require.Equal(t, len(Table()), strings.Count(out.String(), "\n"))
}

// Whatever a variable is for, a URL in it may carry a password.
func TestEveryURLIsPrintedWithoutItsSecrets(t *testing.T) {
	for raw, want := range map[string]string{
		"https://vault.example.com:8200":                       "https://vault.example.com:8200",
		"https://ada:hush@vault.example.com":                   "https://***:***@vault.example.com",
		"https://hush@otel.example.com/v1?api_key=hush":        "https://***@otel.example.com/v1?api_key=***",
		"http://proxy.example.com:3128/#hush":                  "http://proxy.example.com:3128/#***",
		"postgres://app:hush@h1:5432,h2:5433/db?sslkey=hush":   "postgres://app:***@h1:5432,h2:5433/db?sslkey=***",
		"postgres://app@h1,h2/db?target_session_attrs=primary": "postgres://app@h1,h2/db?target_session_attrs=primary",
		"postgres:///db?host=h1,h2&password=hush":              "postgres:///db?host=h1,h2&password=***",
		"https://ada:%zz@host":                                 "***",
		"/var/run/secrets/kubernetes.io/serviceaccount/token":  "/var/run/secrets/kubernetes.io/serviceaccount/token",
	} {
		require.Equal(t, want, maskURL(raw))
		require.Equal(t, want, shown(Variable{}, raw), "even if the variable isn't a secret")
		require.Equal(t, want, shown(Variable{}, []string{raw}))
	}
}

func TestAKeyPrintsAsStars(t *testing.T) {
	require.Equal(t, "***", maskURL("postgres://u:p%zz@h"), "what cannot be parsed is not shown")
	require.Equal(t, "***", EncryptionKey{1}.String())
	require.Equal(t, "***", EncryptionKey{1}.GoString())
	require.Equal(t, "***", shown(Variable{Secret: "true"}, "token"))
	require.Empty(t, shown(Variable{Secret: "true"}, ""))
}

func TestHelpHasTheWholeTable(t *testing.T) {
	var help bytes.Buffer
	require.NoError(t, Help(&help, Table()))

	for _, v := range Table() {
		require.Contains(t, help.String(), v.Name)
	}

	require.Regexp(t, `PLATFORM_DATABASE_URL\[_FILE\] +required +postgres://`, help.String())
	require.Contains(t, help.String(), "OTEL_…")
}
