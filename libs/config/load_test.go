package config

import (
	"encoding/base64"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const testDatabaseURL = "postgres://app:pa55word@db:5432/platform"

// valid is the least environment in which every section loads.
func valid() map[string]string {
	return map[string]string{
		"PLATFORM_DATABASE_URL":    testDatabaseURL,
		"PLATFORM_SIGNING_BACKEND": "local",
		"PLATFORM_ENCRYPTION_KEYS": base64.StdEncoding.EncodeToString(make([]byte, 32)),
	}
}

func environ(vars ...map[string]string) []string {
	merged := map[string]string{}
	for _, v := range vars {
		maps.Copy(merged, v)
	}

	var list []string
	for name, value := range merged {
		list = append(list, name+"="+value)
	}
	return list
}

// problems loads every section and returns what is wrong, by variable.
func problems(t *testing.T, cfg any, opts LoadOptions) map[string]string {
	t.Helper()
	err := Load(cfg, opts)
	if err == nil {
		return nil
	}

	var bad *Error
	require.ErrorAs(t, err, &bad)
	found := map[string]string{}
	for _, p := range bad.Problems {
		require.NotContains(t, found, p.Variable, "one line each")
		found[p.Variable] = p.Message
	}

	return found
}

func TestDefaultsAreThoseOfTheTable(t *testing.T) {
	var cfg everything
	require.NoError(t, Load(&cfg, LoadOptions{Environ: environ(valid())}))
	require.Equal(t, "http://127.0.0.1:8080/api/v1/platform/oauth", cfg.Server.Issuer())
	require.False(t, cfg.Server.Secure())
	require.True(t, cfg.Server.Loopback())
	require.Equal(t, "127.0.0.1:9090", cfg.Server.AdminListen)
	require.Empty(t, cfg.Server.TrustedProxies)
	require.EqualValues(t, 32<<10, cfg.Server.HTTP.MaxBody)
	require.Equal(t, testDatabaseURL, cfg.Database.DirectURL, "the direct URL is the database's own")
	require.Equal(t, signing.ES256, cfg.Signing.AccessTokenAlg)
	require.Equal(t, signing.RS256, cfg.Signing.IDTokenAlg)
	require.Equal(t, 90*24*time.Hour, cfg.Signing.KeyRotation)
	require.Equal(t, "transit", cfg.Signing.Vault.TransitMount)
	require.Equal(t, 30*24*time.Hour, cfg.Sessions.Lifetime)
	require.Equal(t, time.Minute, cfg.Tokens.CodeTTL)
	require.Len(t, cfg.Encryption.Keys, 1)
	require.Equal(t, Log{Level: "info", Format: "auto"}, cfg.Log)
}

func TestEachBadValueIsNamedWithItsRemedy(t *testing.T) {
	tests := map[string]struct {
		name, value, says string
	}{
		"http is for loopback only": {
			"PLATFORM_PUBLIC_URL", "http://id.example.com", "use https://id.example.com",
		},
		"a public URL has no path": {
			"PLATFORM_PUBLIC_URL", "https://id.example.com/auth", `must not contain the path "/auth"`,
		},
		"a public URL has no query": {
			"PLATFORM_PUBLIC_URL", "https://id.example.com?", "query or fragment",
		},
		"a public URL has no fragment": {
			"PLATFORM_PUBLIC_URL", "https://id.example.com#", "query or fragment",
		},
		"a public URL has no user": {
			"PLATFORM_PUBLIC_URL", "https://u:p@id.example.com", "user or password",
		},
		"a public URL has a host": {
			"PLATFORM_PUBLIC_URL", "id.example.com", "not a URL with a host",
		},
		"a public URL has a port that exists": {
			"PLATFORM_PUBLIC_URL", "https://id.example.com:70000", "1 to 65535",
		},
		"a public URL is https": {
			"PLATFORM_PUBLIC_URL", "ftp://id.example.com", `"ftp" is neither`,
		},
		"a listener has a port": {
			"PLATFORM_LISTEN", "localhost", `"localhost" is not host:port`,
		},
		"a listener's port is a number": {"PLATFORM_ADMIN_LISTEN", ":http", "is not host:port"},
		"the listeners differ": {
			"PLATFORM_ADMIN_LISTEN", "127.0.0.1:8080", "must differ from PLATFORM_LISTEN",
		},
		"a proxy is a CIDR": {
			"PLATFORM_TRUSTED_PROXIES", "10.0.0.0/8,proxy", `"proxy" is not a CIDR`,
		},
		"an address is told its CIDR": {"PLATFORM_TRUSTED_PROXIES", "10.0.0.1", "write 10.0.0.1/32"},
		"every peer is too much":      {"PLATFORM_TRUSTED_PROXIES", "0.0.0.0/0", "trusts every peer"},
		"an exception isn't a URL": {
			"PLATFORM_OUTBOUND_ALLOW", "idp.internal,https://b.internal,*",
			`"https://b.internal" isn't a host, host:port or CIDR; write for example idp.internal:8443 or 10.1.0.0/16; "*" isn't a host`,
		},
		"a duration has a unit": {
			"PLATFORM_CODE_TTL", "60", `"60" is not a duration; use for example 90s`,
		},
		"a duration is positive":            {"PLATFORM_HTTP_READ_TIMEOUT", "0s", "greater than 0s"},
		"a code lives ten minutes at most":  {"PLATFORM_CODE_TTL", "11m", "the maximum is 10m"},
		"a session lives a minute at least": {"PLATFORM_SESSION_IDLE", "-1h", "the minimum is 1m"},
		"a session's idle time is within its life": {
			"PLATFORM_SESSION_IDLE", "721h", "exceeds PLATFORM_SESSION_LIFETIME",
		},
		"a key is published before it rotates": {
			"PLATFORM_KEY_PUBLISH_AHEAD", "2160h", "less than PLATFORM_KEY_ROTATION",
		},
		"a refresh token's idle time is in its life": {
			"PLATFORM_REFRESH_IDLE_TTL", "2161h", "exceeds PLATFORM_REFRESH_TOKEN_TTL",
		},
		"a deadline comes before the write timeout": {
			"PLATFORM_HTTP_REQUEST_DEADLINE", "30s", "less than PLATFORM_HTTP_WRITE_TIMEOUT",
		},
		"headers are a part of the request": {
			"PLATFORM_HTTP_HEADER_TIMEOUT", "16s", "must not exceed PLATFORM_HTTP_READ_TIMEOUT",
		},
		"a body cap is a number": {
			"PLATFORM_HTTP_MAX_BODY", "32KiB", `"32KiB" is not a whole number`,
		},
		"a body cap lets forms in": {"PLATFORM_HTTP_MAX_BODY", "10", "the minimum is 1024"},
		"an algorithm is one of four": {
			"PLATFORM_ACCESS_TOKEN_ALG", "none", `"none" is not one of RS256, PS256, ES256, EdDSA`,
		},
		"a backend is one of two": {"PLATFORM_SIGNING_BACKEND", "hsm", "local, vault"},
		"a database is PostgreSQL": {
			"PLATFORM_DATABASE_URL", "mysql://u:hush@h/d", "write postgres://",
		},
		"a database URL names a database": {
			"PLATFORM_DATABASE_URL", "postgres://u:hush@h", "has no database name",
		},
		"a database URL can be parsed": {
			"PLATFORM_DATABASE_URL", "postgres://u:hu%sh@h/d", "percent-encoded",
		},
		"a direct URL is one too": {"PLATFORM_DATABASE_DIRECT_URL", "h", "write postgres://"},
		"a lock is waited for less than its statement": {
			"PLATFORM_DATABASE_LOCK_TIMEOUT", "5s", "less than PLATFORM_DATABASE_STATEMENT_TIMEOUT",
		},
		"a pool keeps no more than it opens": {
			"PLATFORM_DATABASE_MAX_IDLE", "17", "must not exceed PLATFORM_DATABASE_MAX_OPEN",
		},
		"a key has 32 bytes": {
			"PLATFORM_ENCRYPTION_KEYS", "aHVzaA==", "key 1 is not 32 bytes in base64",
		},
		"a level is known":                 {"PLATFORM_LOG_LEVEL", "loud", "debug, info, warn, error"},
		"the trail lasts a month at least": {"PLATFORM_AUDIT_RETENTION", "719h", "the minimum is 720h, or 0"},
		"a limit is a number":              {"PLATFORM_LIMIT_SIGN_IN", "many", "not a whole number"},
		"a name with a letter wrong is suggested": {
			"PLATFORM_PUBLIC_ULR", "x", "did you mean PLATFORM_PUBLIC_URL?",
		},
		"a name like no other is refused": {"PLATFORM_COLOUR_SCHEME", "x", "unknown; remove it"},
		"only secrets can be read from a file": {
			"PLATFORM_TRUSTED_PROXIES_FILE", "x", "set PLATFORM_TRUSTED_PROXIES",
		},
		"a file of a secret exists": {
			"PLATFORM_DATABASE_DIRECT_URL_FILE", "/does/not/exist", "can't read the file",
		},
		"a secret does not come twice": {"PLATFORM_DATABASE_URL_FILE", "/does/not/exist", ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			found := problems(t, &everything{}, LoadOptions{Environ: environ(valid(), map[string]string{
				"PLATFORM_HTTP_READ_TIMEOUT": "15s", "PLATFORM_HTTP_WRITE_TIMEOUT": "30s", // their defaults, said
			}, map[string]string{tt.name: tt.value})})
			if tt.name == "PLATFORM_DATABASE_URL_FILE" {
				require.Contains(t, found["PLATFORM_DATABASE_URL"], "remove one of them")
				return
			}

			require.Len(t, found, 1, found)
			require.Contains(t, found[tt.name], tt.says)
			require.NotContains(t, found[tt.name], "hush", "a secret is never repeated")
			require.NotContains(t, found[tt.name], "aHVzaA")
		})
	}
}

func TestAllProblemsAreListedAtOnce(t *testing.T) {
	err := Load(&everything{}, LoadOptions{Environ: []string{
		"PLATFORM_PUBLIC_URL=http://id.example.com", "PLATFORM_CODE_TTL=soon", "PLATFORM_LISTENS=:1",
		"PLATFORM_VAULT_AUTH=magic",
		"PLATFORM_LISTEN=8080", "PLATFORM_SESSION_IDLE=721h", "PLATFORM_HTTP_WRITE_TIMEOUT=late",
	}})
	require.EqualError(t, err, `configuration: 10 problems
  PLATFORM_CODE_TTL: "soon" is not a duration; use for example 90s, 15m or 2160h
  PLATFORM_DATABASE_URL: missing; set it, for example to postgres://user:password@host:5432/platform
  PLATFORM_ENCRYPTION_KEYS: missing; set it, for example to the output of: openssl rand -base64 32
  PLATFORM_HTTP_WRITE_TIMEOUT: "late" is not a duration; use for example 90s, 15m or 2160h
  PLATFORM_LISTEN: "8080" is not host:port; use for example 127.0.0.1:8080 or :8080
  PLATFORM_LISTENS: unknown; did you mean PLATFORM_LISTEN?
  PLATFORM_PUBLIC_URL: http is allowed on loopback only; use https://id.example.com
  PLATFORM_SESSION_IDLE: exceeds PLATFORM_SESSION_LIFETIME, so it would have no effect
  PLATFORM_SIGNING_BACKEND: missing; set it, for example to local
  PLATFORM_VAULT_AUTH: "magic" is not one of token, approle, kubernetes`)
}

func TestNamesOfOtherServicesAreKnownAndNotAskedFor(t *testing.T) {
	var cfg struct{ Server Server }
	require.NoError(t,
		Load(&cfg,
			LoadOptions{Environ: []string{"PLATFORM_SIGNING_BACKEND=nonsense", "PLATFORM_ENCRYPTION_KEYS_FILE=/none"}}))
}

func TestWhatKubernetesInjectsIsIgnored(t *testing.T) {
	injected := map[string]string{
		"PLATFORM_OAUTH_TOKEN_SERVICE_HOST":      "10.0.0.1",
		"PLATFORM_OAUTH_TOKEN_SERVICE_PORT":      "80",
		"PLATFORM_OAUTH_TOKEN_SERVICE_PORT_HTTP": "80",
		"PLATFORM_OAUTH_TOKEN_PORT":              "tcp://10.0.0.1:80",
		"PLATFORM_OAUTH_TOKEN_PORT_80_TCP":       "tcp://10.0.0.1:80",
		"PLATFORM_OAUTH_TOKEN_PORT_80_TCP_PROTO": "tcp",
		"PLATFORM_OAUTH_TOKEN_PORT_80_TCP_PORT":  "80",
		"PLATFORM_OAUTH_TOKEN_PORT_80_TCP_ADDR":  "10.0.0.1",
		"PLATFORM_SERVICE_HOST":                  "10.0.0.1",
		"PLATFORM_PORT":                          "tcp://10.0.0.1:80",
	}

	require.NoError(t, Load(&everything{}, LoadOptions{Environ: environ(valid(), injected)}))
	found := problems(t, &everything{},
		LoadOptions{Environ: environ(valid(), map[string]string{"PLATFORM_TOKEN_PORT": "80"})})
	require.Contains(t, found, "PLATFORM_TOKEN_PORT", "a setting of another program")
}

func TestASecretComesFromAFile(t *testing.T) {
	file := filepath.Join(t.TempDir(), "url")
	require.NoError(t, os.WriteFile(file, []byte(testDatabaseURL+"\r\n"), 0o600))
	env := valid()
	delete(env, "PLATFORM_DATABASE_URL")
	env["PLATFORM_DATABASE_URL_FILE"] = file

	var cfg everything
	require.NoError(t, Load(&cfg, LoadOptions{Environ: environ(env), Defaults: EmbeddedDefaults()}),
		"a file beats a default")
	require.Equal(t, testDatabaseURL, cfg.Database.URL)

	cfg = everything{}
	require.NoError(t,
		Load(&cfg,
			LoadOptions{Environ: environ(env), Overrides: map[string]string{"PLATFORM_DATABASE_URL": "sqlite:x.db"}}))
	require.Equal(t, "sqlite:x.db", cfg.Database.URL, "a flag beats a file")

	require.NoError(t, os.WriteFile(file, []byte("\n"), 0o600))
	found := problems(t, &everything{}, LoadOptions{Environ: environ(env)})
	require.Equal(t, []string{"PLATFORM_DATABASE_URL_FILE"}, slices.Collect(maps.Keys(found)))
	require.Contains(t, found["PLATFORM_DATABASE_URL_FILE"], "is empty")
}

func TestFlagsBeatTheEnvironmentWhichBeatsDefaults(t *testing.T) {
	opts := LoadOptions{Defaults: EmbeddedDefaults()}
	opts.Defaults["PLATFORM_LISTEN"] = ":1"
	load := func() (cfg struct {
		Server   Server
		Database Database
		Signing  Signing
	},
	) {
		require.NoError(t, Load(&cfg, opts))
		return cfg
	}

	cfg := load()
	require.Equal(t, ":1", cfg.Server.Listen)
	require.True(t, cfg.Database.SQLite())
	require.Equal(t, filepath.Join(cfg.Signing.DataDir, "platform.db"), cfg.Database.SQLitePath(cfg.Signing.DataDir))
	require.Equal(t, SigningLocal, cfg.Signing.Backend)
	opts.Environ = []string{
		"PLATFORM_LISTEN=:2", "PLATFORM_ADMIN_LISTEN=", "PLATFORM_DATABASE_URL=sqlite:/srv/a.db",
		"HOME=/root", "nonsense",
	}
	cfg = load()
	require.Equal(t, ":2", cfg.Server.Listen)
	require.Equal(t, "127.0.0.1:9090", cfg.Server.AdminListen, "an empty value counts as none")
	require.Equal(t, "/srv/a.db", cfg.Database.SQLitePath("data"))
	opts.Overrides = map[string]string{"PLATFORM_LISTEN": ":3"}
	require.Equal(t, ":3", load().Server.Listen)
}

func TestAPublicURLIsWrittenAsBrowsersWriteOrigins(t *testing.T) {
	for raw, origin := range map[string]string{
		"https://ID.Example.com/":    "https://id.example.com",
		"HTTPS://id.example.com":     "https://id.example.com",
		"https://id.example.com:443": "https://id.example.com",
		"https://id.example.com:80":  "https://id.example.com:80",
		"http://localhost:80":        "http://localhost",
		"http://app.localhost:8080":  "http://app.localhost:8080",
		"http://[::1]:8080":          "http://[::1]:8080",
		"http://127.8.9.1":           "http://127.8.9.1",
	} {
		var cfg struct{ Server Server }
		require.NoError(t, Load(&cfg, LoadOptions{Environ: []string{"PLATFORM_PUBLIC_URL=" + raw}}), raw)
		require.Equal(t, origin, cfg.Server.Origin())
		require.Equal(t, strings.HasPrefix(origin, "https:"), cfg.Server.Secure())
	}
}

func TestProxiesAreRead(t *testing.T) {
	list, err := parsePrefixes(" 10.1.2.3/8, fd00::/8 ,")
	require.NoError(t, err)
	require.Equal(t, "10.0.0.0/8,fd00::/8", joined(list))
}

func TestKeysAreReadInBothAlphabets(t *testing.T) {
	key := EncryptionKey{0xfb, 0xff, 31: 7}
	list, err := ParseEncryptionKeys(base64.StdEncoding.EncodeToString(key[:]) + " , " +
		base64.RawURLEncoding.EncodeToString(key[:]))
	require.NoError(t, err)
	require.Equal(t, []EncryptionKey{key, key}, list)
}

// Errors of env name a Go field: Load needs to know which variable that is.
func TestFieldNamesAreUniqueInASection(t *testing.T) {
	names := map[string]bool{}
	for _, section := range sections(&everything{}) {
		inSection := map[string]bool{}
		for _, f := range fieldsOf(section.Type(), nil) {
			name := section.Type().FieldByIndex(f.index).Name
			require.False(t, inSection[name], "%s.%s", section.Type(), name)
			require.False(t, names[f.Name], "%s is in two sections", f.Name)
			require.NotEmpty(t, f.Description, f.Name)
			require.Regexp(t, "^"+prefix+"|^VAULT_", f.Name)
			inSection[name], names[f.Name] = true, true
		}
	}

	require.Equal(t, len(Table()), len(names))
}

func TestASectionIsFoundByItsType(t *testing.T) {
	type config struct {
		Server Server
		Own    Sessions
	}
	cfg := struct {
		Service config
		Log     Log
	}{Service: config{Own: Sessions{Idle: time.Hour}}}
	found, ok := Section[Sessions](&cfg)
	require.True(t, ok)
	require.Equal(t, time.Hour, found.Idle)
	_, ok = Section[Database](&cfg)
	require.False(t, ok)
	require.Equal(t, reflect.TypeFor[Server](), sections(&cfg)[0].Type())
}

// Tokens, headers and redirect URIs carry the ASCII form.
func TestTheOriginOfAnInternationalisedNameIsInASCII(t *testing.T) {
	for _, raw := range []string{
		"https://B\u00fccher.test:443/", "https://bu\u0308cher.test", "https://xn--bcher-kva.test",
	} {
		u, err := parseOrigin(raw)
		require.NoError(t, err)
		require.Equal(t, "https://xn--bcher-kva.test", u.String())
	}

	_, err := parseOrigin("https://\u00fc..test")
	require.ErrorContains(t, err, "the host is not a domain name")
}

func FuzzParsers(f *testing.F) {
	for _, seed := range []string{
		"https://id.example.com", "http://[::1%25x]:8080/", "10.0.0.0/8,::/1", "10.0.0.1", ",",
		base64.StdEncoding.EncodeToString(make([]byte, 32)), "postgres://u:p@h/d",
	} {
		f.Add(seed)
	}

	f.Fuzz(func(t *testing.T, raw string) {
		if u, err := parseOrigin(raw); err == nil {
			again, err := parseOrigin(u.String())
			require.NoError(t, err, "%q became %q", raw, u.String())
			require.Equal(t, u, again)
			require.True(t, u.Scheme == "https" || loopback(u.Hostname()))
		}

		if list, err := parsePrefixes(raw); err == nil {
			again, err := parsePrefixes(joined(list))
			require.NoError(t, err)
			require.Equal(t, list, again)
		}

		if list, err := ParseEncryptionKeys(raw); err == nil {
			require.NotEmpty(t, list)
		}

		_ = checkDatabaseURL(raw)
		_ = maskURL(raw)
		_ = checkListen(raw)
	})
}
