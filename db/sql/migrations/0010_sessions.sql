-- Sessions: videos and stretches of recordings analysed as the work of one horse, what was found in
-- them, and the training calendar.

ALTER TABLE jobs DROP CONSTRAINT jobs_kind_check;
ALTER TABLE jobs ADD CONSTRAINT jobs_kind_check
    CHECK (kind IN ('reanalyse', 'reprocess', 'export', 'session'));

CREATE TABLE sessions (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id),
    horse_id uuid REFERENCES horses (id),
    title text NOT NULL CHECK (title <> ''),
    kind text NOT NULL,
    source text NOT NULL CHECK (source IN ('upload', 'stretch', 'live')),
    mode text NOT NULL CHECK (mode IN ('training', 'highlights', 'preview')),
    -- What is running is said by the job.
    state text NOT NULL CHECK (state IN ('open', 'queued', 'done', 'failed', 'cancelled')),
    message text NOT NULL DEFAULT '',
    stream_ids uuid[] NOT NULL DEFAULT '{}',
    note text NOT NULL DEFAULT '',
    start_at timestamptz NOT NULL,
    end_at timestamptz,
    video text NOT NULL DEFAULT '',                    -- relative to the media folder
    video_name text NOT NULL DEFAULT '',               -- as it was called by who sent it
    size_bytes bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
    sha256 text NOT NULL DEFAULT '' CHECK (sha256 = '' OR sha256 ~ '^[0-9a-f]{64}$'),
    report text NOT NULL DEFAULT '',                   -- relative to the media folder
    job_id uuid,                                       -- its row may be forgotten
    locked boolean NOT NULL DEFAULT false,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    archived_at timestamptz,
    version integer NOT NULL DEFAULT 1,
    CHECK (end_at IS NULL OR end_at >= start_at),
    CHECK ((state = 'open') <= (source = 'live'))
);
CREATE INDEX sessions_of_farm ON sessions (farm_id, start_at);
CREATE INDEX sessions_of_horse ON sessions (horse_id, start_at);
CREATE INDEX sessions_to_archive ON sessions (start_at) WHERE archived_at IS NULL AND NOT locked;

-- What an analysis rests on, one row a session.
CREATE TABLE session_results (
    session_id uuid PRIMARY KEY REFERENCES sessions (id) ON DELETE CASCADE,
    analysed_at timestamptz NOT NULL,
    provisional boolean NOT NULL,
    duration_s double precision NOT NULL,
    seen_s double precision NOT NULL,
    fps real NOT NULL,
    pictures integer NOT NULL,
    tracks integer NOT NULL,
    horses integer NOT NULL,
    scale text NOT NULL CHECK (scale IN ('ground', 'body', 'usual_body', 'none')),
    scale_uncertainty real,
    height_m real,
    models text[] NOT NULL DEFAULT '{}',
    remarks text[] NOT NULL DEFAULT '{}'
);

CREATE TABLE session_metrics (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    name text NOT NULL,
    value double precision,                            -- null: it cannot be told, see reason
    unit text NOT NULL,
    count integer NOT NULL,
    coverage real NOT NULL,
    spread double precision,
    reason text NOT NULL DEFAULT '',
    position smallint NOT NULL,
    PRIMARY KEY (session_id, name),
    CHECK ((value IS NULL) = (reason <> ''))
);

-- Details, gone once the session is archived. Their tracks are the session's own.
CREATE TABLE session_strides (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    id uuid NOT NULL,
    track_id uuid NOT NULL,
    stream_id uuid NOT NULL,
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
    dissociation real[] NOT NULL CHECK (cardinality(dissociation) = 2),
    PRIMARY KEY (session_id, id)
);

CREATE TABLE session_heat_maps (
    session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
    position smallint NOT NULL,
    stream_id uuid,                                    -- null: an uploaded video
    unit text NOT NULL CHECK (unit IN ('metres', 'shares')),
    bounds double precision[] NOT NULL CHECK (cardinality(bounds) = 4),
    grid_rows smallint NOT NULL CHECK (grid_rows > 0),
    grid_columns smallint NOT NULL CHECK (grid_columns > 0),
    seconds bytea NOT NULL,                            -- float32, little-endian, row by row
    PRIMARY KEY (session_id, position)
);

CREATE TABLE calendar_entries (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id),
    horse_id uuid REFERENCES horses (id),              -- null: all horses
    title text NOT NULL CHECK (title <> ''),
    kind text NOT NULL,
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    whole_day boolean NOT NULL DEFAULT false,
    note text NOT NULL DEFAULT '',
    done boolean NOT NULL DEFAULT false,
    session_id uuid REFERENCES sessions (id) ON DELETE SET NULL,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    version integer NOT NULL DEFAULT 1,
    CHECK (start_at <= end_at)
);
CREATE INDEX calendar_entries_of_farm ON calendar_entries (farm_id, start_at);
CREATE INDEX calendar_entries_of_horse ON calendar_entries (horse_id, start_at);
CREATE INDEX calendar_entries_of_session ON calendar_entries (session_id);
