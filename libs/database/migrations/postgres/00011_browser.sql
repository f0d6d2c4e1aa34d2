-- +goose Up

-- A sign-in gives a browser a new cookie, and finds the requests to move to it by
-- the old one.
CREATE INDEX authorization_requests_browser ON authorization_requests (browser_hash);
