package session

import (
	"github.com/platform-oauth/platform-oauth/libs/directory/appcache"
	"github.com/platform-oauth/platform-oauth/libs/servicekit"
	"github.com/platform-oauth/platform-oauth/libs/signing"
	"github.com/platform-oauth/platform-oauth/libs/wiring"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/backchannel"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/metrics"
	"github.com/platform-oauth/platform-oauth/services/session/internal/adapters/sqlstore"
	"github.com/platform-oauth/platform-oauth/services/session/internal/app"
)

// newBackchannel builds the task that notifies applications of logouts.
func newBackchannel(
	cfg Config, k *wiring.Kit, applications *appcache.Cache, ring *signing.Ring,
) (*app.Backchannel, error) {
	client, err := servicekit.OutboundClient(cfg.Outbound, k.Deps)
	if err != nil {
		return nil, err
	}

	outbox := sqlstore.New(k.DB)
	observer, err := metrics.NewBackchannel(k.MeterProvider, outbox.State, k.Now)
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
		Trail:        k.Trail(),
		Observer:     observer,
		Logger:       k.Logger,
		Now:          k.Now,
		Random:       k.Random,
	}, nil
}
