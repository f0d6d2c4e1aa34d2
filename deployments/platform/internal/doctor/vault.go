package doctor

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/hashicorp/vault/api"

	"github.com/platform-oauth/platform-oauth/libs/config"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
)

const setupRemedy = "run deployments/vault/setup.sh with this mount and prefix"

// signing checks the backend that holds the private keys.
func (e *examination) signing(ctx context.Context) {
	switch {
	case e.Service == "authorize" || e.Service == "device":
		if e.Signing.Vault.Token != "" || e.Signing.Vault.SecretID != "" {
			e.warn("vault", "remove the credentials from its environment",
				"%s signs nothing, but has credentials for Vault", e.Service)
			return
		}
		e.ok("vault", "%s signs nothing and needs no Vault", e.Service)
	case e.Signing.Backend != config.SigningVault:
		e.ok("vault", "signing keys are files in %s, not in Vault", e.Signing.DataDir)
	default:
		e.vault(ctx)
	}
}

func (e *examination) vault(ctx context.Context) {
	client, method, err := servicekit.VaultClient(e.Signing.Vault, e.Deps)
	if err != nil {
		e.fail("vault", "correct the VAULT_… and PLATFORM_VAULT_… variables", "can't create a client for Vault: %v", err)
		return
	}

	ctx, cancel := context.WithTimeout(ctx, 3*patience)
	defer cancel()

	if !e.vaultHealth(ctx, client) {
		return
	}

	secret, err := method.Login(ctx, client)
	if err != nil {
		e.fail("vault.login", "check PLATFORM_VAULT_AUTH, PLATFORM_VAULT_ROLE and the credential; "+setupRemedy,
			"login by %s failed: %s", e.Signing.Vault.Auth, oneLine(err))
		return
	}

	client.SetToken(secret.Auth.ClientToken)
	defer client.ClearToken()

	if e.vaultToken(ctx, client) {
		e.policy(ctx, client)
	}
}

// vaultHealth reads Vault's health, which needs no login. Health concerns the server, above
// all namespaces.
func (e *examination) vaultHealth(ctx context.Context, client *api.Client) bool {
	const running = "check VAULT_ADDR and VAULT_CACERT, and that Vault is running"
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	asked := e.Deps.Now()
	response, err := client.WithNamespace("").Logical().ReadRawWithDataWithContext(ctx, "sys/health", url.Values{
		"standbycode":   {"200"},
		"sealedcode":    {"200"},
		"uninitcode":    {"200"},
		"perfstandbyok": {"true"},
	})
	if response != nil {
		defer func() { _ = response.Body.Close() }()
	}

	if err != nil {
		e.fail("vault", running, "%s does not answer: %s", client.Address(), oneLine(err))
		return false
	}

	answered := e.Deps.Now()
	var health struct {
		Initialized bool   `json:"initialized"`
		Sealed      bool   `json:"sealed"`
		Version     string `json:"version"`
	}

	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err = errors.Join(err, json.Unmarshal(body, &health)); err != nil {
		e.fail("vault", running, "%s answers, but isn't Vault: %v", client.Address(), err)
		return false
	}

	switch {
	case !health.Initialized:
		e.fail("vault", "initialize it: vault operator init", "Vault at %s is not initialized", client.Address())
	case health.Sealed:
		e.fail("vault", "unseal it: vault operator unseal", "Vault at %s is sealed", client.Address())
	default:
		e.ok("vault", "Vault at %s answers, version %s", client.Address(), health.Version)
	}

	if date, err := http.ParseTime(response.Header.Get("Date")); err == nil {
		e.clock("vault", date, asked, answered, second)
	}

	return health.Initialized && !health.Sealed
}

// vaultToken checks the token itself.
func (e *examination) vaultToken(ctx context.Context, client *api.Client) bool {
	self, err := client.Auth().Token().LookupSelfWithContext(ctx)
	if err != nil {
		e.fail("vault.login", setupRemedy,
			"the token may not look itself up, so no service would become ready: %s", oneLine(err))
		return false
	}

	policies, err := self.TokenPolicies()
	if err != nil {
		e.fail("vault.login", "", "can't read the token's policies: %v", err)
		return false
	}

	switch {
	case slices.Contains(policies, "root"):
		e.fail("vault.login", "log in with a role that deployments/vault/setup.sh created",
			"the token is a root token, which has every right")
		return false
	case slices.Contains(policies, "default"):
		e.warn("vault.login", "set token_no_default_policy=true on the role",
			"the token has the policy default, which triples the cost of each signature")
	default:
		e.ok("vault.login", "logged in by %s, with the policies %s", e.Signing.Vault.Auth, strings.Join(policies, ", "))
	}

	return true
}

// right is a path in Vault and the capabilities wanted there.
type right struct {
	path string
	does []string // capabilities, of which one is enough
	what string
}

// powers holds the capabilities that the token has, by path.
type powers map[string][]string

func (p powers) has(r right) bool {
	return slices.ContainsFunc(p[r.path], func(c string) bool { return c == "root" || slices.Contains(r.does, c) })
}

// lacks returns the rights that the token doesn't have.
func (p powers) lacks(rights []right) (lacking []string) {
	for _, r := range rights {
		if !p.has(r) {
			lacking = append(lacking, r.what)
		}
	}
	return lacking
}

func (p powers) hasOf(rights []right) (having []string) {
	for _, r := range rights {
		if p.has(r) {
			having = append(having, r.what)
		}
	}
	return having
}

// policy reads what the token may do, and compares it with what it must and must not be
// able to do.
func (e *examination) policy(ctx context.Context, client *api.Client) {
	tokens, logout := e.signRights(e.tokenAlgorithms()), e.signRights(e.logoutAlgorithms())
	making, never := e.keysRights(), e.neverRights()
	can, err := capabilities(ctx, client, slices.Concat(tokens, logout, making, never))
	if err != nil {
		e.warn("vault.policy", setupRemedy, "can't read the token's capabilities: %s", oneLine(err))
		return
	}

	before := len(e.findings)

	if excess := can.hasOf(never); len(excess) > 0 {
		e.fail("vault.policy", setupRemedy, "the token can %s, which no service may do", strings.Join(excess, ", "))
	}

	e.judge(can, tokens, logout, making)

	if len(e.findings) == before || e.findings[len(e.findings)-1].Result == Fail {
		return
	}

	var signs []signing.Algorithm
	if len(can.lacks(tokens)) == 0 {
		signs = append(signs, e.tokenAlgorithms()...)
	}

	if len(can.lacks(logout)) == 0 {
		signs = append(signs, e.logoutAlgorithms()...)
	}

	if len(signs) > 0 {
		e.sign(ctx, client, signs)
	}
}

// judge finds the service that the token suits. Each service has one of three sets of
// rights, and none of another's.
func (e *examination) judge(can powers, tokens, logout, making []right) {
	cannotSign, cannotTell, cannotMake := can.lacks(tokens), can.lacks(logout), can.lacks(making)
	service := e.Service
	switch {
	case service == "keys" || service == "token" || service == "session":
	case len(cannotSign)+len(cannotTell)+len(cannotMake) == 0:
		e.ok("vault.policy",
			"the token can create keys and sign with all of them: right for `platform up`, too much for a single service")
		return
	case len(cannotSign) == 0:
		service = "token"
	case len(cannotTell) == 0:
		service = "session"
	case len(cannotMake) == 0:
		service = "keys"
	default:
		e.fail("vault.policy", setupRemedy, "the token fits no service: it can't %s",
			strings.Join(slices.Concat(cannotSign, cannotTell, cannotMake), ", "))
		return
	}

	switch service {
	case "keys":
		e.must(service, cannotMake, can.hasOf(slices.Concat(tokens, logout)))
	case "token":
		e.must(service, cannotSign, can.hasOf(slices.Concat(making, logout)))
	default:
		e.must(service, cannotTell, can.hasOf(slices.Concat(making, tokens)))
	}
}

// must reports a finding on whether a service can do its work and nothing else.
func (e *examination) must(service string, lacking, beyond []string) {
	switch {
	case len(lacking) > 0:
		e.fail("vault.policy", setupRemedy, "%s needs a token that can %s", service, strings.Join(lacking, ", "))
	case len(beyond) > 0:
		e.fail("vault.policy", setupRemedy, "%s must not have a token that can %s", service,
			strings.Join(beyond, ", "))
	default:
		e.ok("vault.policy", "the token can do what %s needs, and nothing else that was checked", service)
	}
}

// tokenAlgorithms returns the algorithms that sign access tokens and ID tokens: the
// platform's own two and those that applications ask for.
func (e *examination) tokenAlgorithms() []signing.Algorithm {
	all := append([]signing.Algorithm{e.Signing.AccessTokenAlg, e.Signing.IDTokenAlg}, e.wanted...)
	all = slices.DeleteFunc(all, signing.Algorithm.ForLogout)
	slices.Sort(all)
	return slices.Compact(all)
}

// logoutAlgorithms returns the algorithms that sign logout tokens.
func (e *examination) logoutAlgorithms() []signing.Algorithm {
	all := append([]signing.Algorithm{e.Signing.IDTokenAlg.Logout()}, e.wanted...)
	all = slices.DeleteFunc(all, func(alg signing.Algorithm) bool { return !alg.ForLogout() })
	slices.Sort(all)
	return slices.Compact(all)
}

func (e *examination) keyName(alg signing.Algorithm) string {
	return e.Signing.Vault.KeyPrefix + "-" + strings.ToLower(string(alg))
}

func (e *examination) signRights(algorithms []signing.Algorithm) (rights []right) {
	for _, alg := range algorithms {
		name := e.keyName(alg)
		rights = append(rights,
			right{e.Signing.Vault.TransitMount + "/sign/" + name, []string{"update"}, "sign with " + name})
	}
	return rights
}

func (e *examination) keysRights() (rights []right) {
	for _, alg := range slices.Concat(e.tokenAlgorithms(), e.logoutAlgorithms()) {
		name := e.keyName(alg)
		path := e.Signing.Vault.TransitMount + "/keys/" + name
		rights = append(
			rights,
			right{path, []string{"create", "update"}, "create " + name},
			right{path, []string{"read"}, "read " + name},
			right{path + "/rotate", []string{"create", "update"}, "rotate " + name},
		)
	}

	return rights
}

// neverRights returns rights that only an operator of Vault needs.
func (e *examination) neverRights() []right {
	mount, name := e.Signing.Vault.TransitMount, e.keyName(e.Signing.AccessTokenAlg)
	some := []string{"create", "update", "read", "delete", "list", "patch", "sudo"}
	return []right{
		{mount + "/keys/" + name, []string{"delete"}, "delete " + name},
		{mount + "/keys/" + name + "/config", some, "configure " + name},
		{mount + "/keys/" + name + "/trim", some, "remove versions of " + name},
		{mount + "/export/signing-key/" + name, some, "export " + name},
		{mount + "/backup/" + name, some, "back up " + name},
		{mount + "/restore/" + name, some, "restore " + name},
		{mount + "/keys/" + name + "/import", some, "import " + name},
		{mount + "/keys/" + name + "-doctor", some, "use keys that don't belong to the platform"},
		{mount + "/sign/" + name + "-doctor", some, "sign with keys that don't belong to the platform"},
		{"auth/token/create", some, "create tokens"},
		{"sys/policies/acl/" + e.Signing.Vault.KeyPrefix + "-token", some, "change policies"},
		{"sys/mounts/" + mount, some, "change mounts"},
		{"sys/auth/approle", some, "change logins"},
		{"sys/seal", some, "seal Vault"},
		{"sys/raw/core/keyring", some, "read the storage"},
	}
}

// capabilities asks Vault what the client's own token may do at the paths.
func capabilities(ctx context.Context, client *api.Client, rights []right) (powers, error) {
	paths := make([]string, len(rights))
	for i, r := range rights {
		paths[i] = r.path
	}

	answer, err := client.Logical().WriteWithContext(ctx, "sys/capabilities-self", map[string]any{"paths": paths})
	if err != nil {
		return nil, err
	}

	if answer == nil {
		return nil, errors.New("an empty answer")
	}

	can := powers{}
	for _, path := range paths {
		list, _ := answer.Data[path].([]any)
		if list == nil {
			return nil, fmt.Errorf("no capabilities for %s", path)
		}

		can[path] = nil
		for _, c := range list {
			can[path] = append(can[path], fmt.Sprint(c))
		}
	}

	return can, nil
}

// oneLine formats an error of Vault's client, which spans several lines, on one line.
func oneLine(err error) string {
	var answer *api.ResponseError
	if errors.As(err, &answer) {
		return fmt.Sprintf("status %d: %s", answer.StatusCode,
			strings.Join(strings.Fields(strings.Join(answer.Errors, "; ")), " "))
	}
	return strings.Join(strings.Fields(err.Error()), " ")
}
