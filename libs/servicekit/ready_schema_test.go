package servicekit

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/testkit"
)

func TestAServiceIsReadyOnItsSchemaOrALaterOneAndElseSaysWhy(t *testing.T) {
	testkit.OnEachDatabase(t, func(t *testing.T, db *database.DB) {
		a := &admin{checks: map[string]Check{"database": DatabaseCheck(db)}}
		ready := func() (int, string) {
			rec := httptest.NewRecorder()
			a.handler(nil).ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz", nil))
			return rec.Code, rec.Body.String()
		}

		status, body := ready()
		require.Equal(t, http.StatusOK, status, body)

		const newer = `INSERT INTO goose_db_version (version_id, is_applied) VALUES (1000, true)`
		_, err := db.Exec(t.Context(), "test.newer", newer)
		require.NoError(t, err)
		status, body = ready()
		require.Equal(t, http.StatusOK, status, body)

		_, err = db.Exec(t.Context(), "test.older", `DELETE FROM goose_db_version WHERE version_id > 1`)
		require.NoError(t, err)
		status, body = ready()
		require.Equal(t, http.StatusServiceUnavailable, status)
		require.Contains(t, body, "the schema is at version 1, this build needs version")
		require.Contains(t, body, "platform migrate")
	})
}
