-- Who may touch which table. One group role a service; a deployment makes login
-- roles that are members of one. `platform migrate --roles` runs this file after
-- the migrations, as the owner of the tables. It runs in one transaction and
-- first takes everything away, so that the rights afterwards are exactly those
-- below, while running services notice nothing.
--
-- An UPDATE, and SELECT … FOR UPDATE, also need SELECT on what they read. The
-- checks of foreign keys run as the owner and need nothing here.

-- Two at once would trip over each other's rows in the catalogues.
SELECT pg_advisory_xact_lock(x'706c6174726f6c65'::bigint); -- "platrole"

DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['platform_authorize', 'platform_token', 'platform_device',
                                'platform_session', 'platform_keys', 'platform_operator'] LOOP
        IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = name) THEN
            BEGIN
                EXECUTE format('CREATE ROLE %I NOLOGIN', name);
            EXCEPTION WHEN duplicate_object OR unique_violation THEN
                -- Roles belong to the server, the lock to this database: another
                -- database's migration was first.
                NULL;
            END;
        END IF;
    END LOOP;

    EXECUTE format('REVOKE CREATE ON SCHEMA %I FROM PUBLIC', current_schema());
    EXECUTE format('GRANT USAGE ON SCHEMA %I TO platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator', current_schema());
END
$$;

-- By name, for the schema may hold what is not ours. Rights to columns go too.
REVOKE ALL
    ON goose_db_version, tenants, tenant_domains, users, memberships, credentials, applications,
       application_secrets, authorization_requests, authorization_codes, sessions, consents, grants,
       device_codes, signing_keys, refresh_tokens, revoked_tokens, used_assertions, limits, audit_events,
       logout_outbox, key_orders, change_versions, change_keys, audit_seals, user_logins, directory_marks,
       access_ends
    FROM PUBLIC, platform_authorize, platform_token, platform_device, platform_session, platform_keys,
         platform_operator;

-- Everybody: what version is this, who are the applications, which keys verify, and
-- has any of that changed.
GRANT SELECT ON goose_db_version, applications, signing_keys, change_versions, change_keys
    TO platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator;

-- How often access was ended: those who give access read it, a person and an operator
-- end it. Triggers count what is switched off.
GRANT SELECT ON access_ends TO platform_authorize, platform_token, platform_device;
GRANT SELECT, INSERT, UPDATE (ends, finished) ON access_ends TO platform_session, platform_operator;

-- The trail: every role adds to it. Services that strangers talk to read none of it,
-- and no role changes or deletes a row.
GRANT INSERT ON audit_events
    TO platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator;

-- keys: seals what was added in a day, of which it reads no more than the chains,
-- and removes what is too old, by functions that take nothing younger than a month.
GRANT SELECT (at, service, chain, seq, hash) ON audit_events TO platform_keys;
GRANT SELECT, INSERT ON audit_seals TO platform_keys;
DO $$
BEGIN
    REVOKE ALL ON FUNCTION audit_months(), keep_audit_months(integer), drop_audit_events(timestamptz, integer)
        FROM PUBLIC, platform_authorize, platform_token, platform_device, platform_session, platform_keys, platform_operator;
    GRANT EXECUTE ON FUNCTION keep_audit_months(integer), drop_audit_events(timestamptz, integer) TO platform_keys;
END
$$;

-- Failures, counted by those who are guessed at, and sign-ins that were started.
-- The keys are keyed hashes.
GRANT SELECT, INSERT, UPDATE, DELETE ON limits
    TO platform_authorize, platform_token, platform_device, platform_session;

-- An operator has the counts of an account forgotten, and reads none of them.
GRANT SELECT (key, subject), DELETE ON limits TO platform_operator;

-- People, for those who show them or put them into tokens. Hashes of passwords
-- stand apart, and only the sign-in reads them.
GRANT SELECT ON tenants, users, memberships
    TO platform_authorize, platform_token, platform_device, platform_session;
GRANT SELECT ON tenant_domains TO platform_session;

-- Hashes of application secrets, for those who authenticate applications.
GRANT SELECT ON application_secrets TO platform_token, platform_device;
-- UPDATE (expires_at) is for locking a row while it is removed.
GRANT SELECT, INSERT, DELETE, UPDATE (expires_at) ON used_assertions TO platform_token, platform_device;

-- Who is signed in, and what they have allowed.
GRANT SELECT ON sessions, consents TO platform_authorize, platform_token, platform_device;

-- authorize: requests that wait for a person, and the codes that come of them.
GRANT SELECT, INSERT, DELETE, UPDATE (consumed_at) ON authorization_requests TO platform_authorize;
GRANT SELECT, INSERT, DELETE, UPDATE (consumed_at) ON authorization_codes TO platform_authorize;
GRANT UPDATE (last_seen_at) ON sessions TO platform_authorize;

-- token: redeems codes and device codes, owns the grants and what they yield. A
-- grant that has ended ends its refresh tokens, so nobody else needs those.
GRANT SELECT, UPDATE (consumed_at) ON authorization_codes TO platform_token;
GRANT SELECT, UPDATE (interval_seconds, last_polled_at, consumed_at) ON device_codes TO platform_token;
GRANT SELECT, INSERT, UPDATE, DELETE ON grants, refresh_tokens, revoked_tokens TO platform_token;

-- device: owns the device codes; asks for sign-ins as authorize does.
GRANT SELECT, INSERT, DELETE, UPDATE (decision, decided_at, grant_id, user_id, tenant_id, session_id, auth_time, acr, amr, ends)
    ON device_codes TO platform_device;
GRANT SELECT, INSERT, UPDATE (consumed_at) ON authorization_requests TO platform_device;

-- session: signs people in, asks for consent, ends sessions and tells the
-- applications.
GRANT SELECT, INSERT, UPDATE, DELETE ON sessions, consents, logout_outbox TO platform_session;
-- What an application asks for travels sealed in the address of the sign-in pages, and
-- the session service makes the row when a person first does something there: so it
-- writes all columns of a request, but never those of its end, and may change none of
-- them afterwards. It is not believed about what the application may have: authorize
-- asks that of the registration again before a code comes of the row.
GRANT INSERT (id, kind, browser_hash, client_id, redirect_uri, response_mode, scope, state, nonce, code_challenge, prompt, max_age,
              login_hint, acr_values, ui_locales, resource, hint_subject, user_code, trace_parent, login_email, tenant_id,
              created_at, expires_at)
    ON authorization_requests TO platform_session;
-- A sign-in gives the browser another cookie, and its waiting requests go along.
GRANT SELECT, UPDATE (browser_hash, login_email, session_id, tenant_id, decision, decided_at)
    ON authorization_requests TO platform_session;
GRANT SELECT, UPDATE (revoked_at, ends) ON grants TO platform_session;
-- Who withdraws what an application may do, or ends access, lets what waits for the
-- application expire. The counts are for the session that goes on when all others end.
GRANT SELECT (user_id, client_id, tenant_id, session_id, offline, created_at, consumed_at, expires_at, ends), UPDATE (expires_at, ends)
    ON authorization_codes TO platform_session;
GRANT SELECT (user_id, client_id, tenant_id, decision, created_at, consumed_at, expires_at, ends), UPDATE (expires_at)
    ON device_codes TO platform_session;
GRANT UPDATE (expires_at) ON authorization_requests TO platform_session;
GRANT SELECT, UPDATE (password_hash, updated_at) ON credentials TO platform_session;
-- The version before notes sign-ins at the person.
GRANT UPDATE (last_login_at) ON users TO platform_session;
GRANT SELECT, INSERT, UPDATE (last_login_at) ON user_logins TO platform_session;

-- keys: the schedule of the signing keys. A key's kid, generation and public
-- half never change.
GRANT INSERT, DELETE, UPDATE (active_from, retire_at, revoked_at) ON signing_keys TO platform_keys;
-- What the operator asks for is taken away when it is done.
GRANT SELECT, DELETE ON key_orders TO platform_keys;

-- operator: who may sign in, and to what.
GRANT SELECT, INSERT, UPDATE, DELETE
    ON tenants, tenant_domains, users, memberships, credentials, applications, application_secrets,
       directory_marks
    TO platform_operator;
GRANT SELECT ON user_logins TO platform_operator;

-- and who is signed in, what they allowed and what happened: to look at and to end.
-- Hashes of cookies are no business of an operator's.
GRANT SELECT (id, user_id, tenant_id, auth_time, acr, amr, created_at, last_seen_at, expires_at, ended_at, user_agent, address, ends, person_ends),
      UPDATE (ended_at)
    ON sessions TO platform_operator;
GRANT SELECT, UPDATE (revoked_at) ON grants TO platform_operator;
GRANT SELECT ON consents TO platform_operator;
-- Who ends access lets codes and requests expire and leaves the notices that
-- applications are sent of it.
GRANT SELECT (user_id, client_id, tenant_id, session_id, created_at, consumed_at, expires_at, ends), UPDATE (expires_at)
    ON authorization_codes TO platform_operator;
GRANT SELECT (user_id, client_id, tenant_id, created_at, consumed_at, expires_at, ends), UPDATE (expires_at)
    ON device_codes TO platform_operator;
GRANT SELECT (client_id, created_at, consumed_at, expires_at), UPDATE (expires_at) ON authorization_requests TO platform_operator;
GRANT INSERT ON logout_outbox TO platform_operator;
GRANT SELECT ON audit_events, audit_seals TO platform_operator;
-- An operator makes no key and changes no schedule: they revoke, and ask the keys
-- service for the next one.
GRANT UPDATE (revoked_at) ON signing_keys TO platform_operator;
GRANT SELECT, INSERT, UPDATE (immediate) ON key_orders TO platform_operator;
