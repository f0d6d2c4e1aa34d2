-- +goose Up

-- A sign-in gives a browser another cookie, and finds the requests that go along by
-- the one it had.
CREATE INDEX authorization_requests_browser ON authorization_requests (browser_hash);
