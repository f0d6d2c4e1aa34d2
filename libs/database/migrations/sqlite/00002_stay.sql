-- Staying signed in and leaving: refresh tokens, revocation, limits on guessing,
-- the audit trail, back-channel logout. A version that does not know these
-- columns goes on working: each has a default.

-- +goose Up
-- What /account shows of a session, and which browser it belongs to: several
-- people may be signed in in one.
ALTER TABLE sessions ADD COLUMN browser_hash blob;
ALTER TABLE sessions ADD COLUMN user_agent text NOT NULL DEFAULT '';
ALTER TABLE sessions ADD COLUMN address text NOT NULL DEFAULT '';
CREATE INDEX sessions_browser ON sessions (browser_hash);

-- What a refreshed token says of the authentication.
ALTER TABLE grants ADD COLUMN auth_time timestamp;
ALTER TABLE grants ADD COLUMN acr text NOT NULL DEFAULT '';
ALTER TABLE grants ADD COLUMN amr text NOT NULL DEFAULT '[]';

-- One row a token; the family is the grant.
CREATE TABLE refresh_tokens (
    token_hash          blob PRIMARY KEY,
    grant_id            text NOT NULL,
    client_id           text NOT NULL,
    scope               text NOT NULL,
    created_at          timestamp NOT NULL,
    -- The earlier of idle and absolute end.
    expires_at          timestamp NOT NULL,
    absolute_expires_at timestamp NOT NULL,
    rotated_at          timestamp,
    -- Only the holder of the old token can open it; erased after the grace.
    successor_seal      blob,
    successor_hash      blob
);
CREATE INDEX refresh_tokens_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_expiry ON refresh_tokens (expires_at);
CREATE INDEX refresh_tokens_sealed ON refresh_tokens (rotated_at) WHERE successor_seal IS NOT NULL;

-- Single access tokens that were revoked before their end.
CREATE TABLE revoked_tokens (
    jti        text PRIMARY KEY,
    expires_at timestamp NOT NULL
);
CREATE INDEX revoked_tokens_expiry ON revoked_tokens (expires_at);

-- Assertions of private_key_jwt are good once (RFC 7523 3).
CREATE TABLE used_assertions (
    client_id  text NOT NULL,
    jti_hash   blob NOT NULL,
    expires_at timestamp NOT NULL,
    PRIMARY KEY (client_id, jti_hash)
);
CREATE INDEX used_assertions_expiry ON used_assertions (expires_at);

-- Failures counted over all replicas; the key is a keyed hash.
CREATE TABLE limits (
    key           blob PRIMARY KEY,
    failures      integer NOT NULL,
    blocked_until timestamp,
    expires_at    timestamp NOT NULL
);
CREATE INDEX limits_expiry ON limits (expires_at);

CREATE TABLE audit_events (
    id         text PRIMARY KEY,
    at         timestamp NOT NULL,
    kind       text NOT NULL,
    service    text NOT NULL,
    user_id    text NOT NULL DEFAULT '',
    client_id  text NOT NULL DEFAULT '',
    tenant_id  text NOT NULL DEFAULT '',
    session_id text NOT NULL DEFAULT '',
    grant_id   text NOT NULL DEFAULT '',
    address    text NOT NULL DEFAULT '',
    -- What an error page shows and a log line carries.
    reference  text NOT NULL DEFAULT '',
    detail     text NOT NULL DEFAULT '{}'
);
CREATE INDEX audit_events_at ON audit_events (at);
CREATE INDEX audit_events_user ON audit_events (user_id, at);
CREATE INDEX audit_events_client ON audit_events (client_id, at);
CREATE INDEX audit_events_reference ON audit_events (reference);

-- Logout tokens that are still to be delivered.
CREATE TABLE logout_outbox (
    id              text PRIMARY KEY,
    client_id       text NOT NULL,
    uri             text NOT NULL,
    user_id         text NOT NULL,
    session_id      text NOT NULL,
    created_at      timestamp NOT NULL,
    next_attempt_at timestamp NOT NULL,
    attempts        integer NOT NULL DEFAULT 0,
    gave_up_at      timestamp
);
CREATE INDEX logout_outbox_due ON logout_outbox (next_attempt_at) WHERE gave_up_at IS NULL;

-- A person who opens their account page signs in without an application. SQLite
-- changes a check by making the table anew.
CREATE TABLE authorization_requests_new (
    id             text PRIMARY KEY,
    -- Where the sign-in pages return to: a kind, never a URL.
    kind           text NOT NULL CHECK (kind IN ('authorize', 'device', 'account')),
    browser_hash   blob NOT NULL,
    client_id      text NOT NULL,
    redirect_uri   text NOT NULL,
    response_mode  text NOT NULL,
    scope          text NOT NULL,
    state          text NOT NULL DEFAULT '',
    nonce          text NOT NULL DEFAULT '',
    code_challenge text NOT NULL DEFAULT '',
    prompt         text NOT NULL DEFAULT '',
    max_age        integer,
    login_hint     text NOT NULL DEFAULT '',
    acr_values     text NOT NULL DEFAULT '',
    ui_locales     text NOT NULL DEFAULT '',
    resource       text NOT NULL DEFAULT '',
    hint_subject   text NOT NULL DEFAULT '',
    user_code      text NOT NULL DEFAULT '',
    trace_parent   text NOT NULL DEFAULT '',
    created_at     timestamp NOT NULL,
    expires_at     timestamp NOT NULL,
    login_email    text NOT NULL DEFAULT '',
    session_id     text NOT NULL DEFAULT '',
    tenant_id      text NOT NULL DEFAULT '',
    decision       text NOT NULL DEFAULT '' CHECK (decision IN ('', 'signed_in', 'consented', 'denied')),
    decided_at     timestamp,
    consumed_at    timestamp
);
INSERT INTO authorization_requests_new SELECT * FROM authorization_requests;
DROP TABLE authorization_requests;
ALTER TABLE authorization_requests_new RENAME TO authorization_requests;
CREATE INDEX authorization_requests_expiry ON authorization_requests (expires_at);

-- What a tenant's pages are accented with: '#rrggbb', or empty.
ALTER TABLE tenants ADD COLUMN color text NOT NULL DEFAULT '';

-- Where a device asked from: the person who approves it is told.
ALTER TABLE device_codes ADD COLUMN address text NOT NULL DEFAULT '';
