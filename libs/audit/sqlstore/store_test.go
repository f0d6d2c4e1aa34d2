package sqlstore_test

import (
	"context"
	"crypto/rand"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	"go.opentelemetry.io/otel/attribute"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/platform-oauth/platform-oauth/libs/audit"
	"github.com/platform-oauth/platform-oauth/libs/audit/sqlstore"
	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

var start = time.Date(2026, 3, 1, 12, 0, 0, 123456000, time.UTC)

var event = audit.Event{
	Kind:      audit.DeviceApproved,
	UserID:    "usr_ada",
	ClientID:  "tv",
	TenantID:  "tnt_acme",
	SessionID: "ses_1",
	GrantID:   "gnt_1",
	Address:   "192.0.2.7",
	Reference: "0af7651916cd43dd",
	Detail:    map[string]string{"scope": "openid"},
}

func kinds(records []audit.Record) []string {
	out := make([]string, len(records))
	for i, r := range records {
		out[i] = string(r.Kind)
	}
	return out
}

func TestAnEventReadsAsItWasTold(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		clock := testkit.NewClock(start.In(time.FixedZone("far", 3600)))
		store := sqlstore.New(db, "device", clock.Now, rand.Reader)
		require.NoError(t, store.Record(t.Context(), event))
		clock.Advance(time.Second)
		require.NoError(t, store.Record(t.Context(), audit.Event{Kind: audit.KeyRotated}))

		records, err := sqlstore.Read(t.Context(), db, audit.Filter{})
		require.NoError(t, err)
		require.Len(t, records, 2)
		require.Regexp(t, `^aud_[0-9a-f]{14}[a-z2-7]{26}$`, records[0].ID)
		require.Equal(t, audit.Record{
			ID:      records[0].ID,
			At:      start,
			Service: "device",
			Event:   event,
			Link:    records[0].Link,
		}, records[0])

		require.Equal(t, records[0].Chain, records[1].Chain)
		require.Equal(t, records[0].Hash, records[1].PrevHash)
		require.Equal(t, audit.Event{Kind: audit.KeyRotated, Detail: map[string]string{}}, records[1].Event)
	})
}

func TestTheTrailIsReadInItsOrder(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		clock := testkit.NewClock(start)
		store := sqlstore.New(db, "test", clock.Now, rand.Reader)
		for _, e := range []audit.Event{
			{Kind: "a", UserID: "ada"},
			{Kind: "b", ClientID: "tv"},
			{Kind: "c", UserID: "ada", ClientID: "tv"},
			{Kind: "d", UserID: "bob", Reference: "ref"},
			{Kind: "e"},
		} {
			require.NoError(t, store.Record(t.Context(), e))
			clock.Advance(time.Second)
		}

		all, err := sqlstore.Read(t.Context(), db, audit.Filter{})
		require.NoError(t, err)

		for name, tt := range map[string]struct {
			filter audit.Filter
			want   []string
		}{
			"all of it":                 {audit.Filter{}, []string{"a", "b", "c", "d", "e"}},
			"the newest two":            {audit.Filter{Limit: 2}, []string{"d", "e"}},
			"of one user":               {audit.Filter{User: "ada"}, []string{"a", "c"}},
			"of one application":        {audit.Filter{Client: "tv"}, []string{"b", "c"}},
			"of both":                   {audit.Filter{User: "ada", Client: "tv"}, []string{"c"}},
			"by what a page showed":     {audit.Filter{Reference: "ref"}, []string{"d"}},
			"since a time":              {audit.Filter{Since: start.Add(3 * time.Second)}, []string{"d", "e"}},
			"after a row":               {audit.Filter{AfterID: all[1].ID}, []string{"c", "d", "e"}},
			"the first after a row":     {audit.Filter{AfterID: all[1].ID, Limit: 1}, []string{"c"}},
			"nothing after the last":    {audit.Filter{AfterID: all[4].ID}, []string{}},
			"what a quote would spoil ": {audit.Filter{User: "' OR 1=1 --"}, []string{}},
		} {
			t.Run(name, func(t *testing.T) {
				got, err := sqlstore.Read(t.Context(), db, tt.filter)
				require.NoError(t, err)
				require.Equal(t, tt.want, kinds(got))
			})
		}
	})
}

func TestAnEventGoesWithItsTransaction(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		failed := errors.New("changed our mind")
		for _, outcome := range []error{failed, nil} {
			err := db.Tx(t.Context(), "test.tx", func(tx *database.Tx) error {
				require.NoError(t,
					sqlstore.New(tx, "operator", testkit.NewClock(start).Now, rand.Reader).Record(t.Context(), event))
				return outcome
			})
			require.ErrorIs(t, err, outcome)
		}

		records, err := sqlstore.Read(t.Context(), db, audit.Filter{})
		require.NoError(t, err)
		require.Len(t, records, 1)
	})
}

func TestEveryServiceTellsAndOnlyTheOperatorReads(t *testing.T) {
	server := testkit.PostgresServer(t)
	url := server.NewDatabase(t)
	roles := []string{"authorize", "token", "device", "session", "keys", "operator"}
	for _, role := range roles {
		t.Run(role, func(t *testing.T) {
			db := testkit.OpenPostgres(t, server.LoginURL(t, url, "platform_"+role))
			require.NoError(t,
				sqlstore.New(db, role, testkit.NewClock(start).Now, rand.Reader).Record(t.Context(), event))
			records, err := sqlstore.Read(t.Context(), db, audit.Filter{})
			if role != "operator" {
				require.ErrorContains(t, err, "permission denied")
				return
			}

			require.NoError(t, err)
			require.Len(t, records, len(roles))
		})
	}
}

func TestFiftyAtOnceAreFiftyRows(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		store := sqlstore.New(db, "test", testkit.NewClock(start).Now, rand.Reader)
		var wg sync.WaitGroup
		for range 50 {
			wg.Go(func() {
				if err := store.Record(t.Context(), event); err != nil {
					t.Error(err)
				}
			})
		}

		wg.Wait()
		records, err := sqlstore.Read(t.Context(), db, audit.Filter{})
		require.NoError(t, err)
		require.Len(t, records, 50)
		require.True(t, slices.IsSortedFunc(records, func(a, b audit.Record) int { return a.At.Compare(b.At) }))
	})
}

func TestEventsAreCountedByKindOnceTheyAreWritten(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	store := sqlstore.New(testkit.SQLite(t), "token", time.Now,
		rand.Reader).Counting(sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader)))
	require.NoError(t, store.Record(t.Context(), audit.Event{Kind: audit.CodeReplayed}))
	require.NoError(t, store.Record(t.Context(), audit.Event{Kind: audit.CodeReplayed}))
	over, cancel := context.WithCancel(t.Context())
	cancel()
	require.Error(t, store.Record(over, audit.Event{Kind: audit.CodeReplayed}))
	var all metricdata.ResourceMetrics
	require.NoError(t, reader.Collect(t.Context(), &all))
	points := all.ScopeMetrics[0].Metrics[0].Data.(metricdata.Sum[int64]).DataPoints
	require.Len(t, points, 1)
	require.EqualValues(t, 2, points[0].Value)
	require.Equal(t, attribute.NewSet(attribute.String("kind", "token.code_replayed")), points[0].Attributes)
}
