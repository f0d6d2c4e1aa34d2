package vault_test

import (
	"errors"
	"net/http"
	"path"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/vault/api"
	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// keyTypes maps each algorithm's transit key to its type.
var keyTypes = map[string]string{
	"platform-rs256":        "rsa-2048",
	"platform-ps256":        "rsa-2048",
	"platform-es256":        "ecdsa-p256",
	"platform-eddsa":        "ed25519",
	"platform-logout-rs256": "rsa-2048",
	"platform-logout-ps256": "rsa-2048",
	"platform-logout-es256": "ecdsa-p256",
	"platform-logout-eddsa": "ed25519",
}

// request is what a token might try.
type request struct {
	method, path string
	body         map[string]any
}

func (r request) String() string { return r.method + " " + r.path }

func do(t *testing.T, client *api.Client, r request) error {
	t.Helper()
	var err error
	switch vault := client.Logical(); r.method {
	case "READ":
		_, err = vault.ReadWithContext(t.Context(), r.path)
	case "LIST":
		_, err = vault.ListWithContext(t.Context(), r.path)
	case "WRITE":
		_, err = vault.WriteWithContext(t.Context(), r.path, r.body)
	case "DELETE":
		_, err = vault.DeleteWithContext(t.Context(), r.path)
	default:
		require.Fail(t, "unknown method", r)
	}

	return err
}

func refused(err error) bool {
	var answer *api.ResponseError
	return errors.As(err, &answer) && answer.StatusCode == http.StatusForbidden
}

// mayDo lists which of the attempts each service may make.
func mayDo() map[string][]string {
	self := []string{"READ auth/token/lookup-self", "WRITE auth/token/renew-self", "WRITE sys/capabilities-self"}
	may := map[string][]string{"keys": self, "token": self, "session": self}
	for name := range keyTypes {
		may["keys"] = append(slices.Clone(may["keys"]), "WRITE transit/keys/"+name, "READ transit/keys/"+name,
			"WRITE transit/keys/"+name+"/rotate")
		// A service that signs logout tokens can sign no other token, and the reverse.
		signer := "token"
		if strings.HasPrefix(name, "platform-logout-") {
			signer = "session"
		}

		may[signer] = append(slices.Clone(may[signer]), "WRITE transit/sign/"+name)
	}

	may["up"] = slices.Concat(may["keys"], may["token"], may["session"])
	return may
}

// attempts are the requests that a stolen token would be used for, the service's
// own among them. Those that would end or change the server, should they get
// through, come last.
func attempts() []request {
	digest := map[string]any{"input": "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ=", "prehashed": true}
	names := []string{"platform-other", "platform-es256-2", "other-es256", "platform"}
	for name := range keyTypes {
		names = append(names, name)
	}

	slices.Sort(names)
	var all []request
	for _, name := range names {
		key := "transit/keys/" + name
		kind := keyTypes[name]
		if kind == "" {
			kind = "ecdsa-p256"
		}

		all = append(all,
			request{"WRITE", key, map[string]any{"type": kind}},
			request{"READ", key, nil},
			request{"WRITE", key + "/rotate", nil},
			request{"WRITE", "transit/sign/" + name, digest},
			request{"WRITE", "transit/sign/" + name + "/sha2-256", digest},
			request{"WRITE", "transit/verify/" + name, digest},
			request{"WRITE", "transit/hmac/" + name, digest},
			request{"WRITE", "transit/encrypt/" + name, map[string]any{"plaintext": "QQ=="}},
			request{"WRITE", "transit/decrypt/" + name, map[string]any{"ciphertext": "vault:v1:QQ=="}},
			request{"WRITE", "transit/datakey/plaintext/" + name, nil},
			request{"READ", "transit/export/signing-key/" + name, nil},
			request{"READ", "transit/export/public-key/" + name, nil},
			request{"READ", "transit/backup/" + name, nil},
			request{"WRITE", key + "/import", map[string]any{"ciphertext": "QQ==", "type": "ecdsa-p256"}},
			request{"WRITE", key + "/config", map[string]any{"min_encryption_version": 1}},
			request{"WRITE", key + "/config", map[string]any{"exportable": true}},
			request{"WRITE", key + "/config", map[string]any{"deletion_allowed": true}},
			request{"WRITE", key + "/trim", map[string]any{"min_available_version": 1}},
			request{"DELETE", key + "/soft-delete", nil},
			request{"DELETE", key, nil},
		)
	}

	for _, p := range []string{
		"transit/keys", "auth/approle/role", "auth/kubernetes/role", "sys/policies/acl", "auth/token/accessors",
		"identity/entity/id", "cubbyhole",
	} {
		all = append(all, request{"LIST", p, nil})
	}

	for _, p := range []string{
		"auth/token/lookup-self", "transit/cache-config", "transit/config/keys", "transit/wrapping_key", "sys/mounts",
		"sys/mounts/transit", "sys/auth",
		"sys/policies/acl/platform-keys", "sys/config/cors", "sys/raw/core/keyring", "cubbyhole/x",
		"auth/approle/role/platform-keys/role-id", "sys/leases/count", "identity/entity/id/x",
	} {
		all = append(all, request{"READ", p, nil})
	}

	return append(all,
		request{"WRITE", "auth/token/renew-self", nil},
		request{"WRITE", "sys/capabilities-self", map[string]any{"paths": []string{"transit/keys/platform-es256"}}},
		request{"WRITE", "sys/capabilities", map[string]any{"paths": []string{"sys/seal"}, "token": "x"}},
		request{"WRITE", "cubbyhole/x", map[string]any{"a": "b"}},
		request{"WRITE", "sys/wrapping/wrap", map[string]any{"a": "b"}},
		request{"WRITE", "sys/tools/random/8", nil},
		request{"WRITE", "transit/random/8", nil},
		request{"WRITE", "transit/restore/other", map[string]any{"backup": "QQ=="}},
		request{"WRITE", "auth/token/create", map[string]any{"policies": []string{"platform-keys"}}},
		request{"WRITE", "auth/token/create-orphan", nil},
		request{"WRITE", "auth/token/lookup", map[string]any{"token": "x"}},
		request{"WRITE", "auth/token/revoke", map[string]any{"token": "x"}},
		request{"WRITE", "auth/approle/role/platform-keys/secret-id", nil},
		request{"WRITE", "auth/approle/role/mine", map[string]any{"token_policies": "root"}},
		request{"WRITE", "sys/mounts/other", map[string]any{"type": "transit"}},
		request{"WRITE", "sys/auth/other", map[string]any{"type": "approle"}},
		request{"WRITE", "sys/policies/acl/platform-token", map[string]any{"policy": ""}},
		request{"WRITE", "sys/remount", map[string]any{"from": "transit", "to": "mine"}},
		request{"WRITE", "sys/leases/revoke", map[string]any{"lease_id": "x"}},
		request{"DELETE", "sys/mounts/transit", nil},
		request{"WRITE", "sys/seal", nil},
		request{"WRITE", "auth/token/revoke-self", nil},
	)
}

func TestAServiceMayDoItsWorkAndNothingElse(t *testing.T) {
	server := testkit.OpenBao(t)
	logins := server.SetUp(t, testkit.BaoSetup{Kubernetes: testkit.NewKubernetes(t)})
	makeKeys(t, server)

	for service, may := range mayDo() {
		client := server.Client(t, logins.Token(t, service))
		tried := map[string]bool{}
		for _, r := range attempts() {
			err := do(t, client, r)
			tried[r.String()] = true
			if slices.Contains(may, r.String()) {
				require.NoError(t, err, "%s must be able to %s", service, r)
			} else {
				require.True(t, refused(err), "%s can %s: %v", service, r, err)
			}
		}

		for _, r := range may {
			require.True(t, tried[r], "%s may %s, which was not tried", service, r)
		}
	}
}

// makeKeys creates the platform's keys, and exportable ones that belong to others.
func makeKeys(t *testing.T, server *testkit.BaoServer) {
	t.Helper()
	root := server.Client(t, server.RootToken)
	for name, kind := range keyTypes {
		require.NoError(t, do(t, root, request{"WRITE", "transit/keys/" + name, map[string]any{"type": kind}}))
	}
	for _, name := range []string{"platform-other", "other-es256"} {
		require.NoError(t,
			do(t, root,
				request{"WRITE", "transit/keys/" + name, map[string]any{"type": "ecdsa-p256", "exportable": true}}))
	}
}

func TestAKeyIsMadeOfItsTypeAndNeverLeaves(t *testing.T) {
	server := testkit.OpenBao(t)
	client := server.Client(t, server.SetUp(t, testkit.BaoSetup{}).Token(t, "keys"))
	allowed := func(kind string) map[string]any {
		return map[string]any{"type": kind, "exportable": false, "allow_plaintext_backup": false}
	}
	for name, kind := range keyTypes {
		for _, body := range []map[string]any{
			allowed("aes256-gcm96"),
			allowed("rsa-4096"),
			{"type": kind, "exportable": true},
			{"type": kind, "allow_plaintext_backup": true},
			{"type": kind, "derived": true},
			{"type": kind, "auto_rotate_period": "1h"},
		} {
			require.True(t, refused(do(t, client, request{"WRITE", "transit/keys/" + name, body})), "%s %v", name, body)
		}

		require.NoError(t, do(t, client, request{"WRITE", "transit/keys/" + name, allowed(kind)}))
	}
}

func TestAnotherMountAndPrefixAreAnotherWorld(t *testing.T) {
	server := testkit.OpenBao(t)
	server.SetUp(t, testkit.BaoSetup{})
	makeKeys(t, server)
	logins := server.SetUp(t, testkit.BaoSetup{TransitMount: "signing", KeyPrefix: "acme"})
	keys, token, session := server.Client(t,
		logins.Token(t, "keys")), server.Client(t,
		logins.Token(t, "token")), server.Client(t, logins.Token(t, "session"))
	input := map[string]any{"input": "QQ=="}
	for name, kind := range keyTypes {
		ours := path.Join("signing/keys", strings.Replace(name, "platform", "acme", 1))
		require.NoError(t, do(t, keys, request{"WRITE", ours, map[string]any{"type": kind}}))
		require.NoError(t, do(t, keys, request{"WRITE", ours + "/rotate", nil}))
		signer := token
		if strings.HasPrefix(name, "platform-logout-") {
			signer = session
		}

		require.NoError(t, do(t, signer, request{"WRITE", strings.Replace(ours, "/keys/", "/sign/", 1), input}))

		for _, theirs := range []string{
			"transit/keys/" + name, "transit/keys/" + path.Base(ours), "signing/keys/" + name,
		} {
			require.True(t, refused(do(t, keys, request{"READ", theirs, nil})), theirs)
			require.True(t,
				refused(do(t, signer, request{"WRITE", strings.Replace(theirs, "/keys/", "/sign/", 1), input})), theirs)
		}
	}
}
