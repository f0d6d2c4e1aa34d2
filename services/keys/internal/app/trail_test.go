package app_test

import (
	"bytes"
	"context"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// brokenTrail is an audit trail that can't be written.
type brokenTrail struct{ asked []audit.Kind }

func (b *brokenTrail) Record(_ context.Context, e audit.Event) error {
	b.asked = append(b.asked, e.Kind)
	return errBroken
}

func TestATrailThatFailsStopsNoRotation(t *testing.T) {
	w := newWorld(t, testkit.SQLite(t))
	trail, logs := &brokenTrail{}, &bytes.Buffer{}
	w.keeper.Trail, w.keeper.Logger = trail, slog.New(slog.NewTextHandler(logs, nil))

	require.NoError(t, w.keeper.Ensure(t.Context()))
	require.Len(t, w.keys(t), len(quick.Algorithms))
	require.Equal(t, []audit.Kind{audit.KeyRotated, audit.KeyRotated}, trail.asked)
	require.Contains(t, logs.String(), errBroken.Error())

	require.NoError(t, w.keeper.Ensure(t.Context()))
	require.Len(t, trail.asked, 2, "a key is made once, whether its event was recorded or not")
}
