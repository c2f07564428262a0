-- Streams, horses, tracks and detections. Times are UTC. Detections refer to tracks, never to
-- horses: identity_spans say whose track it was, so correcting an identity rewrites no detection.

CREATE TABLE farms (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    name text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
-- The farm of an installation that never made another one.
INSERT INTO farms (id, name) VALUES ('00000000-0000-4000-8000-000000000001', 'My farm');

CREATE TABLE streams (
    id uuid PRIMARY KEY,
    key integer GENERATED ALWAYS AS IDENTITY UNIQUE,   -- what detections carry instead of the id
    farm_id uuid NOT NULL REFERENCES farms (id),
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL,
    address text NOT NULL,
    credentials_encrypted bytea,                       -- user and password, null when there are none
    enabled boolean NOT NULL DEFAULT true,
    config jsonb NOT NULL DEFAULT '{}',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    removed_at timestamptz                             -- removed streams keep their detections
);
CREATE UNIQUE INDEX streams_name_in_farm ON streams (farm_id, name) WHERE removed_at IS NULL;

CREATE TABLE horses (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    farm_id uuid NOT NULL REFERENCES farms (id),
    first_stream_id uuid REFERENCES streams (id),
    tracking_number integer NOT NULL,
    label text NOT NULL,
    name text,
    breed text,
    sex text,
    birth_year smallint,
    height_cm smallint,
    colour text,
    markings text,
    stall text,
    colour_hex text NOT NULL CHECK (colour_hex ~ '^#[0-9a-fA-F]{6}$'),
    first_seen_at timestamptz,
    last_seen_at timestamptz,
    total_detections bigint NOT NULL DEFAULT 0,
    avatar bytea CHECK (octet_length(avatar) <= 102400),
    status text NOT NULL DEFAULT 'guest'
        CHECK (status IN ('active', 'guest', 'merged', 'archived')),
    merged_into uuid REFERENCES horses (id),
    metadata jsonb NOT NULL DEFAULT '{}',
    version integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now(),
    CHECK ((status = 'merged') = (merged_into IS NOT NULL)),
    UNIQUE (farm_id, tracking_number),
    UNIQUE (farm_id, label)
);

CREATE TABLE tracks (
    id uuid PRIMARY KEY,
    stream_key integer NOT NULL REFERENCES streams (key),
    number bigint NOT NULL,
    class_id smallint NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,                              -- null while the track is open
    detections bigint NOT NULL DEFAULT 0,
    confidence real NOT NULL DEFAULT 0
);
CREATE INDEX tracks_of_stream ON tracks (stream_key, started_at);

CREATE TABLE identity_spans (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    track_id uuid NOT NULL REFERENCES tracks (id),
    horse_id uuid NOT NULL REFERENCES horses (id),
    valid_from timestamptz NOT NULL DEFAULT '-infinity',
    valid_to timestamptz NOT NULL DEFAULT 'infinity',
    confidence real NOT NULL DEFAULT 0,
    decided_by text NOT NULL DEFAULT 'engine',
    created_at timestamptz NOT NULL DEFAULT now(),
    superseded_at timestamptz,                         -- null: this span is current
    CHECK (valid_from < valid_to)
);
CREATE INDEX identity_spans_of_track ON identity_spans (track_id, valid_from)
    WHERE superseded_at IS NULL;
CREATE INDEX identity_spans_of_horse ON identity_spans (horse_id, valid_to)
    WHERE superseded_at IS NULL;

-- Small look-up tables, so that a detection carries two bytes instead of a name.
CREATE TABLE models (
    key smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,                         -- name@version
    registered_at timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE skeletons (
    key smallint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE,
    landmarks text[] NOT NULL
);

-- One row a horse and analysed picture. The column order avoids padding. Boxes are whole pixels;
-- score is in ten-thousandths; keypoints hold four bytes a landmark (db/keypoints.py).
CREATE TABLE detection_columns (
    time timestamptz NOT NULL,
    track_id uuid NOT NULL,
    stream_key integer NOT NULL,
    x1 smallint NOT NULL,
    y1 smallint NOT NULL,
    x2 smallint NOT NULL,
    y2 smallint NOT NULL,
    score smallint NOT NULL,
    class_id smallint NOT NULL,
    model_key smallint NOT NULL,                       -- of the detector; 0 where none ran
    skeleton_key smallint NOT NULL,                    -- 0 without keypoints
    flags smallint NOT NULL,                           -- 1 interpolated, 2 corrected, 4 deleted
    keypoints bytea
);
-- Out of line, never compressed: the bytes are noise to a compressor, and short headers are kept.
ALTER TABLE detection_columns ALTER COLUMN keypoints SET STORAGE EXTERNAL;

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE detections (LIKE detection_columns INCLUDING ALL);
        PERFORM create_hypertable('detections', 'time', chunk_time_interval => interval '1 day',
                                  create_default_indexes => false);
    ELSE
        CREATE TABLE detections (LIKE detection_columns INCLUDING ALL) PARTITION BY RANGE (time);
        -- Takes what no daily partition takes: a camera's wrong clock must not lose rows.
        CREATE TABLE detections_default PARTITION OF detections DEFAULT;
    END IF;
END
$$;
DROP TABLE detection_columns;
-- Both grow at the end of each key, which keeps their pages full.
CREATE INDEX detections_of_stream ON detections (stream_key, time);
CREATE INDEX detections_of_track ON detections (track_id, time);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
       AND current_setting('timescaledb.license', true) = 'timescale' THEN
        ALTER TABLE detections SET (timescaledb.compress,
            timescaledb.compress_segmentby = 'stream_key, track_id',
            timescaledb.compress_orderby = 'time');
        PERFORM add_compression_policy('detections', interval '7 days');
        PERFORM add_retention_policy('detections', interval '90 days');
    END IF;
END
$$;

CREATE VIEW detections_with_horse AS
SELECT d.time, s.id AS stream_id, s.farm_id, d.track_id, i.horse_id,
       d.x1, d.y1, d.x2, d.y2, d.score, d.class_id, d.model_key, d.skeleton_key, d.flags,
       d.keypoints, d.stream_key
FROM detections d
JOIN streams s ON s.key = d.stream_key
LEFT JOIN identity_spans i
       ON i.track_id = d.track_id AND i.superseded_at IS NULL
      AND d.time >= i.valid_from AND d.time < i.valid_to;

CREATE TABLE views (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    layout smallint NOT NULL CHECK (layout > 0),
    tiles uuid[] NOT NULL,
    overlays text[] NOT NULL,
    slot smallint UNIQUE CHECK (slot BETWEEN 1 AND 9),
    updated_at timestamptz NOT NULL DEFAULT now()
);

-- Batches that were written and may be replayed; a writer removes its own once the commit is known.
CREATE TABLE spool_batches (
    id uuid PRIMARY KEY,
    written_at timestamptz NOT NULL DEFAULT now()
);
