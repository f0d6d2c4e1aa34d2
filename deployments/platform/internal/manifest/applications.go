package manifest

import (
	"bytes"
	"context"
	"reflect"
	"slices"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

func (a *applier) applyApplications(ctx context.Context) error {
	have, err := a.w.Applications(ctx)
	if err != nil {
		return err
	}
	byID := map[string]*directory.Application{}
	for _, app := range have {
		byID[app.ClientID] = app
	}
	for i := range a.doc.Applications {
		app := &a.doc.Applications[i]
		if err := a.applyApplication(ctx, app, byID[app.ClientID]); err != nil {
			return err
		}
		delete(byID, app.ClientID)
	}
	if !a.opts.Prune || a.doc.Applications == nil {
		return nil
	}
	for _, app := range have {
		if byID[app.ClientID] == nil || !app.Active {
			continue
		}
		if err := a.w.DisableApplication(ctx, app.ClientID, a.at); err != nil {
			return err
		}
		if err := a.disabled(ctx, "application", app.ClientID, audit.Event{ClientID: app.ClientID, TenantID: app.TenantID}); err != nil {
			return err
		}
	}
	return nil
}

func (a *applier) applyApplication(ctx context.Context, file *Application, old *directory.Application) error {
	want := a.application(file)
	existed := old != nil
	if !existed {
		old = &directory.Application{}
	}
	old.JWKS = canonicalKeys(old.JWKS)
	changed := diff(differences(old, want))
	secrets, generated, err := a.clientSecrets(file, old.Secrets)
	if err != nil {
		return err
	}
	newSecrets := !reflect.DeepEqual(secrets, old.Secrets)
	changed.field("client_secret", !newSecrets)
	change, err := a.change(existed, "application", want.ClientID, changed)
	if change == nil {
		return err
	}
	if err := a.w.SaveApplication(ctx, want, a.at); err != nil {
		return err
	}
	if newSecrets {
		if err := a.w.SetSecrets(ctx, want.ClientID, secrets, a.at); err != nil {
			return err
		}
	}
	if generated != "" && !a.opts.DryRun {
		a.report.Secrets = append(a.report.Secrets, Secret{ClientID: want.ClientID, Secret: generated})
	}
	return a.record(ctx, *change, audit.Event{ClientID: want.ClientID, TenantID: want.TenantID})
}

// application is what the file says, in the directory's words.
func (a *applier) application(f *Application) *directory.Application {
	app := &directory.Application{
		ClientID: f.ClientID, Name: f.Name, Type: directory.ApplicationType(f.Type), ScopeLevel: directory.ScopeLevel(f.ScopeLevel),
		TenantID: a.tenants[f.Tenant], RedirectURIs: f.RedirectURIs, PostLogoutRedirectURIs: f.PostLogoutRedirectURIs,
		BackchannelLogoutURI: f.BackchannelLogoutURI, Scopes: f.Scopes, Audiences: f.Audiences, DefaultAudience: f.DefaultAudience,
		ResourcesServed: f.ResourcesServed, FirstParty: f.FirstParty, AllowLocalhostRedirect: f.AllowLocalhostRedirect,
		IDTokenClaims: f.IDTokenClaims, DeviceRequiresAuth: f.DeviceRequiresAuth,
		TokenEndpointAudience: f.TokenEndpointAudience, AccessTokenAlg: f.AccessTokenAlg, IDTokenAlg: f.IDTokenAlg,
		AccessTokenTTL: time.Duration(f.AccessTokenTTL), RefreshTokenTTL: time.Duration(f.RefreshTokenTTL),
		RefreshIdleTTL: time.Duration(f.RefreshIdleTTL), CORSOrigins: f.CORSOrigins, JWKS: canonicalKeys(f.JWKS), JWKSURI: f.JWKSURI, Active: true,
		Development: f.Development, InitiateLoginURI: f.InitiateLoginURI,
	}
	for _, name := range f.Grants {
		app.Grants = append(app.Grants, grantNames[name])
	}
	if f.RefreshGrace != nil {
		grace := time.Duration(*f.RefreshGrace)
		app.RefreshGrace = &grace
	}
	return app
}

// differences names the fields that differ, as the file spells them. Every field
// of directory.Application is compared, so that a new one cannot be forgotten; a
// test holds fileNames against them.
func differences(old, want *directory.Application) []string {
	var names []string
	o, w := reflect.ValueOf(*old), reflect.ValueOf(*want)
	for i := range o.NumField() {
		name := o.Type().Field(i).Name
		if name == "Secrets" || name == "ClientID" {
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

// fileNames spells directory.Application's fields as the file does.
var fileNames = map[string]string{
	"Name": "name", "Type": "type", "ScopeLevel": "scope_level", "TenantID": "tenant", "RedirectURIs": "redirect_uris",
	"PostLogoutRedirectURIs": "post_logout_redirect_uris", "BackchannelLogoutURI": "backchannel_logout_uri", "Grants": "grants",
	"Scopes": "scopes", "Audiences": "audiences", "DefaultAudience": "default_audience", "ResourcesServed": "resources_served",
	"FirstParty": "first_party", "AllowLocalhostRedirect": "allow_localhost_redirect", "IDTokenClaims": "id_token_claims",
	"DeviceRequiresAuth": "device_requires_auth", "TokenEndpointAudience": "token_endpoint_audience", "AccessTokenAlg": "access_token_alg", "IDTokenAlg": "id_token_alg",
	"AccessTokenTTL": "access_token_ttl", "RefreshTokenTTL": "refresh_token_ttl", "RefreshIdleTTL": "refresh_idle_ttl",
	"RefreshGrace": "refresh_grace", "CORSOrigins": "cors_origins", "JWKS": "jwks", "JWKSURI": "jwks_uri", "Active": "enabled",
	"Development": "development", "InitiateLoginURI": "initiate_login_uri",
}

// clientSecrets is what the application's secrets shall be. A secret in the file
// is the only one; none in the file keeps those there are, or generates one for
// an application that can keep it and has none. One with keys of its own has none.
func (a *applier) clientSecrets(f *Application, old []directory.ApplicationSecret) (secrets []directory.ApplicationSecret, generated string, err error) {
	var hash []byte
	switch secret := f.ClientSecret; {
	case public(f), keyed(f):
		return nil, "", nil
	case f.ClientSecretHash != "":
		hash, err = decodeHash(f.ClientSecretHash)
	case secret != "":
		hash = oauth.HashSecret(secret)
	case a.secrets[f.ClientID] != "":
		hash = oauth.HashSecret(a.secrets[f.ClientID])
	case slices.ContainsFunc(old, func(s directory.ApplicationSecret) bool { return s.ExpiresAt.IsZero() || s.ExpiresAt.After(a.at) }):
		return old, "", nil
	default:
		generated, err = oauth.NewSecret(a.opts.Random)
		hash = oauth.HashSecret(generated)
	}
	if err != nil {
		return nil, "", err
	}
	if i := slices.IndexFunc(old, func(s directory.ApplicationSecret) bool { return bytes.Equal(s.Hash, hash) }); i >= 0 && old[i].ExpiresAt.IsZero() {
		return old[i : i+1 : i+1], "", nil
	}
	id, err := a.id("sec_")
	if err != nil {
		return nil, "", err
	}
	return []directory.ApplicationSecret{{ID: id, Hash: hash}}, generated, nil
}
