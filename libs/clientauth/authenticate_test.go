package clientauth_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/clientauth"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

var now = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func secret(s string, expires time.Time) directory.ApplicationSecret {
	return directory.ApplicationSecret{Hash: oauth.HashSecret(s), ExpiresAt: expires}
}

func application(change func(*directory.Application)) *directory.Application {
	app := &directory.Application{
		ClientID:   "app",
		Type:       directory.Web,
		ScopeLevel: directory.Global,
		Active:     true,
		Secrets: []directory.ApplicationSecret{
			secret("old+secret", now.Add(time.Hour)), secret("new", time.Time{}), secret("gone", now),
		},
	}
	if change != nil {
		change(app)
	}

	return app
}

func TestAuthenticate(t *testing.T) {
	public := func(a *directory.Application) { a.Type, a.Secrets = directory.SPA, nil }
	for name, tt := range map[string]struct {
		app    *directory.Application
		header string
		secret string // in the form, where header is empty
		code   oauth.Code
	}{
		"the right secret in the form":              {app: application(nil), secret: "new"},
		"the right secret by Basic":                 {app: application(nil), header: basic("app:new")},
		"the secret being replaced still counts":    {app: application(nil), secret: "old+secret"},
		"Basic, form-encoded as RFC 6749 2.3.1 has": {app: application(nil), header: basic("app:old%2Bsecret")},
		"Basic, raw as curl sends it":               {app: application(nil), header: basic("app:old+secret")},
		"an expired secret":                         {app: application(nil), secret: "gone", code: oauth.InvalidClient},
		"a wrong secret": {
			app:    application(nil),
			secret: "wrong",
			code:   oauth.InvalidClient,
		},
		"a wrong secret by Basic": {
			app:    application(nil),
			header: basic("app:wrong"),
			code:   oauth.InvalidClient,
		},
		"the form is not decoded twice": {
			app:    application(nil),
			secret: "old%2Bsecret",
			code:   oauth.InvalidClient,
		},
		"a confidential application without secret": {app: application(nil), code: oauth.InvalidClient},
		"an empty Basic secret": {
			app:    application(nil),
			header: basic("app:"),
			code:   oauth.InvalidClient,
		},
		"an application without a secret": {
			app:    application(func(a *directory.Application) { a.Secrets = nil }),
			secret: "x",
			code:   oauth.InvalidClient,
		},
		"a SERVICE application": {
			app:    application(func(a *directory.Application) { a.Type = directory.Service }),
			secret: "new",
		},
		"a public application by name":        {app: application(public)},
		"a public application by empty Basic": {app: application(public), header: basic("app:")},
		"a public application with a secret":  {app: application(public), secret: "x", code: oauth.InvalidClient},
		"a NATIVE application with a secret": {
			app:    application(func(a *directory.Application) { a.Type = directory.Native }),
			secret: "new",
			code:   oauth.InvalidClient,
		},
		"an unknown application":                {secret: "new", code: oauth.InvalidClient},
		"an unknown application without secret": {code: oauth.InvalidClient},
		"a disabled one with the right secret": {
			app:    application(func(a *directory.Application) { a.Active = false }),
			secret: "new",
			code:   oauth.InvalidClient,
		},
		"a disabled public one": {
			app:  application(func(a *directory.Application) { public(a); a.Active = false }),
			code: oauth.InvalidClient,
		},
		"a TENANT application that proved itself": {
			app:    application(func(a *directory.Application) { a.ScopeLevel = directory.TenantScoped }),
			secret: "new",
			code:   oauth.UnauthorizedClient,
		},
		"a TENANT application that did not": {
			app:    application(func(a *directory.Application) { a.ScopeLevel = directory.TenantScoped }),
			secret: "x",
			code:   oauth.InvalidClient,
		},
	} {
		t.Run(name, func(t *testing.T) {
			var headers []string
			if tt.header != "" {
				headers = []string{tt.header}
			}

			credentials, err := clientauth.Parse(headers, "app", tt.secret)
			require.NoError(t, err)
			err = clientauth.Authenticate(tt.app, credentials, now)
			if tt.code == "" {
				require.NoError(t, err)
				return
			}

			requireRefusal(t, err, tt.code, tt.header != "" && tt.code == oauth.InvalidClient)

			if tt.code == oauth.InvalidClient {
				require.EqualError(t, err, "invalid_client: client authentication failed",
					"whatever was wrong, the words are the same")
			}
		})
	}
}
