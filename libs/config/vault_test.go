package config

import (
	"maps"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/signing/vaulttransit"
)

func TestVaultNeedsToKnowWhereItIsAndHowToLogIn(t *testing.T) {
	const elsewhere = "https://vault.example.com:8200"
	for name, c := range map[string]struct {
		env  map[string]string
		want map[string]string // variable → part of the problem
	}{
		"nothing": {nil, map[string]string{"VAULT_ADDR": "missing", "VAULT_TOKEN": "PLATFORM_VAULT_TOKEN_FILE"}},
		"two tokens": {
			map[string]string{"VAULT_ADDR": elsewhere, "VAULT_TOKEN": "t", "PLATFORM_VAULT_TOKEN_FILE": "/token"},
			map[string]string{"VAULT_TOKEN": "remove one of them"},
		},
		"approle": {
			map[string]string{"VAULT_ADDR": elsewhere, "PLATFORM_VAULT_AUTH": "approle"},
			map[string]string{"PLATFORM_VAULT_ROLE": "needs the name of a role", "PLATFORM_VAULT_SECRET_ID": "missing"},
		},
		"kubernetes": {
			map[string]string{"VAULT_ADDR": elsewhere, "PLATFORM_VAULT_AUTH": "kubernetes"},
			map[string]string{"PLATFORM_VAULT_ROLE": "needs the name of a role"},
		},
		"names that leave their place": {
			map[string]string{
				"VAULT_ADDR":                   "vault:8200",
				"VAULT_TOKEN":                  "t",
				"PLATFORM_VAULT_TRANSIT_MOUNT": "/a/../b",
				"PLATFORM_VAULT_KEY_PREFIX":    "a/b",
				"PLATFORM_VAULT_AUTH_MOUNT":    "x/",
			},
			map[string]string{
				"VAULT_ADDR":                   "http",
				"PLATFORM_VAULT_TRANSIT_MOUNT": "mount",
				"PLATFORM_VAULT_KEY_PREFIX":    "transit key's name",
				"PLATFORM_VAULT_AUTH_MOUNT":    "mount",
			},
		},
		"a timeout that no request lives to see": {
			map[string]string{
				"VAULT_ADDR":                     elsewhere,
				"VAULT_TOKEN":                    "t",
				"PLATFORM_VAULT_TIMEOUT":         "2s",
				"PLATFORM_HTTP_REQUEST_DEADLINE": "2s",
			},
			map[string]string{"PLATFORM_VAULT_TIMEOUT": "less than PLATFORM_HTTP_REQUEST_DEADLINE"},
		},
		"in order, by token": {map[string]string{"VAULT_ADDR": elsewhere, "PLATFORM_VAULT_TOKEN_FILE": "/token"}, nil},
		"in order, by approle": {map[string]string{
			"VAULT_ADDR":               elsewhere,
			"PLATFORM_VAULT_AUTH":      "approle",
			"PLATFORM_VAULT_ROLE":      "r",
			"PLATFORM_VAULT_SECRET_ID": "s",
		}, nil},
		"in order, by kubernetes": {
			map[string]string{"VAULT_ADDR": elsewhere, "PLATFORM_VAULT_AUTH": "kubernetes", "PLATFORM_VAULT_ROLE": "r"},
			nil,
		},
	} {
		t.Run(name, func(t *testing.T) {
			env := map[string]string{"PLATFORM_SIGNING_BACKEND": "vault"}
			maps.Copy(env, c.env)
			found := problems(t, &everything{}, LoadOptions{Environ: environ(valid(), env)})
			require.Len(t, found, len(c.want), "%v", found)
			for variable, part := range c.want {
				require.Contains(t, found[variable], part)
			}
		})
	}

	local := problems(t, &everything{},
		LoadOptions{Environ: environ(valid(), map[string]string{"PLATFORM_VAULT_AUTH": "approle"})})
	require.Empty(t, local, "Vault isn't configured")
}

func TestTheDefaultsOfVaultAreThoseOfItsEngine(t *testing.T) {
	var cfg everything
	require.NoError(t, Load(&cfg, LoadOptions{Environ: environ(valid())}))
	v := cfg.Signing.Vault
	require.Equal(t, vaulttransit.DefaultRSA, vaulttransit.Limits{Batch: v.RSABatch, Slots: v.RSASlots})
	require.Equal(t, vaulttransit.DefaultEC, vaulttransit.Limits{Batch: v.ECBatch, Slots: v.ECSlots})
	require.Equal(t, vaulttransit.DefaultQueue, v.Queue)
	require.Equal(t, vaulttransit.DefaultTimeout, v.Timeout)
}
