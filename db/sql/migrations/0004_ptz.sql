-- What steered cameras know: presets with their pictures, tours, and plans of barn scans.

CREATE TABLE ptz_presets (
    stream_id uuid NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    number smallint NOT NULL CHECK (number BETWEEN 1 AND 8),
    name text NOT NULL,
    thumbnail bytea CHECK (octet_length(thumbnail) <= 51200),
    set_at timestamptz,
    PRIMARY KEY (stream_id, number)
);

CREATE TABLE ptz_tours (
    id uuid PRIMARY KEY,
    stream_id uuid NOT NULL REFERENCES streams (id) ON DELETE CASCADE,
    name text NOT NULL CHECK (name <> ''),
    steps jsonb NOT NULL,                              -- [[preset, dwell in s], ...]
    schedule jsonb                                     -- weekdays, start, end, every_min; or null
);
CREATE INDEX ptz_tours_of_stream ON ptz_tours (stream_id);

CREATE TABLE ptz_scan_plans (
    stream_id uuid PRIMARY KEY REFERENCES streams (id) ON DELETE CASCADE,
    presets smallint[] NOT NULL,
    settle_s real NOT NULL,
    record_s real NOT NULL,
    schedule jsonb
);
