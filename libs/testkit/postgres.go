package testkit

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/platform-oauth/platform-oauth/libs/database"
)

const templateDatabase = "platform_template"

// PGServer is a private PostgreSQL server. One server serves a whole test binary. It stops
// and its files are removed when the binary ends, however it ends.
type PGServer struct {
	process *pgProcess
	admin   *sql.DB
	count   atomic.Int64
	patient bool // its URLs give a connection more time than a busy machine needs
}

// startPostgres is the one global of this package. Starting a server takes seconds, but
// creating a database from its template takes milliseconds.
var startPostgres = sync.OnceValues(func() (*PGServer, error) {
	server, err := newPGServer()
	if err == nil {
		server.patient = true
	}
	return server, err
})

// PostgresServer starts the server on the first call. It installs PostgreSQL if it is
// missing and we have the rights to; otherwise the test fails.
func PostgresServer(t testing.TB) *PGServer {
	t.Helper()
	server, err := startPostgres()
	require.NoError(t, err, "these tests need a PostgreSQL server")
	return server
}

// OwnPostgresServer starts a server for this test alone, for tests that stop it or change
// settings of all its databases.
func OwnPostgresServer(t testing.TB) *PGServer {
	t.Helper()
	server, err := newPGServer()
	require.NoError(t, err, "this test needs a PostgreSQL server")
	t.Cleanup(server.Stop)
	return server
}

// Stop ends the server at once, as a crash would, and removes its files. It may be called
// again.
func (s *PGServer) Stop() {
	_ = s.admin.Close()
	s.process.stop()
}

// URL returns the superuser's URL for the named database. The database "postgres" always
// exists.
func (s *PGServer) URL(name string) string {
	return s.url("postgres", s.process.password, name)
}

// NewDatabase creates a migrated database with the roles' rights in place, and returns the
// URL of its owner, who may do everything. It is dropped at the end of the test.
func (s *PGServer) NewDatabase(t testing.TB) (dbURL string) {
	t.Helper()
	return s.create(t, templateDatabase)
}

// EmptyDatabase creates a database without a schema.
func (s *PGServer) EmptyDatabase(t testing.TB) (dbURL string) {
	t.Helper()
	return s.create(t, "template0")
}

func (s *PGServer) create(t testing.TB, template string) string {
	t.Helper()
	name := fmt.Sprintf("test_%d", s.count.Add(1))
	_, err := s.admin.ExecContext(t.Context(), "CREATE DATABASE "+name+" TEMPLATE "+template)
	require.NoError(t, err)
	t.Cleanup(func() {
		_, err := s.admin.ExecContext(context.WithoutCancel(t.Context()), "DROP DATABASE "+name+" WITH (FORCE)")
		require.NoError(t, err)
	})
	return s.URL(name)
}

// LoginURL creates a login role that is a member of the group role, such as platform_token,
// and returns the URL with which that login opens dbURL's database. Settings apply to the
// login role, such as statement_timeout = '1s'.
func (s *PGServer) LoginURL(t testing.TB, dbURL, group string, settings ...string) string {
	t.Helper()
	u, err := url.Parse(dbURL)
	require.NoError(t, err)
	require.Regexp(t, `^[a-z_]+$`, group)
	login, password := fmt.Sprintf("%s_%d", group, s.count.Add(1)), rand.Text()
	_, err = s.admin.ExecContext(t.Context(),
		fmt.Sprintf("CREATE ROLE %s LOGIN PASSWORD '%s' IN ROLE %s", login, password, group))
	require.NoError(t, err)

	for _, setting := range settings {
		_, err = s.admin.ExecContext(t.Context(), fmt.Sprintf("ALTER ROLE %s SET %s", login, setting))
		require.NoError(t, err)
	}

	t.Cleanup(func() {
		_, err := s.admin.ExecContext(context.WithoutCancel(t.Context()), "DROP ROLE "+login)
		require.NoError(t, err)
	})
	return s.url(login, password, strings.TrimPrefix(u.Path, "/"))
}

func (s *PGServer) url(user, password, name string) string {
	u := url.URL{
		Scheme:   "postgres",
		User:     url.UserPassword(user, password),
		Host:     s.process.host,
		Path:     "/" + name,
		RawQuery: "sslmode=disable",
	}
	if s.patient {
		u.RawQuery += fmt.Sprintf("&connect_timeout=%d", int(Patience.Seconds()))
	}

	return u.String()
}

func newPGServer() (*PGServer, error) {
	// This doesn't use a test's context, because the server also serves later tests.
	ctx := context.Background()
	process, err := startPGProcess(ctx)
	if err != nil {
		return nil, err
	}

	s := &PGServer{process: process}
	if s.admin, err = sql.Open("postgres", s.URL("postgres")); err != nil {
		process.stop()
		return nil, err
	}

	if err := s.makeTemplate(ctx); err != nil {
		s.Stop()
		return nil, err
	}

	return s, nil
}

// makeTemplate closes all its connections, because a database with a connection can't be
// copied.
func (s *PGServer) makeTemplate(ctx context.Context) (err error) {
	if _, err := s.admin.ExecContext(ctx, "CREATE DATABASE "+templateDatabase+" TEMPLATE template0"); err != nil {
		return err
	}

	db, err := database.Open(ctx, database.Options{URL: s.URL(templateDatabase)})
	if err != nil {
		return err
	}

	defer func() { err = errors.Join(err, db.Close()) }()

	if _, _, err := database.Migrate(ctx, db, nil); err != nil {
		return err
	}

	return database.ApplyRoles(ctx, db)
}
