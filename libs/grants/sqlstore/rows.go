package sqlstore

import (
	"context"
	"database/sql"
	"errors"
	"time"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	directorystore "github.com/platform-oauth/platform-oauth/libs/directory/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// whoColumns and whoJoins read the person, tenant and application of a code or grant with alias
// c, as they are now.
var (
	whoColumns = `
       COALESCE(u.email, '') AS email, COALESCE(u.email_verified, false) AS email_verified, COALESCE(u.name, '') AS name,
       COALESCE(u.given_name, '') AS given_name, COALESCE(u.family_name, '') AS family_name, COALESCE(u.claims, '{}') AS claims,
       u.updated_at AS user_updated_at, u.id IS NOT NULL AND u.disabled_at IS NULL AS user_active,
       COALESCE(t.slug, '') AS tenant_slug, COALESCE(t.name, '') AS tenant_name, COALESCE(t.sso_only, false) AS sso_only,
       t.id IS NOT NULL AND t.disabled_at IS NULL AS tenant_active, m.user_id IS NOT NULL AS member,
       a.client_id IS NOT NULL AND a.disabled_at IS NULL AS app_active,
       c.ends <> ` + directorystore.AccessEnds("c.user_id", "c.tenant_id", "c.client_id") + ` AS access_ended`
	whoJoins = `
LEFT JOIN users u ON u.id = c.user_id
LEFT JOIN tenants t ON t.id = c.tenant_id
LEFT JOIN memberships m ON m.user_id = c.user_id AND m.tenant_id = c.tenant_id
LEFT JOIN applications a ON a.client_id = c.client_id`
	sessionColumn = `
       s.id IS NOT NULL AND s.ended_at IS NULL AND s.expires_at > $2 AS session_live`
	sessionJoin = `
LEFT JOIN sessions s ON s.id = c.session_id`

	// signedIn holds if session s, at $2, confirms what a code or device code c says about the
	// person and their sign-in. The services that write codes may not write sessions, and must
	// prove to a trigger that they know a cookie of the session. An attacker who holds only
	// their role knows at most the cookies of their own session, and with those can't name
	// another person, nor a better or later sign-in. A session that has been authenticated again since has
	// a later auth_time. c then keeps its own, which the session can't confirm any more.
	signedIn = `s.ended_at IS NULL AND s.expires_at > $2
  AND s.user_id = c.user_id AND s.tenant_id = c.tenant_id AND s.auth_time >= c.auth_time AND s.acr >= c.acr
  AND (s.auth_time > c.auth_time OR (s.acr = c.acr AND s.amr = c.amr))`
	signedInColumn = `
       COALESCE(` + signedIn + `, false) AS session_live`
	behindCode = `
  AND EXISTS (SELECT 1 FROM sessions s WHERE s.id = c.session_id AND ` + signedIn + `)`
)

// who holds whoColumns.
type who struct {
	Email         string                        `db:"email"`
	EmailVerified bool                          `db:"email_verified"`
	Name          string                        `db:"name"`
	GivenName     string                        `db:"given_name"`
	FamilyName    string                        `db:"family_name"`
	Claims        database.JSON[map[string]any] `db:"claims"`
	UserUpdatedAt database.Time                 `db:"user_updated_at"`
	UserActive    bool                          `db:"user_active"`
	TenantSlug    string                        `db:"tenant_slug"`
	TenantName    string                        `db:"tenant_name"`
	SSOOnly       bool                          `db:"sso_only"`
	TenantActive  bool                          `db:"tenant_active"`
	Member        bool                          `db:"member"`
	AppActive     bool                          `db:"app_active"`
	AccessEnded   bool                          `db:"access_ended"`
}

// behind returns the input to the rule of who may continue.
func (w *who) behind() grants.Behind {
	return grants.Behind{Member: w.Member, AppActive: w.AppActive, AccessEnded: w.AccessEnded}
}

func (w *who) user(id string) directory.User {
	return directory.User{
		ID:            id,
		Email:         w.Email,
		EmailVerified: w.EmailVerified,
		Name:          w.Name,
		GivenName:     w.GivenName,
		FamilyName:    w.FamilyName,
		Claims:        w.Claims.V,
		Active:        w.UserActive,
		UpdatedAt:     w.UserUpdatedAt.Time,
	}
}

func (w *who) tenant(id string) directory.Tenant {
	return directory.Tenant{
		ID:      id,
		Slug:    w.TenantSlug,
		Name:    w.TenantName,
		SSOOnly: w.SSOOnly,
		Active:  w.TenantActive,
	}
}

const selectFlow = `
SELECT id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, state, nonce, code_challenge, prompt, max_age,
       login_hint, acr_values, ui_locales, resource, hint_subject, user_code, trace_parent, created_at, expires_at,
       login_email, session_id, tenant_id, decision, decided_at, consumed_at
FROM authorization_requests WHERE id = $1`

const insertFlow = `
INSERT INTO authorization_requests (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, state, nonce,
       code_challenge, prompt, max_age, login_hint, acr_values, ui_locales, resource, hint_subject, user_code, trace_parent,
       created_at, expires_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`

type flowRow struct {
	ID            string        `db:"id"`
	Kind          string        `db:"kind"`
	BrowserHash   []byte        `db:"browser_hash"`
	ClientID      string        `db:"client_id"`
	RedirectURI   string        `db:"redirect_uri"`
	ResponseMode  string        `db:"response_mode"`
	Scope         string        `db:"scope"`
	State         string        `db:"state"`
	Nonce         string        `db:"nonce"`
	CodeChallenge string        `db:"code_challenge"`
	Prompt        string        `db:"prompt"`
	MaxAge        *int          `db:"max_age"`
	LoginHint     string        `db:"login_hint"`
	ACRValues     string        `db:"acr_values"`
	UILocales     string        `db:"ui_locales"`
	Resource      string        `db:"resource"`
	HintSubject   string        `db:"hint_subject"`
	UserCode      string        `db:"user_code"`
	TraceParent   string        `db:"trace_parent"`
	CreatedAt     database.Time `db:"created_at"`
	ExpiresAt     database.Time `db:"expires_at"`
	LoginEmail    string        `db:"login_email"`
	SessionID     string        `db:"session_id"`
	TenantID      string        `db:"tenant_id"`
	Decision      string        `db:"decision"`
	DecidedAt     database.Time `db:"decided_at"`
	ConsumedAt    database.Time `db:"consumed_at"`
}

func (r *flowRow) flow() *grants.Flow {
	scope, _ := oauth.ParseScopes(r.Scope)   // was parsed when it was written
	prompt, _ := oauth.ParsePrompt(r.Prompt) // likewise
	f := &grants.Flow{
		ID:          r.ID,
		Kind:        grants.Kind(r.Kind),
		BrowserHash: r.BrowserHash,
		UILocales:   r.UILocales,
		TraceParent: r.TraceParent,
		CreatedAt:   r.CreatedAt.Time,
		ExpiresAt:   r.ExpiresAt.Time,
		ConsumedAt:  r.ConsumedAt.Time,
		Access:      grants.Access{ClientID: r.ClientID, Scope: scope, Resource: r.Resource},
		Wishes: grants.Wishes{
			Prompt:      prompt,
			MaxAge:      r.MaxAge,
			LoginHint:   r.LoginHint,
			ACRValues:   r.ACRValues,
			HintSubject: r.HintSubject,
		},
		Visit: grants.Visit{
			LoginEmail: r.LoginEmail,
			SessionID:  r.SessionID,
			TenantID:   r.TenantID,
			Decision:   grants.Decision(r.Decision),
			DecidedAt:  r.DecidedAt.Time,
		},
	}

	switch f.Kind {
	case grants.KindAuthorize:
		f.Authorize = &grants.Authorization{
			RedirectURI:   r.RedirectURI,
			ResponseMode:  oauth.ResponseMode(r.ResponseMode),
			State:         r.State,
			Nonce:         r.Nonce,
			CodeChallenge: r.CodeChallenge,
		}
	case grants.KindDevice:
		f.Device = &grants.DeviceSignIn{UserCode: r.UserCode}
	}

	return f
}

func findFlow(ctx context.Context, db database.Runner, id string) (*grants.Flow, error) {
	var row flowRow
	if err := db.Get(ctx, "authorization_requests.find", &row, selectFlow, id); err != nil {
		return nil, notFound(err)
	}
	linkToMaker(ctx, "authorization_requests", row.TraceParent)
	return row.flow(), nil
}

// whyNot returns the reason why a statement on a flow changed no row, or otherwise if the flow
// goes on.
func whyNot(ctx context.Context, db database.Runner, id string, now time.Time, otherwise error) error {
	f, err := findFlow(ctx, db, id)
	switch {
	case err != nil:
		return err
	case !f.ConsumedAt.IsZero():
		return grants.ErrConsumed
	case !now.Before(f.ExpiresAt):
		return grants.ErrExpired
	default:
		return otherwise
	}
}

func putFlow(ctx context.Context, db database.Runner, f *grants.Flow) error {
	_, err := db.Exec(ctx, "authorization_requests.insert", insertFlow, flowArgs(ctx, f)...)
	return err
}

// flowArgs returns the arguments of insertFlow.
func flowArgs(ctx context.Context, f *grants.Flow) []any {
	trace := f.TraceParent
	if trace == "" {
		trace = madeIn(ctx)
	}

	var a grants.Authorization
	userCode := ""
	switch {
	case f.Authorize != nil:
		a = *f.Authorize
	case f.Device != nil:
		userCode = f.Device.UserCode
		a.ResponseMode = oauth.ResponseModeQuery // the column can't be null
	}

	return []any{
		f.ID, string(f.Kind), f.BrowserHash, f.ClientID, a.RedirectURI, string(a.ResponseMode),
		f.Scope.String(), a.State, a.Nonce,
		a.CodeChallenge, f.Prompt.String(), f.MaxAge, f.LoginHint, f.ACRValues, f.UILocales, f.Resource,
		f.HintSubject, userCode,
		trace, database.At(f.CreatedAt), database.At(f.ExpiresAt),
	}
}

// notFound turns "no row" into grants.ErrNotFound.
func notFound(err error) error {
	if errors.Is(err, sql.ErrNoRows) {
		return grants.ErrNotFound
	}
	return err
}
