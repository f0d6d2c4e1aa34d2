-- Codes carry the W3C trace context of the request that made them, as
-- authorization requests do: the span of whoever brings one is linked there.

-- +goose Up
ALTER TABLE authorization_codes ADD COLUMN trace_parent text NOT NULL DEFAULT '';
ALTER TABLE device_codes ADD COLUMN trace_parent text NOT NULL DEFAULT '';
