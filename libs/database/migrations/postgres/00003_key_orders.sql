-- What an operator may ask of the keys service, which alone can make keys: that an
-- algorithm has a key of this generation, and at once if so. An order is carried
-- out when the schedule has such a key; of several that ask for the same, one is
-- made.

-- +goose Up
CREATE TABLE key_orders (
    algorithm  text NOT NULL,
    generation bigint NOT NULL,
    immediate  boolean NOT NULL,
    created_at timestamptz NOT NULL,
    PRIMARY KEY (algorithm, generation)
);
