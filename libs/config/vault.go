package config

import (
	"fmt"
	"regexp"
)

// relations returns the rules for a process that signs with Vault.
func (v *Vault) relations() []relation {
	list := []relation{{
		[]string{"VAULT_ADDR", "PLATFORM_SIGNING_BACKEND"},
		v.Address == "",
		"missing; set it to Vault's address, for example to https://vault.example.com:8200",
	}}

	one := func(value, file string, given, fileGiven bool) relation {
		message := "missing; with PLATFORM_VAULT_AUTH=" + v.Auth + ", set it or " + file
		if given {
			message = "is set, but " + file + " is also set; remove one of them"
		}
		return relation{[]string{value, file, "PLATFORM_VAULT_AUTH"}, given == fileGiven, message}
	}
	switch v.Auth {
	case "token":
		list = append(list, one("VAULT_TOKEN", "PLATFORM_VAULT_TOKEN_FILE", v.Token != "", v.TokenFile != ""))
	case "approle":
		list = append(list,
			one("PLATFORM_VAULT_SECRET_ID", "PLATFORM_VAULT_SECRET_ID_FILE", v.SecretID != "", v.SecretIDFile != ""))
	}

	return append(list, relation{
		[]string{"PLATFORM_VAULT_ROLE", "PLATFORM_VAULT_AUTH"},
		v.Auth != "token" && v.Role == "",
		"missing; PLATFORM_VAULT_AUTH=" + v.Auth + " needs the name of a role",
	})
}

var (
	vaultPath   = regexp.MustCompile(`^([A-Za-z0-9_-][A-Za-z0-9_.-]*(/[A-Za-z0-9_-][A-Za-z0-9_.-]*)*)?$`)
	transitName = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_])?$`)
)

func checkVaultPath(raw string) string {
	if !vaultPath.MatchString(raw) {
		return fmt.Sprintf("%q is not a mount path; omit leading and trailing slashes", raw)
	}
	return ""
}

func checkTransitName(raw string) string {
	if !transitName.MatchString(raw) {
		return fmt.Sprintf("%q is not a valid prefix of a transit key's name; use letters, digits, hyphens, dots and underscores", raw)
	}
	return ""
}
