-- An application in development may redirect to http on loopback whatever its
-- type, and may name the page where a person begins to sign in at it. A version
-- that does not know the columns is unaffected.

-- +goose Up
ALTER TABLE applications ADD COLUMN development boolean NOT NULL DEFAULT false;
ALTER TABLE applications ADD COLUMN initiate_login_uri text NOT NULL DEFAULT '';
