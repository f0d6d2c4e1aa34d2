package database_test

import (
	"testing"
	"time"

	"github.com/stretchr/testify/require"
	sdkmetric "go.opentelemetry.io/otel/sdk/metric"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/database/sqlite"
)

func TestExpiryIsCountedByTableAndItsBacklogHasAnAge(t *testing.T) {
	reader := sdkmetric.NewManualReader()
	db, err := sqlite.Open(t.Context(), t.TempDir()+"/p.db",
		database.Options{MeterProvider: sdkmetric.NewMeterProvider(sdkmetric.WithReader(reader))})
	require.NoError(t, err)
	t.Cleanup(func() { require.NoError(t, db.Close()) })
	_, err = db.Exec(t.Context(), "test.create", `CREATE TABLE things (id text PRIMARY KEY, over integer)`)
	require.NoError(t, err)
	_, err = db.Exec(t.Context(), "test.fill", `INSERT INTO things VALUES ('a', 1), ('b', 1), ('c', 1)`)
	require.NoError(t, err)

	age := func(wanted int64) float64 {
		got := collect(t, reader)
		rows := got["platform.expiry.rows"].(metricdata.Sum[int64]).DataPoints
		require.Len(t, rows, 1)
		require.Equal(t, wanted, rows[0].Value)
		table, _ := rows[0].Attributes.Value("db.collection.name")
		require.Equal(t, "things", table.AsString())
		return got["platform.expiry.backlog_age"].(metricdata.Gauge[float64]).DataPoints[0].Value
	}

	n, err := db.DeleteDue(t.Context(), "things", "id", "over <= $1", time.Now(), 2)
	require.NoError(t, err)
	require.Equal(t, 2, n)
	first := age(2)
	require.Greater(t, age(2), first, "a full batch may have left some")
	before := time.Now()
	_, err = db.DeleteDue(t.Context(), "things", "id", "over <= $1", time.Now(), 2)
	require.NoError(t, err)
	require.LessOrEqual(t, age(3), time.Since(before).Seconds(), "nothing is left")
}
