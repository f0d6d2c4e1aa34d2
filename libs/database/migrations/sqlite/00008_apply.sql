-- What `platform apply` needs to wait for no sign-in and to undo no command.

-- +goose Up

-- When a person last signed in, which the session service writes at each sign-in:
-- not in the person's row, which apply writes. The version before goes on writing
-- users.last_login_at; the later of the two counts.
CREATE TABLE user_logins (
    user_id       text PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    last_login_at timestamp NOT NULL
);

-- Who last set a value that may be set in several ways: a password, a client
-- secret, whether something is enabled. A value in the directory that differs from
-- what apply set was changed since by something else. id is that of the tenant,
-- person or application; set_by is 'apply' or 'operator', a command. value is the
-- hash of the password, the id of the secret, or when it was disabled, in
-- microseconds ('' for enabled).
CREATE TABLE directory_marks (
    kind   text NOT NULL CHECK (kind IN ('tenant', 'user', 'application')),
    id     text NOT NULL,
    field  text NOT NULL,
    set_by text NOT NULL CHECK (set_by IN ('apply', 'operator')),
    value  text NOT NULL,
    set_at timestamp NOT NULL,
    PRIMARY KEY (kind, id, field, set_by)
);

-- The operator accepts private-use redirect schemes without a period for a native
-- application (RFC 8252 7.1 asks for one). The version before has no such URIs.
ALTER TABLE applications ADD COLUMN allow_undotted_schemes boolean NOT NULL DEFAULT false;
