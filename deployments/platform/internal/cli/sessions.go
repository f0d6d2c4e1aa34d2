package cli

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/admin"
	"github.com/platform-oauth/platform-oauth/deployments/platform/internal/manifest"
	"github.com/platform-oauth/platform-oauth/libs/sessions/sqlstore"
)

func (a *app) sessions() *cobra.Command {
	return a.group("session", "List and end sessions", "List the sessions of people who are signed in, and end them.",
		"  platform session list --user ada@acme.test\n  platform session end --user ada@acme.test",
		a.sessionList(), a.sessionEnd())
}

// sessionView is a session as commands show it.
type sessionView struct {
	ID         string    `json:"id"`
	Email      string    `json:"email"`
	UserID     string    `json:"user_id" table:"-"`
	Tenant     string    `json:"tenant"`
	AuthTime   time.Time `json:"auth_time"`
	LastSeenAt time.Time `json:"last_seen_at"`
	ExpiresAt  time.Time `json:"expires_at"`
	EndedAt    time.Time `json:"ended_at,omitzero"`
	ACR        string    `json:"acr" table:"-"`
	AMR        []string  `json:"amr" table:"-"`
	Address    string    `json:"address"`
	UserAgent  string    `json:"user_agent"`
}

func (a *app) sessionList() *cobra.Command {
	var user, tenant, client string
	var all bool
	var limit int
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List sessions",
		Long:  "List the current sessions, most recently used first. Ended sessions are kept for a while; --all shows them too.",
		Example: "  platform session list --user ada@acme.test\n" +
			"  platform session list --app billing-web --all --output json",
		Args: a.noArguments,
	}

	cmd.Flags().StringVar(&user, "user", "", "only this person's, by e-mail address or id")
	cmd.Flags().StringVar(&tenant, "tenant", "", "only in this tenant, by slug or id")
	cmd.Flags().StringVar(&client, "app", "", "only sessions from which this application got tokens, by client id")
	cmd.Flags().BoolVar(&all, "all", false, "include sessions that have ended, expired or been idle for too long")
	cmd.Flags().IntVar(&limit, "limit", 100, "maximum number of rows")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error {
		if err := checkLimit(limit); err != nil {
			return err
		}

		return a.operate(cmd.Context(), func(ctx context.Context, o *operation) (err error) {
			filter := sqlstore.Filter{ClientID: client, Limit: limit}
			if filter.UserID, err = o.userID(ctx, user); err != nil {
				return err
			}

			if filter.TenantID, err = o.tenantID(ctx, tenant); err != nil {
				return err
			}

			if client != "" {
				if _, err := admin.Application(ctx, o.reader(), client); err != nil {
					return err
				}
			}

			if !all {
				filter.LiveAt = o.deps.Now()
				filter.SeenAfter = filter.LiveAt.Add(-o.cfg.Sessions.Idle)
			}

			found, err := sqlstore.Find(ctx, o.db, filter)
			if err != nil {
				return err
			}

			views := make([]sessionView, len(found))
			for i, s := range found {
				views[i] = sessionView{
					ID:         s.ID,
					Email:      s.Email,
					UserID:     s.UserID,
					Tenant:     s.Tenant,
					AuthTime:   s.AuthTime,
					LastSeenAt: s.LastSeenAt,
					ExpiresAt:  s.ExpiresAt,
					EndedAt:    s.EndedAt,
					ACR:        s.ACR,
					AMR:        s.AMR,
					Address:    s.Address,
					UserAgent:  s.UserAgent,
				}
			}

			return printRows(a, views)
		})
	}

	return cmd
}

func (a *app) sessionEnd() *cobra.Command {
	var user string
	cmd := &cobra.Command{
		Use:   "end SESSION… | --user EMAIL",
		Short: "End sessions",
		Long: `End the named sessions, or all of a person's. It takes effect at once: the browser is
signed out, tokens that depend on the session are refused and no longer refreshed, and
applications with a back-channel logout endpoint are notified. Grants for offline
access stay. A resource server that verifies access tokens itself accepts them until
they expire.`,
		Example: "  platform session end ses_k3jx2\n  platform session end --user ada@acme.test --dry-run",
		Args: func(_ *cobra.Command, args []string) error {
			if (len(args) == 0) == (user == "") {
				return usageError{errors.New("no sessions to end: give their ids, or --user EMAIL for all of a person's")}
			}
			return nil
		},
	}

	cmd.Flags().StringVar(&user, "user", "", "end all sessions of this person, by e-mail address or id")
	dryRun := dryRunFlag(cmd)
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		return a.change(cmd, *dryRun, func(ctx context.Context, desk admin.Desk) (*manifest.Report, error) {
			if user != "" {
				return desk.EndSessionsOf(ctx, user)
			}
			return desk.EndSessions(ctx, args...)
		})
	}

	return cmd
}
