-- Client assertions may name the token endpoint as their audience where an
-- application cannot be made to name the issuer. A version that does not know the
-- column goes on refusing them.

-- +goose Up
ALTER TABLE applications ADD COLUMN token_endpoint_audience boolean NOT NULL DEFAULT false;
