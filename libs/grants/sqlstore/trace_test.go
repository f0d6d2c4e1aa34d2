package sqlstore_test

import (
	"context"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/grants"
	"github.com/platform-oauth/platform-oauth/libs/grants/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/oauth"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

// TestWhoReadsARowIsLinkedToWhoMadeIt follows each kind of row that somebody comes
// back with.
func TestWhoReadsARowIsLinkedToWhoMadeIt(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		spans := tracetest.NewSpanRecorder()
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
		// within runs f in a trace of its own.
		within := func(f func(ctx context.Context)) trace.SpanContext {
			ctx, span := tracer.Start(t.Context(), "request")
			f(ctx)
			span.End()
			return span.SpanContext()
		}

		authorize, device, token := sqlstore.NewForAuthorize(db), sqlstore.NewForDevice(db), sqlstore.NewForToken(db)
		direct := newCode("direct", "")
		poll := &grants.DeviceCode{
			Hash:      oauth.HashSecret("device"),
			UserCode:  "BCDF-GHJK",
			ClientID:  "app_tv",
			Interval:  5 * time.Second,
			CreatedAt: flowStart,
			ExpiresAt: flowStart.Add(time.Minute),
		}

		made := within(func(ctx context.Context) {
			require.NoError(t, authorize.InsertFlow(ctx, newRequest("flw_1")))
			require.NoError(t, authorize.Issue(ctx, direct))
			inserted, err := device.InsertDeviceCode(ctx, poll)
			require.NoError(t, err)
			require.True(t, inserted)
		})

		// A row that was made without a trace links to none.
		require.NoError(t, authorize.InsertFlow(t.Context(), newRequest("flw_2")))

		for name, read := range map[string]func(ctx context.Context) error{
			"authorization_requests": func(ctx context.Context) error {
				_, err := authorize.Flow(ctx, "flw_1")
				return err
			},
			"authorization_codes": func(ctx context.Context) error {
				_, err := token.Redeemable(ctx, direct.Hash, flowStart)
				return err
			},
			"device_codes": func(ctx context.Context) error {
				_, err := token.PollDevice(ctx, poll.Hash, poll.ClientID, flowStart)
				return err
			},
		} {
			reader := within(func(ctx context.Context) { require.NoError(t, read(ctx)) })
			links := linksOf(t, spans, reader)
			require.Len(t, links, 1, name)
			require.Equal(t, made.SpanID(), links[0].SpanContext.SpanID())
			require.Equal(t, made.TraceID(), links[0].SpanContext.TraceID())
			require.Equal(t, name, links[0].Attributes[0].Value.AsString())
		}

		page := within(func(ctx context.Context) {
			_, err := device.DeviceByUserCode(ctx, poll.UserCode)
			require.NoError(t, err)
		})
		require.Len(t, linksOf(t, spans, page), 1)
		untraced := within(func(ctx context.Context) {
			_, err := authorize.Flow(ctx, "flw_2")
			require.NoError(t, err)
		})
		require.Empty(t, linksOf(t, spans, untraced))
	})
}

// TestACodeOfARequestCarriesItsTrace is the statement that stores both.
func TestACodeOfARequestCarriesItsTrace(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		spans := tracetest.NewSpanRecorder()
		tracer := sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")
		authorize := sqlstore.NewForAuthorize(db)
		require.NoError(t, authorize.InsertFlow(t.Context(), newRequest("flw_1")))
		require.NoError(t,
			sqlstore.NewForSession(db).Decide(t.Context(), "flw_1", grants.SignedIn, "ses_1", flowTenant.ID, flowStart))
		code := newCode("one", "flw_1")
		ctx, issuing := tracer.Start(t.Context(), "issue")
		require.NoError(t, authorize.IssueFromRequest(ctx, code, flowStart))
		issuing.End()
		ctx, redeeming := tracer.Start(t.Context(), "redeem")
		_, err := sqlstore.NewForToken(db).Redeemable(ctx, code.Hash, flowStart)
		require.NoError(t, err)
		redeeming.End()
		links := linksOf(t, spans, redeeming.SpanContext())
		require.Len(t, links, 1)
		require.Equal(t, issuing.SpanContext().SpanID(), links[0].SpanContext.SpanID())
	})
}

func linksOf(t *testing.T, spans *tracetest.SpanRecorder, of trace.SpanContext) []sdktrace.Link {
	t.Helper()
	for _, span := range spans.Ended() {
		if span.SpanContext().SpanID() == of.SpanID() {
			return span.Links()
		}
	}

	require.Fail(t, "the span has not ended")
	return nil
}
