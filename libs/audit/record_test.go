package audit_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/audit"
)

// trail answers every event with the same error.
type trail struct {
	err      error
	recorded []audit.Event
}

func (t *trail) Record(_ context.Context, e audit.Event) error {
	t.recorded = append(t.recorded, e)
	return t.err
}

func TestAnEventThatCannotBeRecordedIsLogged(t *testing.T) {
	for name, tt := range map[string]struct {
		event audit.Event
		err   error
		want  string
	}{
		"recorded": {event: audit.Event{Kind: audit.KeyRotated}},
		"not recorded": {
			event: audit.Event{
				Kind:      audit.CodeIssued,
				UserID:    "usr_1",
				ClientID:  "web",
				GrantID:   "gnt_1",
				Reference: "ref",
				Address:   "192.0.2.1",
			},
			err: errors.New("away"),
			want: `level=ERROR msg="can't write the audit trail" kind=` + string(audit.CodeIssued) +
				" client_id=web grant_id=gnt_1 reference=ref error=away\n",
		},
		"about no application": {
			event: audit.Event{Kind: audit.KeyRotated},
			err:   errors.New("away"),
			want: `level=ERROR msg="can't write the audit trail" kind=` + string(audit.KeyRotated) +
				" error=away\n",
		},
	} {
		var log bytes.Buffer
		logger := slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{
			ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
				if a.Key == slog.TimeKey {
					return slog.Attr{}
				}
				return a
			},
		}))

		events := &trail{err: tt.err}
		audit.RecordOrLog(t.Context(), events, logger, tt.event)
		require.Equal(t, []audit.Event{tt.event}, events.recorded, name)
		require.Equal(t, tt.want, log.String(), name)
	}
}
