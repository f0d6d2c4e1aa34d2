package manifest

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/registration"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// maxSecret bounds what is read from a secret file, in bytes.
const maxSecret = 4096

// applications checks each application by the rules of registration, and for what only a file
// can get wrong.
func (c *checker) applications() {
	ids := map[string]bool{}
	for i := range c.doc.Applications {
		f, at := &c.doc.Applications[i], fmt.Sprintf("applications[%d]", i)
		a := f.application(f.Tenant)
		if f.JWKS != nil && a.JWKS == nil { // it can't be written as JSON
			a.JWKS = json.RawMessage("null")
		}

		problems := registration.Check(registration.Request{
			Application: a,
			HasSecret:   f.secrets() > 0,
			Given:       func(field string) bool { return c.has(at + "." + field) },
		}, c.rules)
		for _, p := range problems {
			c.refuse(at+"."+p.Field, "%s", p.Reason)
		}

		misnamed := slices.ContainsFunc(problems, func(p registration.Problem) bool { return p.Field == "client_id" })
		if ids[f.ClientID] && !misnamed {
			c.refuse(at+".client_id", "application %q stands here a second time", f.ClientID)
		}

		ids[f.ClientID] = true

		c.lookAlike(at+".name", f.Name)
		c.secret(f, a, at)
		c.grants(f, at)
	}
}

// grants checks the file's names of grant types.
func (c *checker) grants(f *Application, at string) {
	for i, name := range f.Grants {
		if _, ok := oauth.ParseGrantName(name); !ok {
			c.refuse(fmt.Sprintf("%s.grants[%d]", at, i), "%q is not a grant: %s",
				name, strings.Join(oauth.GrantNames(), ", "))
		}
	}

	c.twice(at+".grants", f.Grants)
}

// secrets returns how many client secrets the file gives an application.
func (f *Application) secrets() int {
	given := 0
	for _, s := range []string{f.ClientSecret, f.ClientSecretFile, f.ClientSecretHash} {
		if s != "" {
			given++
		}
	}
	return given
}

func (c *checker) secret(f *Application, a *directory.Application, at string) {
	refusal := registration.SecretRefusal(a)
	switch given := f.secrets(); {
	case given > 1:
		c.refuse(at+".client_secret", "give one of client_secret, client_secret_file and client_secret_hash")
	case given > 0 && refusal != "":
		c.refuse(at+".client_secret", "%s", refusal)
	case f.ClientSecret != "":
		c.strength(at+".client_secret", f.ClientSecret)
	case f.ClientSecretFile != "":
		c.secretFile(f, at+".client_secret_file")
	case f.ClientSecretHash != "":
		if _, err := decodeHash(f.ClientSecretHash); err != nil {
			c.refuse(at+".client_secret_hash", "%v", err)
		}
	}
}

// secretFile reads a secret from its file, before anything is written.
func (c *checker) secretFile(a *Application, path string) {
	f, err := os.Open(a.ClientSecretFile)
	if err != nil {
		c.refuse(path, "cannot be read: %v", err)
		return
	}

	defer func() { _ = f.Close() }()
	content, err := io.ReadAll(io.LimitReader(f, maxSecret+1))
	secret := strings.TrimRight(string(bytes.TrimPrefix(content, byteOrderMark)), "\r\n")
	switch {
	case err != nil:
		c.refuse(path, "cannot be read: %v", err)
	case secret == "":
		c.refuse(path, "names an empty file: write the secret to it")
	case len(secret) > maxSecret:
		c.refuse(path, "names a file of more than %d bytes, which can't be a secret", maxSecret)
	default:
		c.strength(path, secret)
		c.secrets[a.ClientID] = secret
	}
}

func (c *checker) strength(path, secret string) {
	if reason := c.rules.WeakSecret(secret); reason != "" {
		c.refuse(path, "%s", reason)
	}
}

// decodeHash decodes "sha256:" followed by 64 hexadecimal digits.
func decodeHash(s string) ([]byte, error) {
	digits, ok := strings.CutPrefix(s, "sha256:")
	hash, err := hex.DecodeString(digits)
	if !ok || err != nil || len(hash) != 32 {
		return nil, errors.New("must be sha256: and the 64 hexadecimal digits of the secret's SHA-256")
	}
	return hash, nil
}
