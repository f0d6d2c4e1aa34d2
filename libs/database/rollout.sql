-- The rights that replicas of the version before use and this version doesn't.
-- `platform migrate --rollout` grants them after those of roles.sql, in the same
-- transaction; `platform migrate --roles`, once the last such replica has stopped,
-- takes them back.

-- The version before reads all sessions, and issues codes and approves devices without
-- proof. While a role has this right, no proof is demanded of it.
GRANT SELECT ON sessions TO platform_authorize, platform_device;
GRANT UPDATE (ends) ON device_codes TO platform_device;

-- The version before records sign-ins in the person's row.
GRANT UPDATE (last_login_at) ON users TO platform_session;
