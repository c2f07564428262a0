-- How horses move: pose metrics, bouts, strides, alert rules and alerts, when cameras gave no
-- pictures, and what timelines read at low zoom. Bouts and strides refer to tracks, never to
-- horses: identity_spans say whose they are, so correcting an identity rewrites none of them.

-- One row a horse and tenth of a second at most. The column order avoids padding. Null: not known.
-- Speeds in mm/s, stride lengths and head heights in mm, frequencies in mHz, angles in 0.01 degree,
-- symmetry in ten-thousandths; gait, lead, action and posture are the codes of
-- engine/domain/motion.py.
CREATE TABLE pose_metric_columns (
    time timestamptz NOT NULL,
    track_id uuid NOT NULL,
    gait smallint NOT NULL,
    lead smallint NOT NULL,
    action smallint NOT NULL,
    posture smallint NOT NULL,
    speed_mps smallint,
    stride_hz smallint,
    stride_m smallint,
    head_height_m smallint,
    back_deg smallint,
    symmetry smallint,
    shoulder_left_deg smallint,
    shoulder_right_deg smallint,
    elbow_left_deg smallint,
    elbow_right_deg smallint,
    hip_left_deg smallint,
    hip_right_deg smallint,
    knee_left_deg smallint,
    knee_right_deg smallint
);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE pose_metrics (LIKE pose_metric_columns INCLUDING ALL);
        PERFORM create_hypertable('pose_metrics', 'time', chunk_time_interval => interval '1 day',
                                  create_default_indexes => false);
    ELSE
        CREATE TABLE pose_metrics (LIKE pose_metric_columns INCLUDING ALL)
            PARTITION BY RANGE (time);
        CREATE TABLE pose_metrics_default PARTITION OF pose_metrics DEFAULT;
    END IF;
END
$$;
DROP TABLE pose_metric_columns;
CREATE INDEX pose_metrics_of_track ON pose_metrics (track_id, time);

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
       AND current_setting('timescaledb.license', true) = 'timescale' THEN
        ALTER TABLE pose_metrics SET (timescaledb.compress,
            timescaledb.compress_segmentby = 'track_id', timescaledb.compress_orderby = 'time');
        PERFORM add_compression_policy('pose_metrics', interval '7 days');
        PERFORM add_retention_policy('pose_metrics', interval '90 days');
    END IF;
END
$$;

-- How active each track was, by hour: rows, rows faster than 0.5 m/s, rows with a speed and the sum
-- of their speeds in mm/s. A continuous aggregate where TimescaleDB offers them, else a table that
-- the maintenance worker fills (db/timeseries.py); the newest hour is in neither.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb')
       AND current_setting('timescaledb.license', true) = 'timescale' THEN
        BEGIN
            EXECUTE $view$
                CREATE MATERIALIZED VIEW hourly_activity
                WITH (timescaledb.continuous, timescaledb.materialized_only = true) AS
                SELECT time_bucket(interval '1 hour', time) AS hour, track_id,
                       count(*) AS samples, count(*) FILTER (WHERE speed_mps > 500) AS moving,
                       count(speed_mps) AS speed_samples, coalesce(sum(speed_mps), 0) AS speed_sum
                FROM pose_metrics GROUP BY 1, 2 WITH NO DATA
            $view$;
            PERFORM add_continuous_aggregate_policy('hourly_activity',
                start_offset => interval '3 hours', end_offset => interval '1 hour',
                schedule_interval => interval '1 hour');
        EXCEPTION WHEN feature_not_supported OR undefined_function OR undefined_object
                       OR object_not_in_prerequisite_state THEN
            RAISE WARNING 'no continuous aggregate: %; the maintenance worker serves', SQLERRM;
        END;
    END IF;
    IF to_regclass('hourly_activity') IS NULL THEN
        CREATE TABLE hourly_activity (
            hour timestamptz NOT NULL,
            track_id uuid NOT NULL,
            samples bigint NOT NULL,
            moving bigint NOT NULL,
            speed_samples bigint NOT NULL,
            speed_sum bigint NOT NULL,
            PRIMARY KEY (track_id, hour)
        );
        CREATE INDEX hourly_activity_by_hour ON hourly_activity (hour);
    END IF;
END
$$;

CREATE TABLE bouts (
    id uuid PRIMARY KEY,
    track_id uuid NOT NULL REFERENCES tracks (id),
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    confidence real NOT NULL,
    provisional boolean NOT NULL,                      -- of the live lane; the chunk lane replaces it
    open boolean NOT NULL,                             -- it still ran when it was told last
    kind text NOT NULL CHECK (kind IN ('gait', 'action', 'posture', 'company')),
    value text NOT NULL,
    told_id uuid,                                      -- of a part: the bout that it was cut from
    CHECK (start_at <= end_at)
);
CREATE INDEX bouts_of_track ON bouts (track_id, start_at);
CREATE INDEX bouts_told ON bouts (told_id) WHERE told_id IS NOT NULL;

-- NaN: not measured. Four values by limb, two by diagonal.
CREATE TABLE strides (
    id uuid PRIMARY KEY,
    track_id uuid NOT NULL REFERENCES tracks (id),
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    stride_hz real NOT NULL,
    length_m real NOT NULL,
    speed_mps real NOT NULL,
    symmetry real NOT NULL,
    hd_min_mm real NOT NULL,
    hd_max_mm real NOT NULL,
    pd_min_mm real NOT NULL,
    pd_max_mm real NOT NULL,
    quality real NOT NULL,
    gait smallint NOT NULL,
    lead smallint NOT NULL,
    straight boolean NOT NULL,
    provisional boolean NOT NULL,
    duty real[] NOT NULL CHECK (cardinality(duty) = 4),
    phases real[] NOT NULL CHECK (cardinality(phases) = 4),
    dissociation real[] NOT NULL CHECK (cardinality(dissociation) = 2)
);
CREATE INDEX strides_of_track ON strides (track_id, start_at);
CREATE INDEX strides_by_start ON strides (start_at);

-- What the chunk lane has decided: provisional bouts and strides that are told later yield to it.
CREATE TABLE final_stretches (
    track_id uuid NOT NULL REFERENCES tracks (id),
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    PRIMARY KEY (track_id, start_at),
    CHECK (start_at < end_at)
);

-- --- cameras -----------------------------------------------------------------------------------

CREATE TABLE stream_outages (
    stream_key integer NOT NULL REFERENCES streams (key),
    from_at timestamptz NOT NULL,
    to_at timestamptz,                                 -- null: it lasts
    state text NOT NULL,
    reason text NOT NULL DEFAULT '',
    PRIMARY KEY (stream_key, from_at),
    CHECK (to_at >= from_at)
);
CREATE UNIQUE INDEX stream_outages_open ON stream_outages (stream_key) WHERE to_at IS NULL;

-- When a stream was last known to give pictures: what a program that ended without a word knew.
CREATE TABLE stream_heartbeats (
    stream_key integer PRIMARY KEY REFERENCES streams (key),
    at timestamptz NOT NULL
);

-- --- alerts ------------------------------------------------------------------------------------

ALTER TABLE farms ADD COLUMN has_alert_rules boolean NOT NULL DEFAULT false; -- got the defaults

CREATE TABLE alert_rules (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id) ON DELETE CASCADE,
    kind text NOT NULL,
    name text NOT NULL CHECK (name <> ''),
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    enabled boolean NOT NULL,
    parameters jsonb NOT NULL,
    horse_ids uuid[] NOT NULL,                         -- empty: all
    stream_ids uuid[] NOT NULL,
    quiet jsonb,                                       -- {start, end, weekdays}
    cooldown_s real NOT NULL CHECK (cooldown_s >= 0),
    sound boolean NOT NULL,
    notify boolean NOT NULL,
    version integer NOT NULL DEFAULT 1,
    updated_at timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX alert_rules_of_farm ON alert_rules (farm_id);

CREATE TABLE alerts (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id) ON DELETE CASCADE,
    rule_id uuid REFERENCES alert_rules (id) ON DELETE SET NULL,
    kind text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('info', 'warning', 'critical')),
    message text NOT NULL,
    key text NOT NULL,                                 -- what a cool-down counts by
    started_at timestamptz NOT NULL,
    raised_at timestamptz NOT NULL,
    ended_at timestamptz,
    horse_id uuid REFERENCES horses (id) ON DELETE SET NULL, -- as it was known when it was raised
    track_id uuid REFERENCES tracks (id),              -- its spans say whose it is now
    stream_id uuid REFERENCES streams (id),
    evidence jsonb NOT NULL,
    quiet boolean NOT NULL,
    picture bytea CHECK (octet_length(picture) <= 102400),
    acknowledged_at timestamptz,
    acknowledged_by text NOT NULL DEFAULT '',
    note text NOT NULL DEFAULT ''
);
CREATE INDEX alerts_by_time ON alerts (raised_at DESC, id);
CREATE INDEX alerts_open ON alerts (raised_at DESC, id) WHERE acknowledged_at IS NULL;
CREATE INDEX alerts_of_key ON alerts (key, started_at DESC);
CREATE INDEX alerts_of_horse ON alerts (horse_id) WHERE horse_id IS NOT NULL;
CREATE INDEX alerts_of_track ON alerts (track_id) WHERE track_id IS NOT NULL;
CREATE INDEX alerts_of_rule ON alerts (rule_id) WHERE rule_id IS NOT NULL;

-- Whose an alert is now: of one that names a track its owner when it began, else the horse that it
-- was raised for, through any number of merges.
CREATE VIEW alerts_with_horse AS
SELECT a.id, a.farm_id, a.rule_id, a.kind, a.severity, a.message, a.key, a.started_at, a.raised_at,
       a.ended_at, a.track_id, a.stream_id, a.evidence, a.quiet, a.acknowledged_at,
       a.acknowledged_by, a.note, a.picture IS NOT NULL AS has_picture,
       CASE WHEN EXISTS (SELECT FROM identity_spans i WHERE i.track_id = a.track_id)
            THEN (SELECT i.horse_id FROM identity_spans i
                  WHERE i.track_id = a.track_id AND i.superseded_at IS NULL
                    AND i.valid_from <= c.at AND i.valid_to > c.at)
            ELSE resolved_horse(a.horse_id) END AS horse_id
FROM alerts a
LEFT JOIN tracks t ON t.id = a.track_id
CROSS JOIN LATERAL (
    SELECT least(greatest(a.started_at, t.started_at), coalesce(t.ended_at, 'infinity')) AS at
) c;

-- --- sums by hour ------------------------------------------------------------------------------

-- What timelines, budgets and analytics read at low zoom: seconds of each of a UTC day's 24 hours,
-- by lane (a horse or a stream), kind (those of bouts, and seen) and value. Sums are made of past
-- days when they are first asked for, or by the maintenance worker. They hold while their state
-- says so: whatever changes a track, a span or a bout of that day outdates them in its transaction.
CREATE TABLE timeline_days (
    lane uuid NOT NULL,
    day date NOT NULL,
    kind text NOT NULL,
    value text NOT NULL,
    seconds bytea NOT NULL CHECK (octet_length(seconds) = 96), -- 24 of 4 bytes, as float4send
    PRIMARY KEY (lane, day, kind, value)
);
CREATE TABLE timeline_day_states (
    lane uuid NOT NULL,
    day date NOT NULL,
    generation integer NOT NULL DEFAULT 0,             -- grows with every change of what is summed
    summed integer NOT NULL DEFAULT -1,                -- the generation that the sums are of
    PRIMARY KEY (lane, day)
);

CREATE FUNCTION utc_day(at timestamptz) RETURNS date LANGUAGE sql IMMUTABLE PARALLEL SAFE AS
    $$SELECT (at AT TIME ZONE 'UTC')::date$$;

CREATE FUNCTION bouts_outdate_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE timeline_day_states s SET generation = s.generation + 1
    FROM (
        SELECT DISTINCT i.horse_id, utc_day(c.start_at) AS first, utc_day(c.end_at) AS last
        FROM changed c
        JOIN identity_spans i ON i.track_id = c.track_id AND i.superseded_at IS NULL
    ) o
    WHERE s.lane = o.horse_id AND s.day BETWEEN o.first AND o.last;
    RETURN NULL;
END
$$;

CREATE FUNCTION spans_outdate_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE timeline_day_states s SET generation = s.generation + 1
    FROM (
        SELECT DISTINCT c.horse_id, utc_day(greatest(c.valid_from, t.started_at)) AS first,
               utc_day(least(c.valid_to, coalesce(t.ended_at, 'infinity'))) AS last
        FROM changed c JOIN tracks t ON t.id = c.track_id
    ) o
    WHERE s.lane = o.horse_id AND s.day BETWEEN o.first AND o.last;
    RETURN NULL;
END
$$;

CREATE FUNCTION tracks_outdate_sums() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    UPDATE timeline_day_states s SET generation = s.generation + 1
    FROM (
        SELECT DISTINCT c.lane, utc_day(c.started_at) AS first,
               utc_day(coalesce(c.ended_at, c.started_at)) AS last
        FROM (
            SELECT m.id AS lane, c.started_at, c.ended_at
            FROM changed c JOIN streams m ON m.key = c.stream_key
            UNION ALL
            SELECT i.horse_id, c.started_at, c.ended_at
            FROM changed c
            JOIN identity_spans i ON i.track_id = c.id AND i.superseded_at IS NULL
        ) c
    ) o
    WHERE s.lane = o.lane AND s.day BETWEEN o.first AND o.last;
    RETURN NULL;
END
$$;

CREATE TRIGGER bouts_outdate_sums_new AFTER INSERT ON bouts
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bouts_outdate_sums();
CREATE TRIGGER bouts_outdate_sums_changed AFTER UPDATE ON bouts
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bouts_outdate_sums();
CREATE TRIGGER bouts_outdate_sums_before AFTER UPDATE ON bouts
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bouts_outdate_sums();
CREATE TRIGGER bouts_outdate_sums_gone AFTER DELETE ON bouts
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION bouts_outdate_sums();

CREATE TRIGGER spans_outdate_sums_new AFTER INSERT ON identity_spans
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION spans_outdate_sums();
CREATE TRIGGER spans_outdate_sums_changed AFTER UPDATE ON identity_spans
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION spans_outdate_sums();
CREATE TRIGGER spans_outdate_sums_before AFTER UPDATE ON identity_spans
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION spans_outdate_sums();
CREATE TRIGGER spans_outdate_sums_gone AFTER DELETE ON identity_spans
REFERENCING OLD TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION spans_outdate_sums();

CREATE TRIGGER tracks_outdate_sums_new AFTER INSERT ON tracks
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tracks_outdate_sums();
CREATE TRIGGER tracks_outdate_sums_changed AFTER UPDATE ON tracks
REFERENCING NEW TABLE AS changed FOR EACH STATEMENT EXECUTE FUNCTION tracks_outdate_sums();
