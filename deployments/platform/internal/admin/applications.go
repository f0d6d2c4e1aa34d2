package admin

import (
	"context"
	"fmt"
	"time"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/directory"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
)

// RotateSecret gives an application a new secret, which only the report contains. The
// application's other secrets stay valid for at most overlap; at zero they end now.
func (d Desk) RotateSecret(ctx context.Context, clientID string, overlap time.Duration) (*manifest.Report, error) {
	return d.do(ctx, func(w *work) error {
		app, err := Application(ctx, &w.Reader, clientID)
		switch {
		case err != nil:
			return err
		case app.Public():
			return fmt.Errorf("application %q has type %s: it is public and can't keep a secret (RFC 6749 2.1)",
				clientID, app.Type)
		case app.JWKS != nil || app.JWKSURI != "":
			return fmt.Errorf("application %q authenticates with its own keys (private_key_jwt) and has no secret: change its key set instead", clientID)
		}

		secret, err := oauth.NewSecret(w.random)
		if err != nil {
			return err
		}

		id, err := oauth.NewID("sec_", w.random)
		if err != nil {
			return err
		}

		secrets := append(overlapping(app.Secrets, w.at, overlap),
			directory.ApplicationSecret{ID: id, Hash: oauth.HashSecret(secret)})
		if err := w.SetSecrets(ctx, clientID, secrets, w.at); err != nil {
			return err
		}

		w.report.Secrets = append(w.report.Secrets, manifest.Secret{ClientID: clientID, Secret: secret})
		w.report.Changes = append(w.report.Changes, manifest.Change{
			Action: manifest.Updated,
			Kind:   "application",
			Name:   clientID,
			Fields: []string{"client_secret"},
		})

		return w.trail.Record(ctx, audit.Event{
			Kind:     audit.SecretRotated,
			ClientID: clientID,
			TenantID: app.TenantID,
			Detail:   map[string]string{"overlap": overlap.String()},
		})
	})
}

// overlapping returns the secrets that stay, none of them for longer than the overlap.
func overlapping(
	old []directory.ApplicationSecret, now time.Time, overlap time.Duration,
) []directory.ApplicationSecret {
	end := now.Add(overlap)
	var kept []directory.ApplicationSecret
	for _, s := range old {
		if s.ExpiresAt.IsZero() || s.ExpiresAt.After(end) {
			s.ExpiresAt = end
		}
		if s.ExpiresAt.After(now) {
			kept = append(kept, s)
		}
	}

	return kept
}
