package sqlstore

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// Applications reads applications.
type Applications struct {
	db      *database.DB
	secrets bool
}

// NewApplications returns a store that reads applications without their secrets, for services
// that may not see them.
func NewApplications(db *database.DB) *Applications { return &Applications{db: db} }

// NewApplicationsWithSecrets returns a store that also reads the hashes of their secrets.
func NewApplicationsWithSecrets(db *database.DB) *Applications {
	return &Applications{db: db, secrets: true}
}

var selectApplication = `SELECT ` + database.ColumnsOf[applicationRow]().List() + `, disabled_at IS NULL AS active
FROM applications`

const selectSecrets = `SELECT id, client_id, hash, expires_at FROM application_secrets`

// applicationRow has the columns of an application. Its tags are the only list of them.
type applicationRow struct {
	ClientID               string                           `db:"client_id"`
	Name                   string                           `db:"name"`
	Type                   string                           `db:"type"`
	ScopeLevel             string                           `db:"scope_level"`
	TenantID               sql.Null[string]                 `db:"tenant_id"`
	RedirectURIs           database.JSON[[]string]          `db:"redirect_uris"`
	PostLogoutRedirectURIs database.JSON[[]string]          `db:"post_logout_redirect_uris"`
	BackchannelLogoutURI   string                           `db:"backchannel_logout_uri"`
	Grants                 database.JSON[[]oauth.GrantType] `db:"grants"`
	Scopes                 database.JSON[oauth.Scopes]      `db:"scopes"`
	Audiences              database.JSON[[]string]          `db:"audiences"`
	DefaultAudience        string                           `db:"default_audience"`
	ResourcesServed        database.JSON[[]string]          `db:"resources_served"`
	FirstParty             bool                             `db:"first_party"`
	AllowLocalhostRedirect bool                             `db:"allow_localhost_redirect"`
	IDTokenClaims          bool                             `db:"id_token_claims"`
	DeviceRequiresAuth     bool                             `db:"device_requires_auth"`
	TokenEndpointAudience  bool                             `db:"token_endpoint_audience"`
	AccessTokenAlg         string                           `db:"access_token_alg"`
	IDTokenAlg             string                           `db:"id_token_alg"`
	AccessTokenTTL         int64                            `db:"access_token_ttl"`
	RefreshTokenTTL        int64                            `db:"refresh_token_ttl"`
	RefreshIdleTTL         int64                            `db:"refresh_idle_ttl"`
	RefreshGrace           *int64                           `db:"refresh_grace"`
	CORSOrigins            database.JSON[[]string]          `db:"cors_origins"`
	JWKS                   database.JSON[json.RawMessage]   `db:"jwks"`
	JWKSURI                string                           `db:"jwks_uri"`
	AllowUndottedSchemes   bool                             `db:"allow_undotted_schemes"`
	Development            bool                             `db:"development"`
	InitiateLoginURI       string                           `db:"initiate_login_uri"`
}

// foundApplication is an application as read.
type foundApplication struct {
	applicationRow
	Active bool `db:"active"`
}

// savedApplication is an application as written.
type savedApplication struct {
	applicationRow
	CreatedAt database.Time `db:"created_at"`
	UpdatedAt database.Time `db:"updated_at"`
}

func (r *foundApplication) application() *directory.Application {
	app := &directory.Application{
		ClientID:               r.ClientID,
		Name:                   r.Name,
		Type:                   directory.ApplicationType(r.Type),
		ScopeLevel:             directory.ScopeLevel(r.ScopeLevel),
		TenantID:               r.TenantID.V,
		RedirectURIs:           r.RedirectURIs.V,
		PostLogoutRedirectURIs: r.PostLogoutRedirectURIs.V,
		BackchannelLogoutURI:   r.BackchannelLogoutURI,
		Grants:                 r.Grants.V,
		Scopes:                 r.Scopes.V,
		Audiences:              r.Audiences.V,
		DefaultAudience:        r.DefaultAudience,
		ResourcesServed:        r.ResourcesServed.V,
		FirstParty:             r.FirstParty,
		AllowLocalhostRedirect: r.AllowLocalhostRedirect,
		IDTokenClaims:          r.IDTokenClaims,
		DeviceRequiresAuth:     r.DeviceRequiresAuth,
		TokenEndpointAudience:  r.TokenEndpointAudience,
		AccessTokenAlg:         r.AccessTokenAlg,
		IDTokenAlg:             r.IDTokenAlg,
		AccessTokenTTL:         microseconds(r.AccessTokenTTL),
		RefreshTokenTTL:        microseconds(r.RefreshTokenTTL),
		RefreshIdleTTL:         microseconds(r.RefreshIdleTTL),
		CORSOrigins:            r.CORSOrigins.V,
		JWKS:                   r.JWKS.V,
		JWKSURI:                r.JWKSURI,
		Active:                 r.Active,
		AllowUndottedSchemes:   r.AllowUndottedSchemes,
		Development:            r.Development,
		InitiateLoginURI:       r.InitiateLoginURI,
	}
	if r.RefreshGrace != nil {
		grace := microseconds(*r.RefreshGrace)
		app.RefreshGrace = &grace
	}

	return app
}

func newApplicationRow(a *directory.Application) applicationRow {
	row := applicationRow{
		ClientID:               a.ClientID,
		Name:                   a.Name,
		Type:                   string(a.Type),
		ScopeLevel:             string(a.ScopeLevel),
		TenantID:               sql.Null[string]{V: a.TenantID, Valid: a.TenantID != ""},
		RedirectURIs:           asJSON(a.RedirectURIs),
		PostLogoutRedirectURIs: asJSON(a.PostLogoutRedirectURIs),
		BackchannelLogoutURI:   a.BackchannelLogoutURI,
		Grants:                 asJSON(a.Grants),
		Scopes:                 asJSON(a.Scopes),
		Audiences:              asJSON(a.Audiences),
		DefaultAudience:        a.DefaultAudience,
		ResourcesServed:        asJSON(a.ResourcesServed),
		FirstParty:             a.FirstParty,
		AllowLocalhostRedirect: a.AllowLocalhostRedirect,
		IDTokenClaims:          a.IDTokenClaims,
		DeviceRequiresAuth:     a.DeviceRequiresAuth,
		TokenEndpointAudience:  a.TokenEndpointAudience,
		AccessTokenAlg:         a.AccessTokenAlg,
		IDTokenAlg:             a.IDTokenAlg,
		AccessTokenTTL:         a.AccessTokenTTL.Microseconds(),
		RefreshTokenTTL:        a.RefreshTokenTTL.Microseconds(),
		RefreshIdleTTL:         a.RefreshIdleTTL.Microseconds(),
		CORSOrigins:            asJSON(a.CORSOrigins),
		JWKS:                   asJSON(a.JWKS),
		JWKSURI:                a.JWKSURI,
		AllowUndottedSchemes:   a.AllowUndottedSchemes,
		Development:            a.Development,
		InitiateLoginURI:       a.InitiateLoginURI,
	}
	if a.RefreshGrace != nil {
		grace := a.RefreshGrace.Microseconds()
		row.RefreshGrace = &grace
	}

	return row
}

func asJSON[T any](v T) database.JSON[T] { return database.JSON[T]{V: v} }

func microseconds(n int64) time.Duration { return time.Duration(n) * time.Microsecond }

type secretRow struct {
	ID        string        `db:"id"`
	ClientID  string        `db:"client_id"`
	Hash      []byte        `db:"hash"`
	ExpiresAt database.Time `db:"expires_at"`
}

func (r *secretRow) secret() directory.ApplicationSecret {
	return directory.ApplicationSecret{ID: r.ID, Hash: r.Hash, ExpiresAt: r.ExpiresAt.Time}
}

// Application returns an application, including a disabled one, or directory.ErrNotFound.
func (a *Applications) Application(ctx context.Context, clientID string) (*directory.Application, error) {
	var row foundApplication
	err := a.db.Get(ctx, "applications.find", &row, selectApplication+` WHERE client_id = $1`, clientID)
	if err != nil {
		return nil, notFound(err)
	}

	app := row.application()
	if !a.secrets || app.Public() {
		return app, nil
	}

	var secrets []secretRow
	err = a.db.Select(ctx, "application_secrets.list", &secrets,
		selectSecrets+` WHERE client_id = $1 ORDER BY created_at, id`, clientID)
	if err != nil {
		return nil, err
	}

	for i := range secrets {
		app.Secrets = append(app.Secrets, secrets[i].secret())
	}

	return app, nil
}

// Enabled returns all applications that aren't disabled, without their secrets, by client id.
func (a *Applications) Enabled(ctx context.Context) ([]*directory.Application, error) {
	var rows []foundApplication
	if err := a.db.Select(ctx, "applications.enabled", &rows,
		selectApplication+` WHERE disabled_at IS NULL ORDER BY client_id`); err != nil {
		return nil, err
	}

	apps := make([]*directory.Application, len(rows))
	for i := range rows {
		apps[i] = rows[i].application()
	}

	return apps, nil
}

// notFound turns "no row" into directory.ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return directory.ErrNotFound
	}
	return err
}
