-- The rights that replicas of the version before use and this version doesn't. If a role
-- has one of them, `platform migrate --rollout` leaves it the right, in the transaction
-- that runs roles.sql; `platform migrate --roles`, once the last such replica has
-- stopped, takes it back.

-- The version before reads all sessions, and issues codes and approves devices without
-- proof. While a role has this right, no proof is demanded of it.
GRANT SELECT ON sessions TO platform_authorize, platform_device;
GRANT UPDATE (ends) ON device_codes TO platform_device;

-- The version before records sign-ins in the person's row.
GRANT UPDATE (last_login_at) ON users TO platform_session;
