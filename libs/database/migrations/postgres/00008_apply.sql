-- Tables that `platform apply` needs so that it doesn't wait for sign-ins or undo
-- commands.

-- +goose Up

-- When a person last signed in, written by the session service at each sign-in.
-- This is a table of its own because apply writes the person's row. The previous
-- version still writes users.last_login_at; the later of the two applies.
CREATE TABLE user_logins (
    user_id       text PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    last_login_at timestamptz NOT NULL
);

-- What last set a value that can be set in several ways: a password, a client
-- secret, whether something is enabled. If the directory's value differs from the
-- one that apply set, something else has changed it since. id is that of the
-- tenant, person or application; set_by is 'apply' or 'operator' (a command).
-- value is the hash of the password, the id of the secret, or when it was
-- disabled, in microseconds ('' for enabled).
CREATE TABLE directory_marks (
    kind   text NOT NULL CHECK (kind IN ('tenant', 'user', 'application')),
    id     text NOT NULL,
    field  text NOT NULL,
    set_by text NOT NULL CHECK (set_by IN ('apply', 'operator')),
    value  text NOT NULL,
    set_at timestamptz NOT NULL,
    PRIMARY KEY (kind, id, field, set_by)
);

-- Whether the operator accepts private-use redirect schemes without a period for a
-- native application (RFC 8252 7.1 asks for one). The previous version has no such
-- URIs.
ALTER TABLE applications ADD COLUMN allow_undotted_schemes boolean NOT NULL DEFAULT false;
