package database_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestTimesComeBackInUTCAndMicroseconds(t *testing.T) {
	zone := time.FixedZone("far", 5*3600+45*60)
	tests := map[string]struct {
		in   time.Time
		want time.Time
	}{
		"UTC stays":                     {start, start},
		"another zone is the same time": {start.In(zone), start},
		"nanoseconds are cut, never rounded": {
			time.Date(2026, 1, 1, 0, 0, 0, 999_999_999, time.UTC),
			time.Date(2026, 1, 1, 0, 0, 0, 999_999_000, time.UTC),
		},
		"the monotonic clock goes": {time.Unix(1_800_000_000, 0).Local(), time.Unix(1_800_000_000, 0).UTC()},
		"before 1970": {
			time.Date(1960, 2, 3, 4, 5, 6, 7000, time.UTC), time.Date(1960, 2, 3, 4, 5, 6, 7000, time.UTC),
		},
		"far ahead": {
			time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC),
		},
		"zero is NULL":             {time.Time{}, time.Time{}},
		"zero in another zone too": {time.Time{}.In(zone), time.Time{}},
	}

	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		addTenant(t, db, "a")

		for name, test := range tests {
			t.Run(name, func(t *testing.T) {
				for _, in := range []database.Time{database.At(test.in), {Time: test.in}} {
					var got database.Time
					require.NoError(t,
						db.Returning(t.Context(), "test.write", &got,
							`UPDATE tenants SET disabled_at = $1 RETURNING disabled_at`, in))
					require.Equal(t, test.want, got.Time)
					require.NoError(t, db.Get(t.Context(), "test.read", &got, `SELECT disabled_at FROM tenants`))
					require.Equal(t, test.want, got.Time)
					var null bool
					require.NoError(t,
						db.Get(t.Context(), "test.null", &null, `SELECT disabled_at IS NULL FROM tenants`))
					require.Equal(t, test.want.IsZero(), null)
				}
			})
		}
	})
}

func TestTimesCompareAndAggregate(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		addTenant(t, db, "a")

		for offset, want := range map[time.Duration]bool{-time.Microsecond: false, 0: true, time.Microsecond: true} {
			var due bool
			at := database.At(start.Add(offset).In(time.FixedZone("far", -9*3600)))
			require.NoError(t, db.Get(t.Context(), "test.due", &due, `SELECT created_at <= $1 FROM tenants`, at))
			require.Equal(t, want, due, offset)
		}

		var latest database.Time
		require.NoError(t, db.Get(t.Context(), "test.max", &latest, `SELECT max(created_at) FROM tenants`))
		require.Equal(t, start, latest.Time)
	})
}

func TestSQLiteKeepsTimesAsIntegers(t *testing.T) {
	db := testkit.SQLite(t)
	addTenant(t, db, "a")
	_, err := db.Exec(t.Context(), "test.bare", `UPDATE tenants SET updated_at = $1`,
		start.In(time.FixedZone("far", 3600)))
	require.NoError(t, err)
	var row struct {
		Type   string `db:"type"`
		Micros int64  `db:"micros"`
		Same   bool   `db:"same"`
	}

	require.NoError(t,
		db.Get(t.Context(), "test.type", &row,
			`SELECT typeof(created_at) AS type, created_at AS micros, created_at = updated_at AS same FROM tenants`))
	require.Equal(t, "integer", row.Type)
	require.Equal(t, start.UnixMicro(), row.Micros)
	require.True(t, row.Same, "a bare time is written the same way")
}

func TestATimeColumnThatHoldsTextIsAnError(t *testing.T) {
	require.ErrorContains(t, new(database.Time).Scan("2026-01-01"), "string")
}

func TestJSONComesBackAsItWas(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		_, err := db.Exec(t.Context(), "test.insert",
			`INSERT INTO applications (client_id, name, type, scope_level, created_at, updated_at) VALUES ('c', 'C', 'WEB', 'GLOBAL', $1, $1)`, database.At(
				start))
		require.NoError(t, err)

		var lists database.JSON[[]string]
		read := func(column string) string {
			var text string
			require.NoError(t,
				db.Get(t.Context(), "test.text", &text,
					`SELECT coalesce(cast(`+column+` AS text), 'NULL') FROM applications`))
			return text
		}

		write := func(column string, value any) {
			_, err := db.Exec(t.Context(), "test.write", `UPDATE applications SET `+column+` = $1`, value)
			require.NoError(t, err)
		}

		require.NoError(t, db.Get(t.Context(), "test.read", &lists, `SELECT scopes FROM applications`))
		require.Equal(t, []string{}, lists.V, "the column's default")
		write("scopes", database.JSON[[]string]{V: []string{"openid", `"<&>' ü`}})
		require.NoError(t, db.Get(t.Context(), "test.read", &lists, `SELECT scopes FROM applications`))
		require.Equal(t, []string{"openid", `"<&>' ü`}, lists.V)
		write("scopes", database.JSON[[]string]{V: []string{"short"}})
		require.NoError(t, db.Get(t.Context(), "test.read", &lists, `SELECT scopes FROM applications`))
		require.Equal(t, []string{"short"}, lists.V, "nothing of what was there before")
		write("scopes", database.JSON[[]string]{})
		require.Equal(t, "[]", read("scopes"))

		write("jwks", database.JSON[map[string]any]{})
		require.Equal(t, "{}", read("jwks"))
		write("jwks", database.JSON[*struct{}]{})
		require.Equal(t, "NULL", read("jwks"))
		write("jwks", database.JSON[json.RawMessage]{V: json.RawMessage(`{"keys":[]}`)})
		var raw database.JSON[json.RawMessage]
		require.NoError(t, db.Get(t.Context(), "test.read", &raw, `SELECT jwks FROM applications`))
		require.JSONEq(t, `{"keys":[]}`, string(raw.V))
		write("jwks", database.JSON[json.RawMessage]{})
		require.Equal(t, "NULL", read("jwks"))
		require.NoError(t, db.Get(t.Context(), "test.read", &raw, `SELECT jwks FROM applications`))
		require.Nil(t, raw.V)
	})
}

func TestJSONRefusesWhatIsNotJSON(t *testing.T) {
	var list database.JSON[[]string]
	require.Error(t, list.Scan("{"))
	require.Error(t, list.Scan(int64(1)))
	require.NoError(t, list.Scan([]byte(`["a"]`)))
	require.Equal(t, []string{"a"}, list.V)
	_, err := database.JSON[any]{V: func() {}}.Value()
	require.Error(t, err)
}
