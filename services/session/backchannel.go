package session

import (
	"fmt"

	auditstore "github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/backchannel"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
	"github.com/platform-oauth/platform-oauth/services/session/internal/ports"
)

// newBackchannel builds the task that notifies applications of logouts.
func newBackchannel(
	cfg Config, deps Deps, applications ports.Applications, ring *signing.Ring,
) (*app.Backchannel, error) {
	client, err := servicekit.OutboundClient(cfg.Outbound, deps)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}

	outbox := sqlstore.New(deps.DB)
	observer, err := metrics.NewBackchannel(deps.MeterProvider, outbox.State, deps.Now)
	if err != nil {
		return nil, err
	}

	return &app.Backchannel{
		Issuer:       cfg.Server.Issuer(),
		IDTokenAlg:   cfg.Signing.IDTokenAlg,
		Outbox:       outbox,
		Applications: applications,
		Signer:       ring,
		Sender:       backchannel.New(client),
		Trail:        auditstore.New(deps.DB, "session", deps.Now, deps.Random).Counting(deps.MeterProvider),
		Observer:     observer,
		Logger:       deps.Logger,
		Now:          deps.Now,
		Random:       deps.Random,
	}, nil
}
