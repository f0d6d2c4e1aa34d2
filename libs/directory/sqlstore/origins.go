package sqlstore

import (
	"context"

	"github.com/platform-oauth/platform-oauth/libs/database"
	"github.com/platform-oauth/platform-oauth/libs/directory"
)

// Origins returns the origins whose pages belong to some application: those of every enabled
// SPA that isn't limited to one tenant.
func (a *Applications) Origins(ctx context.Context) ([]string, error) {
	const list = `SELECT cors_origins FROM applications WHERE type = $1 AND scope_level = $2 AND disabled_at IS NULL`
	var rows []struct {
		Origins database.JSON[[]string] `db:"cors_origins"`
	}
	if err := a.db.Select(ctx, "applications.origins", &rows, list, string(directory.SPA),
		string(directory.Global)); err != nil {
		return nil, err
	}

	var origins []string
	for _, row := range rows {
		origins = append(origins, row.Origins.V...)
	}

	return origins, nil
}
