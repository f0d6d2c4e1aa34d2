package config

import (
	"crypto/hkdf"
	"crypto/sha256"
	"net/netip"
	"net/url"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/limits"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

// Server says where a process listens and at which URL it is reached. Every configuration has
// it.
type Server struct {
	PublicURL      *url.URL       `env:"PLATFORM_PUBLIC_URL" envDefault:"http://127.0.0.1:8080" validate:"required" desc:"origin that browsers see; the issuer is this with /api/v1/platform/oauth appended; must be https unless loopback"`
	Listen         string         `env:"PLATFORM_LISTEN" envDefault:"127.0.0.1:8080" validate:"listen" desc:"address of the public listener"`
	AdminListen    string         `env:"PLATFORM_ADMIN_LISTEN" envDefault:"127.0.0.1:9090" validate:"listen" desc:"address of the admin listener: /livez, /readyz, /metrics"`
	AdminPprof     bool           `env:"PLATFORM_ADMIN_PPROF" envDefault:"false" desc:"serve profiles at /debug/pprof/ of the admin listener; they reveal memory contents, so enable it only while debugging"`
	TrustedProxies []netip.Prefix `env:"PLATFORM_TRUSTED_PROXIES" desc:"CIDRs of trusted proxies, whose X-Forwarded-For is used; comma separated"`
	ProxyTraces    bool           `env:"PLATFORM_PROXY_TRACES" envDefault:"false" desc:"continue the traces of trusted proxies; only safe if they replace the traceparent of clients, who could otherwise decide what is recorded"`
	HTTP           HTTP
}

// HTTP holds the limits of the public listener.
type HTTP struct {
	HeaderTimeout   time.Duration `env:"PLATFORM_HTTP_HEADER_TIMEOUT" envDefault:"5s" validate:"gt=0" desc:"how long a client may take to send the request's headers"`
	ReadTimeout     time.Duration `env:"PLATFORM_HTTP_READ_TIMEOUT" envDefault:"15s" validate:"gt=0" desc:"how long a client may take to send the whole request"`
	WriteTimeout    time.Duration `env:"PLATFORM_HTTP_WRITE_TIMEOUT" envDefault:"30s" validate:"gt=0" desc:"how long a response may take, from the end of the request's headers"`
	IdleTimeout     time.Duration `env:"PLATFORM_HTTP_IDLE_TIMEOUT" envDefault:"90s" validate:"gt=0" desc:"how long an idle connection is kept"`
	RequestDeadline time.Duration `env:"PLATFORM_HTTP_REQUEST_DEADLINE" envDefault:"10s" validate:"gt=0" desc:"how long a request may take before it gets 503; less than the write timeout"`
	MaxBody         int64         `env:"PLATFORM_HTTP_MAX_BODY" envDefault:"32768" validate:"min=1024,max=1048576" desc:"largest request body, in bytes"`
	DrainDelay      time.Duration `env:"PLATFORM_HTTP_DRAIN_DELAY" envDefault:"0s" validate:"gte=0" desc:"at shutdown, how long to keep accepting requests after readiness is off, so that load balancers notice"`
	DrainTimeout    time.Duration `env:"PLATFORM_HTTP_DRAIN_TIMEOUT" envDefault:"20s" validate:"gt=0" desc:"at shutdown, how long requests in flight may take to finish"`
}

// Database is the database that a process uses.
type Database struct {
	URL              string        `env:"PLATFORM_DATABASE_URL" secret:"url" validate:"required,database_url" example:"postgres://user:password@host:5432/platform" desc:"postgres://…; platform up also takes sqlite:PATH (default: platform.db in the data folder)"`
	DirectURL        string        `env:"PLATFORM_DATABASE_DIRECT_URL" secret:"url" validate:"omitempty,database_url" desc:"URL for LISTEN and migrate that avoids a transaction pooler (default: PLATFORM_DATABASE_URL)"`
	MaxOpen          int           `env:"PLATFORM_DATABASE_MAX_OPEN" envDefault:"16" validate:"min=1,max=10000" desc:"maximum number of open connections per process"`
	MaxIdle          int           `env:"PLATFORM_DATABASE_MAX_IDLE" envDefault:"16" validate:"min=1,max=10000" desc:"maximum number of idle connections per process"`
	ConnMaxLifetime  time.Duration `env:"PLATFORM_DATABASE_CONN_MAX_LIFETIME" envDefault:"30m" validate:"gt=0" desc:"age at which a connection is replaced, so that a failover is noticed"`
	StatementTimeout time.Duration `env:"PLATFORM_DATABASE_STATEMENT_TIMEOUT" envDefault:"5s" validate:"gte=1ms" desc:"how long a statement may take, and how long a transaction may be idle; migrate has no limit"`
	LockTimeout      time.Duration `env:"PLATFORM_DATABASE_LOCK_TIMEOUT" envDefault:"3s" validate:"gte=1ms" desc:"how long a statement may wait for a lock; less than the statement timeout"`
	Prepare          string        `env:"PLATFORM_DATABASE_PREPARE" envDefault:"auto" validate:"oneof=auto always never" desc:"whether PostgreSQL keeps the plans of statements: auto (unless a pooler would lose them), always (and refuse such a pooler) or never"`
}

// Signing backends.
const (
	SigningLocal = "local" // key files in the data folder
	SigningVault = "vault" // Vault transit
)

// Signing says where the private keys are kept and when they are rotated.
type Signing struct {
	Backend         string            `env:"PLATFORM_SIGNING_BACKEND" validate:"required,oneof=local vault" example:"local" desc:"where the private keys are kept: local (files in the data folder) or vault; platform up: local"`
	DataDir         string            `env:"PLATFORM_DATA_DIR" envDefault:"./platform-data" validate:"required" desc:"folder of the local keys, the SQLite file and the demo credentials"`
	AccessTokenAlg  signing.Algorithm `env:"PLATFORM_ACCESS_TOKEN_ALG" envDefault:"ES256" validate:"oneof=RS256 PS256 ES256 EdDSA" desc:"algorithm of access tokens: RS256, PS256, ES256 or EdDSA; applications may override"`
	IDTokenAlg      signing.Algorithm `env:"PLATFORM_ID_TOKEN_ALG" envDefault:"RS256" validate:"oneof=RS256 PS256 ES256 EdDSA" desc:"algorithm of ID tokens: RS256, PS256, ES256 or EdDSA; applications may override"`
	KeyRotation     time.Duration     `env:"PLATFORM_KEY_ROTATION" envDefault:"2160h" validate:"gt=0" desc:"how often signing keys are rotated"`
	KeyPublishAhead time.Duration     `env:"PLATFORM_KEY_PUBLISH_AHEAD" envDefault:"24h" validate:"gt=0" desc:"how long a key is published before it signs; less than the rotation"`
	Vault           Vault
}

// Vault is the Vault transit backend. The variables without PLATFORM_ are Vault's own. Those
// not listed here (a client certificate, a proxy) are read from the process's environment by
// Vault's client itself.
type Vault struct {
	Address      string        `env:"VAULT_ADDR" validate:"omitempty,http_url" desc:"address of Vault or OpenBao; required with PLATFORM_SIGNING_BACKEND=vault"`
	CACert       string        `env:"VAULT_CACERT" desc:"PEM file of the CA that signed Vault's certificate (default: the system's CAs)"`
	Namespace    string        `env:"VAULT_NAMESPACE" desc:"Vault namespace"`
	Auth         string        `env:"PLATFORM_VAULT_AUTH" envDefault:"token" validate:"oneof=token approle kubernetes" desc:"how to log in to Vault: token, approle or kubernetes"`
	AuthMount    string        `env:"PLATFORM_VAULT_AUTH_MOUNT" validate:"vault_path" desc:"mount of the auth method (default: the method's name)"`
	Role         string        `env:"PLATFORM_VAULT_ROLE" desc:"role (kubernetes) or role id (approle)"`
	Token        string        `env:"VAULT_TOKEN" secret:"masked" desc:"token for PLATFORM_VAULT_AUTH=token; renewed as long as possible"`
	TokenFile    string        `env:"PLATFORM_VAULT_TOKEN_FILE" desc:"file with that token instead; reread when it changes"`
	SecretID     string        `env:"PLATFORM_VAULT_SECRET_ID" secret:"masked" desc:"secret id for approle"`
	SecretIDFile string        `env:"PLATFORM_VAULT_SECRET_ID_FILE" desc:"file with the secret id instead; read at each login"`
	JWTFile      string        `env:"PLATFORM_VAULT_JWT_FILE" envDefault:"/var/run/secrets/kubernetes.io/serviceaccount/token" validate:"required" desc:"file with the service account's token for kubernetes; read at each login"`
	TransitMount string        `env:"PLATFORM_VAULT_TRANSIT_MOUNT" envDefault:"transit" validate:"required,vault_path" desc:"mount of the transit engine"`
	KeyPrefix    string        `env:"PLATFORM_VAULT_KEY_PREFIX" envDefault:"platform" validate:"required,transit_name" desc:"prefix of the transit keys' names; must be unique per platform"`
	Timeout      time.Duration `env:"PLATFORM_VAULT_TIMEOUT" envDefault:"3s" validate:"gt=0" desc:"how long a request to Vault may take"`
	RSABatch     int           `env:"PLATFORM_VAULT_RSA_BATCH" envDefault:"4" validate:"min=1,max=128" desc:"maximum number of RS256 and PS256 signatures per request to Vault"`
	RSASlots     int           `env:"PLATFORM_VAULT_RSA_SLOTS" envDefault:"4" validate:"min=1,max=64" desc:"maximum number of such requests at a time, per process"`
	ECBatch      int           `env:"PLATFORM_VAULT_EC_BATCH" envDefault:"64" validate:"min=1,max=256" desc:"maximum number of ES256 and EdDSA signatures per request to Vault"`
	ECSlots      int           `env:"PLATFORM_VAULT_EC_SLOTS" envDefault:"2" validate:"min=1,max=64" desc:"maximum number of such requests at a time, per process"`
	Queue        int           `env:"PLATFORM_VAULT_QUEUE" envDefault:"1024" validate:"min=1,max=100000" desc:"maximum number of RSA signatures, and of others, waiting for such a request; more get 503"`
}

// Encryption holds the keys that seal secrets which must be readable again, and from which
// other keys are derived.
type Encryption struct {
	// Keys are 32 bytes each. The first one seals; all can open.
	Keys []EncryptionKey `env:"PLATFORM_ENCRYPTION_KEYS" secret:"true" validate:"required" example:"the output of: openssl rand -base64 32" desc:"32-byte keys in base64, comma separated; the first encrypts, all decrypt; platform up generates encryption.keys in the data folder"`
}

// Derive derives the 256-bit key for a purpose from the first key, with HKDF-SHA256 (RFC 5869)
// and the label as info. Replicas with the same keys derive the same key, and knowing a derived
// key reveals no other. A new first key changes the derived key, so whatever was keyed with it
// (the counts of limits) starts afresh. It returns nil without keys, which a loaded
// configuration always has.
func (e Encryption) Derive(label string) []byte {
	if len(e.Keys) == 0 {
		return nil
	}
	return derive(e.Keys[0], label)
}

// DeriveAll returns the 256-bit key for a purpose derived from each key, in order. Data sealed
// with the first can be opened with any, so that a new first key doesn't invalidate what was
// sealed before.
func (e Encryption) DeriveAll(label string) [][]byte {
	derived := make([][]byte, len(e.Keys))
	for i, key := range e.Keys {
		derived[i] = derive(key, label)
	}
	return derived
}

func derive(key EncryptionKey, label string) []byte {
	derived, err := hkdf.Key(sha256.New, key[:], nil, "platform "+label, sha256.Size)
	if err != nil { // only for more than 255 times that length
		panic(err)
	}
	return derived
}

// Outbound says what the guarded client may reach besides the public Internet. The client
// fetches everything that the registration of an application or a tenant names.
type Outbound struct {
	Allow []string `env:"PLATFORM_OUTBOUND_ALLOW" desc:"exceptions for back-channel logout and other URLs of applications, which must otherwise be https at public addresses: host or host:port (any address, http too) or CIDR; comma separated"`
}

// Sessions says how long a single sign-on session lives.
type Sessions struct {
	Idle     time.Duration `env:"PLATFORM_SESSION_IDLE" envDefault:"12h" validate:"min=1m" desc:"idle time after which an SSO session ends"`
	Lifetime time.Duration `env:"PLATFORM_SESSION_LIFETIME" envDefault:"720h" validate:"min=1m" desc:"maximum lifetime of an SSO session"`
}

// Tokens says how long the platform's tokens and codes are valid. Applications may override
// some of it.
type Tokens struct {
	AccessTokenTTL  time.Duration `env:"PLATFORM_ACCESS_TOKEN_TTL" envDefault:"1h" validate:"min=1s,max=24h" desc:"lifetime of access tokens; applications may override"`
	RefreshTokenTTL time.Duration `env:"PLATFORM_REFRESH_TOKEN_TTL" envDefault:"2160h" validate:"min=1s" desc:"lifetime of a refresh token family; applications may override"`
	RefreshIdleTTL  time.Duration `env:"PLATFORM_REFRESH_IDLE_TTL" envDefault:"720h" validate:"min=1s" desc:"idle time after which a refresh token expires; applications may override"`
	RefreshGrace    time.Duration `env:"PLATFORM_REFRESH_GRACE" envDefault:"10s" validate:"gte=0,max=1m" desc:"how long a rotated refresh token still returns its successor, 0s for never; applications may override"`
	CodeTTL         time.Duration `env:"PLATFORM_CODE_TTL" envDefault:"60s" validate:"min=1s,max=10m" desc:"lifetime of authorization codes"`
	DeviceCodeTTL   time.Duration `env:"PLATFORM_DEVICE_CODE_TTL" envDefault:"10m" validate:"min=1m,max=1h" desc:"lifetime of device codes and their user codes"`
}

// Limits says how many failures are free before the next attempt has to wait: a second at
// first, twice as long after each further failure, at most the window.
type Limits struct {
	SignIn     int           `env:"PLATFORM_LIMIT_SIGN_IN" envDefault:"10" validate:"min=1,max=1000000" desc:"failed sign-ins to an account from unknown browsers, or from one known browser, before the next must wait; an address gets ten times as many, its networks up to 400 times; after a hundred in a row an account takes one attempt an hour, later one a day, until a right password or 30 days without a wrong one"`
	UserCode   int           `env:"PLATFORM_LIMIT_USER_CODE" envDefault:"10" validate:"min=1,max=1000000" desc:"wrong user codes of a signed-in person before the next must wait, or else of an address before its people must sign in first; the networks of an address get up to 40 times as many; correct ones don't reset the count"`
	ClientAuth int           `env:"PLATFORM_LIMIT_CLIENT_AUTH" envDefault:"100" validate:"min=1,max=1000000" desc:"failed authentications of an application from one address before further failures get 429; the networks of an address get up to 40 times as many; correct credentials never do"`
	Flows      int           `env:"PLATFORM_LIMIT_FLOWS" envDefault:"1000" validate:"min=1,max=1000000" desc:"sign-ins that an address may start per window, and as many device authorizations without credentials, which are counted apart; an IPv6 /64 is one address, and its wider networks get up to 40 times as many; an account gets a tenth of it in browsers that it knows, whatever its address has used up"`
	Window     time.Duration `env:"PLATFORM_LIMIT_WINDOW" envDefault:"15m" validate:"min=1s" desc:"failures are forgotten after this time without a new one, other than a hundred wrong passwords in a row; also the longest wait"`
}

// Rule returns the rule for one of the limits, such as l.SignIn.
func (l Limits) Rule(failures int) limits.Rule {
	return limits.Rule{Failures: failures, Window: l.Window, MaxDelay: l.Window}
}

// Audit says how much is written to the audit trail and how long it is kept.
type Audit struct {
	Retention      time.Duration `env:"PLATFORM_AUDIT_RETENTION" envDefault:"9600h" validate:"gte=0" desc:"age at which the keys service removes rows of the audit trail, on PostgreSQL by whole months; at least 720h, or 0 to keep all"`
	ExchangeSample int           `env:"PLATFORM_AUDIT_EXCHANGE_SAMPLE" envDefault:"100" validate:"min=1,max=1000000" desc:"of the token exchanges between the same applications in an hour, the audit trail records the first and every nth, with the count; 1 records all"`
}

// Log says how the process logs. Every process has it besides its sections.
type Log struct {
	Level  string `env:"PLATFORM_LOG_LEVEL" envDefault:"info" validate:"oneof=debug info warn error" desc:"minimum log level: debug, info, warn or error"`
	Format string `env:"PLATFORM_LOG_FORMAT" envDefault:"auto" validate:"oneof=auto json text" desc:"json, text, or auto (text if standard error is a terminal)"`
}

// everything is the whole table. A name that isn't in it is unknown.
type everything struct {
	Server     Server
	Database   Database
	Signing    Signing
	Encryption Encryption
	Outbound   Outbound
	Sessions   Sessions
	Tokens     Tokens
	Limits     Limits
	Audit      Audit
	Log        Log
}

// Origin returns the public URL without a trailing slash.
func (s Server) Origin() string { return s.PublicURL.Scheme + "://" + s.PublicURL.Host }

// Issuer returns the issuer identifier (RFC 8414 2).
func (s Server) Issuer() string { return s.Origin() + oauth.IssuerPath }

// Secure reports whether browsers reach the platform over https, so that cookies carry Secure
// and the __Host- prefix.
func (s Server) Secure() bool { return s.PublicURL.Scheme == "https" }

// Loopback reports whether the public URL names only this machine.
func (s Server) Loopback() bool { return loopback(s.PublicURL.Hostname()) }

// Refresh returns the longest time between two reads of the keys by a replica. It is far
// shorter than the time a key is published before it signs, and short enough that a revoked key
// isn't honoured for long.
func (s Signing) Refresh() time.Duration { return min(5*time.Second, s.KeyPublishAhead/4) }

// EmbeddedDefaults returns the values that `platform up` uses for required variables: SQLite in
// the data folder and local keys.
func EmbeddedDefaults() map[string]string {
	return map[string]string{
		"PLATFORM_DATABASE_URL":    "sqlite:",
		"PLATFORM_SIGNING_BACKEND": SigningLocal,
	}
}
