-- A login role for each service and for the operator. Their group roles, to which
-- `platform migrate --roles` grants their rights, are created here so that the logins
-- can be members from the start. The server also ends a statement that takes longer
-- than a request may.
DO $$
DECLARE
    name text;
BEGIN
    FOREACH name IN ARRAY ARRAY['authorize', 'token', 'device', 'session', 'keys', 'operator'] LOOP
        EXECUTE format('CREATE ROLE %I NOLOGIN', 'platform_' || name);
        EXECUTE format('CREATE ROLE %I LOGIN PASSWORD %L IN ROLE %I', name, 'local', 'platform_' || name);
        EXECUTE format('ALTER ROLE %I SET statement_timeout = %L', name, CASE name WHEN 'operator' THEN '60s' ELSE '10s' END);
        EXECUTE format('ALTER ROLE %I SET lock_timeout = %L', name, '5s');
    END LOOP;
END $$;
