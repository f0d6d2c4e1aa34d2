package audit

import (
	"context"
	"log/slog"
)

// Trail is the audit trail.
type Trail interface {
	// Record adds an event with the current time. It may fail; what was decided stands all the
	// same.
	Record(ctx context.Context, e Event) error
}

// RecordOrLog records an event. A failure is logged, with what the event is about, and doesn't
// fail what the caller is doing.
func RecordOrLog(ctx context.Context, trail Trail, logger *slog.Logger, e Event) {
	err := trail.Record(ctx, e)
	if err == nil {
		return
	}

	about := []slog.Attr{slog.String("kind", string(e.Kind))}
	for _, id := range []slog.Attr{
		slog.String("client_id", e.ClientID),
		slog.String("grant_id", e.GrantID),
		slog.String("reference", e.Reference),
	} {
		if id.Value.String() != "" {
			about = append(about, id)
		}
	}

	logger.LogAttrs(ctx, slog.LevelError, "can't write the audit trail", append(about, slog.Any("error", err))...)
}
