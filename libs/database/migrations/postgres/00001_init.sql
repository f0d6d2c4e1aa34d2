-- The first schema: who may sign in (tenants, users, applications), what a
-- sign-in passes through (requests, codes), and what comes of it (sessions,
-- consents, grants), plus the schedule of the signing keys.
-- Times are UTC; lists and claims are JSON; secrets are SHA-256 hashes.

-- +goose Up
CREATE TABLE tenants (
    id          text PRIMARY KEY,
    slug        text NOT NULL UNIQUE,
    name        text NOT NULL,
    sso_only    boolean NOT NULL DEFAULT false,
    created_at  timestamptz NOT NULL,
    updated_at  timestamptz NOT NULL,
    disabled_at timestamptz
);

CREATE TABLE tenant_domains (
    domain      text PRIMARY KEY,
    tenant_id   text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    verified_at timestamptz NOT NULL
);
CREATE INDEX tenant_domains_tenant ON tenant_domains (tenant_id);

CREATE TABLE users (
    id             text PRIMARY KEY,
    email          text NOT NULL UNIQUE,
    email_verified boolean NOT NULL DEFAULT false,
    name           text NOT NULL DEFAULT '',
    given_name     text NOT NULL DEFAULT '',
    family_name    text NOT NULL DEFAULT '',
    claims         jsonb NOT NULL DEFAULT '{}',
    created_at     timestamptz NOT NULL,
    updated_at     timestamptz NOT NULL,
    last_login_at  timestamptz,
    disabled_at    timestamptz
);

CREATE TABLE memberships (
    user_id    text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id  text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, tenant_id)
);
CREATE INDEX memberships_tenant ON memberships (tenant_id);

-- Apart from users, so that the services that may read people read no hash.
CREATE TABLE credentials (
    user_id       text PRIMARY KEY REFERENCES users (id) ON DELETE CASCADE,
    password_hash text NOT NULL,
    updated_at    timestamptz NOT NULL
);

CREATE TABLE applications (
    client_id                 text PRIMARY KEY,
    name                      text NOT NULL,
    type                      text NOT NULL CHECK (type IN ('WEB', 'SERVICE', 'SPA', 'NATIVE')),
    scope_level               text NOT NULL CHECK (scope_level IN ('GLOBAL', 'TENANT')),
    tenant_id                 text REFERENCES tenants (id) ON DELETE CASCADE,
    redirect_uris             jsonb NOT NULL DEFAULT '[]',
    post_logout_redirect_uris jsonb NOT NULL DEFAULT '[]',
    backchannel_logout_uri    text NOT NULL DEFAULT '',
    grants                    jsonb NOT NULL DEFAULT '[]',
    scopes                    jsonb NOT NULL DEFAULT '[]',
    audiences                 jsonb NOT NULL DEFAULT '[]',
    default_audience          text NOT NULL DEFAULT '',
    resources_served          jsonb NOT NULL DEFAULT '[]',
    first_party               boolean NOT NULL DEFAULT false,
    allow_localhost_redirect  boolean NOT NULL DEFAULT false,
    id_token_claims           boolean NOT NULL DEFAULT false,
    device_requires_auth      boolean NOT NULL DEFAULT false,
    access_token_alg          text NOT NULL DEFAULT '',
    id_token_alg              text NOT NULL DEFAULT '',
    -- Microseconds; 0 is the platform's default.
    access_token_ttl          bigint NOT NULL DEFAULT 0,
    refresh_token_ttl         bigint NOT NULL DEFAULT 0,
    refresh_idle_ttl          bigint NOT NULL DEFAULT 0,
    -- Microseconds; NULL is the platform's default, for 0 switches it off.
    refresh_grace             bigint,
    cors_origins              jsonb NOT NULL DEFAULT '[]',
    jwks                      jsonb,
    jwks_uri                  text NOT NULL DEFAULT '',
    created_at                timestamptz NOT NULL,
    updated_at                timestamptz NOT NULL,
    disabled_at               timestamptz,
    CHECK ((scope_level = 'TENANT') = (tenant_id IS NOT NULL))
);

CREATE TABLE application_secrets (
    id         text PRIMARY KEY,
    client_id  text NOT NULL REFERENCES applications (client_id) ON DELETE CASCADE,
    hash       bytea NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    UNIQUE (client_id, hash)
);

-- No foreign keys from here on where rows are written by one service and
-- removed by another: expiry must never wait for a neighbour.
CREATE TABLE authorization_requests (
    id             text PRIMARY KEY,
    -- Where the sign-in pages return to: a kind, never a URL.
    kind           text NOT NULL CHECK (kind IN ('authorize', 'device')),
    browser_hash   bytea NOT NULL,
    client_id      text NOT NULL,
    redirect_uri   text NOT NULL,
    response_mode  text NOT NULL,
    scope          text NOT NULL,
    state          text NOT NULL DEFAULT '',
    nonce          text NOT NULL DEFAULT '',
    code_challenge text NOT NULL DEFAULT '',
    prompt         text NOT NULL DEFAULT '',
    max_age        bigint,
    login_hint     text NOT NULL DEFAULT '',
    acr_values     text NOT NULL DEFAULT '',
    ui_locales     text NOT NULL DEFAULT '',
    resource       text NOT NULL DEFAULT '',
    hint_subject   text NOT NULL DEFAULT '',
    user_code      text NOT NULL DEFAULT '',
    trace_parent   text NOT NULL DEFAULT '',
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    login_email    text NOT NULL DEFAULT '',
    session_id     text NOT NULL DEFAULT '',
    tenant_id      text NOT NULL DEFAULT '',
    decision       text NOT NULL DEFAULT '' CHECK (decision IN ('', 'signed_in', 'consented', 'denied')),
    decided_at     timestamptz,
    consumed_at    timestamptz
);
CREATE INDEX authorization_requests_expiry ON authorization_requests (expires_at);

CREATE TABLE authorization_codes (
    code_hash      bytea PRIMARY KEY,
    -- A flow yields at most one code.
    request_id     text UNIQUE,
    client_id      text NOT NULL,
    redirect_uri   text NOT NULL,
    code_challenge text NOT NULL DEFAULT '',
    scope          text NOT NULL,
    nonce          text NOT NULL DEFAULT '',
    resource       text NOT NULL DEFAULT '',
    grant_id       text NOT NULL UNIQUE,
    offline        boolean NOT NULL,
    user_id        text NOT NULL,
    tenant_id      text NOT NULL,
    session_id     text NOT NULL,
    auth_time      timestamptz NOT NULL,
    acr            text NOT NULL,
    amr            jsonb NOT NULL,
    created_at     timestamptz NOT NULL,
    expires_at     timestamptz NOT NULL,
    consumed_at    timestamptz
);
CREATE INDEX authorization_codes_expiry ON authorization_codes (expires_at);

CREATE TABLE sessions (
    id           text PRIMARY KEY,
    cookie_hash  bytea NOT NULL UNIQUE,
    user_id      text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    -- Empty until the person has chosen one.
    tenant_id    text NOT NULL DEFAULT '',
    auth_time    timestamptz NOT NULL,
    acr          text NOT NULL,
    amr          jsonb NOT NULL,
    created_at   timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    expires_at   timestamptz NOT NULL,
    ended_at     timestamptz
);
CREATE INDEX sessions_user ON sessions (user_id);
CREATE INDEX sessions_expiry ON sessions (expires_at);

CREATE TABLE consents (
    user_id    text NOT NULL REFERENCES users (id) ON DELETE CASCADE,
    tenant_id  text NOT NULL REFERENCES tenants (id) ON DELETE CASCADE,
    client_id  text NOT NULL REFERENCES applications (client_id) ON DELETE CASCADE,
    resource   text NOT NULL DEFAULT '',
    scope      text NOT NULL,
    updated_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, tenant_id, client_id, resource)
);

CREATE TABLE grants (
    id         text PRIMARY KEY,
    client_id  text NOT NULL,
    user_id    text NOT NULL,
    tenant_id  text NOT NULL,
    session_id text NOT NULL,
    scope      text NOT NULL,
    resource   text NOT NULL DEFAULT '',
    offline    boolean NOT NULL,
    created_at timestamptz NOT NULL,
    -- When the last token of the grant has expired.
    expires_at timestamptz NOT NULL,
    revoked_at timestamptz
);
CREATE INDEX grants_session ON grants (session_id);
CREATE INDEX grants_user ON grants (user_id, client_id);
CREATE INDEX grants_expiry ON grants (expires_at);

CREATE TABLE device_codes (
    device_code_hash bytea PRIMARY KEY,
    user_code        text NOT NULL UNIQUE,
    client_id        text NOT NULL,
    scope            text NOT NULL,
    resource         text NOT NULL DEFAULT '',
    interval_seconds bigint NOT NULL,
    created_at       timestamptz NOT NULL,
    expires_at       timestamptz NOT NULL,
    decision         text NOT NULL DEFAULT '' CHECK (decision IN ('', 'approved', 'denied')),
    decided_at       timestamptz,
    grant_id         text NOT NULL DEFAULT '',
    user_id          text NOT NULL DEFAULT '',
    tenant_id        text NOT NULL DEFAULT '',
    auth_time        timestamptz,
    acr              text NOT NULL DEFAULT '',
    amr              jsonb NOT NULL DEFAULT '[]',
    last_polled_at   timestamptz,
    consumed_at      timestamptz
);
CREATE INDEX device_codes_expiry ON device_codes (expires_at);

CREATE TABLE signing_keys (
    kid          text PRIMARY KEY,
    algorithm    text NOT NULL,
    -- 1, 2, … per algorithm: replicas that rotate at once collide here.
    generation   bigint NOT NULL,
    ref          text NOT NULL,
    public_jwk   jsonb NOT NULL,
    published_at timestamptz NOT NULL,
    active_from  timestamptz NOT NULL,
    retire_at    timestamptz,
    revoked_at   timestamptz,
    UNIQUE (algorithm, generation)
);
