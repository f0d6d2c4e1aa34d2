package manifest

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/directory/registration"
	"github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// applyApplications makes the applications match the file, a batch at a time.
func (a *applier) applyApplications(ctx context.Context) error {
	for some := range slices.Chunk(a.doc.Applications, a.opts.Batch) {
		if err := a.write(ctx, func(b *batch) error { return b.applications(ctx, some) }); err != nil {
			return err
		}
	}
	return nil
}

func (b *batch) applications(ctx context.Context, some []Application) error {
	have, err := b.r.Applications(ctx)
	if err != nil {
		return err
	}

	byID := map[string]*directory.Application{}
	for _, app := range have {
		byID[app.ClientID] = app
	}

	ids := make([]string, len(some))
	for i := range some {
		ids[i] = some[i].ClientID
	}

	marks, err := b.r.Marks(ctx, sqlstore.KindApplication, ids)
	if err != nil {
		return err
	}

	for i := range some {
		if err := b.application(ctx, &some[i], byID[some[i].ClientID], marks); err != nil {
			return err
		}
	}

	return nil
}

func (b *batch) application(
	ctx context.Context, file *Application, old *directory.Application, marks sqlstore.Marks,
) error {
	want := file.application(b.applier.tenants[file.Tenant])
	existed := old != nil
	if !existed {
		old = &directory.Application{Active: true}
	}

	old.JWKS = canonicalKeys(old.JWKS)

	s := subject{
		kind:    sqlstore.KindApplication,
		id:      want.ClientID,
		name:    want.ClientID,
		existed: existed,
		active:  old.Active,
		said:    file.Enabled,
	}

	enabled, err := b.enabled(ctx, s, marks)
	if err != nil {
		return err
	}

	secrets, err := b.clientSecrets(file, want, old.Secrets, marks)
	if err != nil {
		return err
	}

	b.conflict(s.kind, s.name, "client_secret", secrets.conflict)

	fields := diff(differences(old, want))
	fields.field("client_secret", !secrets.changed)
	change, err := b.change(existed, s.kind, s.name, fields, enabled)
	if err != nil || b.w == nil {
		return err
	}

	if change != nil {
		if err := b.saveApplication(ctx, want, secrets); err != nil {
			return err
		}
		if err := b.flip(ctx, s, enabled); err != nil {
			return err
		}
		if err := b.record(ctx, *change, audit.Event{ClientID: want.ClientID, TenantID: want.TenantID}); err != nil {
			return err
		}
	}

	if secrets.mark != "" {
		return b.mark(ctx, s.kind, s.id, sqlstore.FieldSecret, secrets.mark)
	}

	return nil
}

func (b *batch) saveApplication(ctx context.Context, want *directory.Application, secrets secretChange) error {
	if err := b.w.SaveApplication(ctx, want, b.at); err != nil {
		return err
	}

	if secrets.changed {
		if err := b.w.SetSecrets(ctx, want.ClientID, secrets.secrets, b.at); err != nil {
			return err
		}
	}

	if secrets.generated != "" {
		b.out.Secrets = append(b.out.Secrets, Secret{ClientID: want.ClientID, Secret: secrets.generated})
	}

	return nil
}

// application converts an application of the file to a directory.Application. A name that isn't
// a grant type stays as it is, for the checker to refuse.
func (f *Application) application(tenantID string) *directory.Application {
	app := &directory.Application{
		ClientID:               f.ClientID,
		Name:                   f.Name,
		Type:                   directory.ApplicationType(f.Type),
		ScopeLevel:             directory.ScopeLevel(f.ScopeLevel),
		TenantID:               tenantID,
		RedirectURIs:           f.RedirectURIs,
		PostLogoutRedirectURIs: f.PostLogoutRedirectURIs,
		BackchannelLogoutURI:   f.BackchannelLogoutURI,
		Scopes:                 f.Scopes,
		Audiences:              f.Audiences,
		DefaultAudience:        f.DefaultAudience,
		ResourcesServed:        f.ResourcesServed,
		FirstParty:             f.FirstParty,
		AllowLocalhostRedirect: f.AllowLocalhostRedirect,
		IDTokenClaims:          f.IDTokenClaims,
		DeviceRequiresAuth:     f.DeviceRequiresAuth,
		TokenEndpointAudience:  f.TokenEndpointAudience,
		AccessTokenAlg:         f.AccessTokenAlg,
		IDTokenAlg:             f.IDTokenAlg,
		AccessTokenTTL:         time.Duration(f.AccessTokenTTL),
		RefreshTokenTTL:        time.Duration(f.RefreshTokenTTL),
		RefreshIdleTTL:         time.Duration(f.RefreshIdleTTL),
		CORSOrigins:            f.CORSOrigins,
		JWKS:                   canonicalKeys(f.JWKS),
		JWKSURI:                f.JWKSURI,
		AllowUndottedSchemes:   f.AllowUndottedSchemes,
		Development:            f.Development,
		InitiateLoginURI:       f.InitiateLoginURI,
	}
	for _, name := range f.Grants {
		grant, known := oauth.ParseGrantName(name)
		if !known {
			grant = oauth.GrantType(name)
		}
		app.Grants = append(app.Grants, grant)
	}

	if f.RefreshGrace != nil {
		grace := time.Duration(*f.RefreshGrace)
		app.RefreshGrace = &grace
	}

	return app
}

// differences returns the names of the fields that differ, spelled as in the file. It
// compares every field of directory.Application, so that a new one can't be forgotten; a
// test checks that fileNames has them all. Enabled and the secrets have rules of their own.
func differences(old, want *directory.Application) []string {
	var names []string
	o, w := reflect.ValueOf(*old), reflect.ValueOf(*want)
	for i := range o.NumField() {
		name := o.Type().Field(i).Name
		if name == "Secrets" || name == "ClientID" || name == "Active" {
			continue
		}

		x, y := o.Field(i), w.Field(i)
		empty := x.Kind() == reflect.Slice && x.Len() == 0 && y.Len() == 0
		if !empty && !reflect.DeepEqual(x.Interface(), y.Interface()) {
			names = append(names, fileNames[name])
		}
	}

	return names
}

// fileNames maps the fields of directory.Application to the file's spelling.
var fileNames = map[string]string{
	"Name":                   "name",
	"Type":                   "type",
	"ScopeLevel":             "scope_level",
	"TenantID":               "tenant",
	"RedirectURIs":           "redirect_uris",
	"PostLogoutRedirectURIs": "post_logout_redirect_uris",
	"BackchannelLogoutURI":   "backchannel_logout_uri",
	"Grants":                 "grants",
	"Scopes":                 "scopes",
	"Audiences":              "audiences",
	"DefaultAudience":        "default_audience",
	"ResourcesServed":        "resources_served",
	"FirstParty":             "first_party",
	"AllowLocalhostRedirect": "allow_localhost_redirect",
	"IDTokenClaims":          "id_token_claims",
	"DeviceRequiresAuth":     "device_requires_auth",
	"TokenEndpointAudience":  "token_endpoint_audience",
	"AccessTokenAlg":         "access_token_alg",
	"IDTokenAlg":             "id_token_alg",
	"AccessTokenTTL":         "access_token_ttl",
	"RefreshTokenTTL":        "refresh_token_ttl",
	"RefreshIdleTTL":         "refresh_idle_ttl",
	"RefreshGrace":           "refresh_grace",
	"CORSOrigins":            "cors_origins",
	"JWKS":                   "jwks",
	"JWKSURI":                "jwks_uri",
	"AllowUndottedSchemes":   "allow_undotted_schemes",
	"Development":            "development",
	"InitiateLoginURI":       "initiate_login_uri",
}

// secretChange says what happens to an application's secrets.
type secretChange struct {
	changed   bool
	secrets   []directory.ApplicationSecret // the new secrets, if they change
	generated string                        // to be printed
	mark      string                        // the id of the secret that apply sets, or that matches the file already
	conflict  string                        // why the secrets stay, although the file says otherwise
}

// clientSecrets decides what the application's secrets become. A secret in the file becomes
// the only one, unless a command has set another since apply set its own. If the file has
// none, the existing secrets stay, or one is generated for a confidential application that
// has none. An application with keys of its own has no secret.
func (b *batch) clientSecrets(
	f *Application, want *directory.Application, old []directory.ApplicationSecret, marks sqlstore.Marks,
) (c secretChange, err error) {
	if want.Public() || registration.Keyed(want) {
		c.changed = len(old) > 0
		return c, nil
	}

	hash, err := b.secretHash(f)
	if err != nil {
		return c, err
	}

	mine, _ := marks.Of(f.ClientID, sqlstore.FieldSecret, sqlstore.ByApply)
	foreign := false // a secret that apply didn't set, or whose life a command has limited
	for _, s := range old {
		if hash != nil && bytes.Equal(s.Hash, hash) && s.ExpiresAt.IsZero() {
			if mine != s.ID {
				c.mark = s.ID
			}
			return c, nil
		}

		if s.ExpiresAt.IsZero() || s.ExpiresAt.After(b.at) {
			if hash == nil {
				return c, nil
			}
			foreign = foreign || s.ID != mine || !s.ExpiresAt.IsZero()
		}
	}

	if foreign && !b.opts.Overrule {
		c.conflict = "it was set or replaced by something other than apply"
		return c, nil
	}

	if hash == nil {
		if c.generated, err = oauth.NewSecret(b.opts.Random); err != nil {
			return c, err
		}
		hash = oauth.HashSecret(c.generated)
	}

	if c.mark, err = b.id("sec_"); err != nil {
		return c, err
	}

	c.changed, c.secrets = true, []directory.ApplicationSecret{{ID: c.mark, Hash: hash}}
	return c, nil
}

// secretHash returns the hash of the secret in the file, or nil if there is none.
func (a *applier) secretHash(f *Application) ([]byte, error) {
	switch fromFile := a.secrets[f.ClientID]; {
	case f.ClientSecretHash != "":
		return decodeHash(f.ClientSecretHash)
	case f.ClientSecret != "":
		return oauth.HashSecret(f.ClientSecret), nil
	case fromFile != "":
		return oauth.HashSecret(fromFile), nil
	}
	return nil, nil
}
