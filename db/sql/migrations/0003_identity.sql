-- Identity: corrections with exact inverses, appearance vectors, negative pairs, open questions.
-- Every change of a span names the command that made it, so an undo is: take away what the
-- command began, bring back what it ended.

CREATE TABLE identity_commands (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id),
    kind text NOT NULL CHECK (kind IN
        ('merge', 'split', 'swap', 'reassign', 'reject', 'rename', 'accept')),
    arguments jsonb NOT NULL,
    horses_before jsonb NOT NULL DEFAULT '[]',         -- changed rows as they were; absent: created
    horses_after jsonb NOT NULL DEFAULT '[]',          -- the same rows as the command left them
    horse_ids uuid[] NOT NULL,                         -- every horse it touched
    spans integer NOT NULL DEFAULT 0,
    detections bigint NOT NULL DEFAULT 0,
    user_id uuid REFERENCES users (id),                -- null: at the console of this machine
    actor text NOT NULL,
    reason text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    undone_at timestamptz,
    undone_by text
);
CREATE INDEX identity_commands_of_farm ON identity_commands (farm_id, sequence);
CREATE INDEX identity_commands_of_horse ON identity_commands USING gin (horse_ids);

ALTER TABLE identity_spans
    ADD COLUMN begun_by uuid REFERENCES identity_commands (id),
    ADD COLUMN superseded_by uuid REFERENCES identity_commands (id);
CREATE INDEX identity_spans_begun_by ON identity_spans (begun_by) WHERE begun_by IS NOT NULL;
CREATE INDEX identity_spans_superseded_by ON identity_spans (superseded_by)
    WHERE superseded_by IS NOT NULL;

-- This track is not that horse.
CREATE TABLE not_same (
    track_id uuid NOT NULL REFERENCES tracks (id),
    horse_id uuid NOT NULL REFERENCES horses (id),
    command_id uuid REFERENCES identity_commands (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (track_id, horse_id)
);

-- Vectors belong to tracks; the spans say whose they are, so a correction moves them too.
-- Vectors of different models are never compared; each model gets an HNSW index of its own when
-- its first vector is stored.
CREATE TABLE horse_features (
    id uuid PRIMARY KEY,
    track_id uuid NOT NULL REFERENCES tracks (id),
    at timestamptz NOT NULL,
    model_key smallint NOT NULL REFERENCES models (key),
    quality real NOT NULL,
    approved boolean NOT NULL DEFAULT false,
    embedding vector NOT NULL
);
CREATE INDEX horse_features_of_track ON horse_features (track_id, model_key);

-- What the engine is not sure of, for a person to decide with one key.
CREATE TABLE reviews (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id),
    kind text NOT NULL CHECK (kind IN ('match', 'crossing')),
    track_id uuid NOT NULL REFERENCES tracks (id),
    other_track_id uuid REFERENCES tracks (id),        -- the other horse of a crossing
    horse_id uuid NOT NULL REFERENCES horses (id),
    similarity real,
    at timestamptz NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'same', 'different', 'later')),
    command_id uuid REFERENCES identity_commands (id),
    decided_by text,
    decided_at timestamptz
);
CREATE INDEX reviews_open ON reviews (farm_id, at) WHERE state IN ('open', 'later');

ALTER TABLE tracks ADD COLUMN crop bytea CHECK (octet_length(crop) <= 102400);
ALTER TABLE horses
    ADD COLUMN avatar_score real NOT NULL DEFAULT 0,
    ADD COLUMN last_stream_id uuid REFERENCES streams (id);
ALTER TABLE farms ADD COLUMN expected_residents smallint CHECK (expected_residents >= 0);

-- Barns, stalls and paddocks; one can be bound to a camera's region and to a horse.
CREATE TABLE areas (
    id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
    farm_id uuid NOT NULL REFERENCES farms (id),
    name text NOT NULL CHECK (name <> ''),
    kind text NOT NULL CHECK (kind IN ('barn', 'stall', 'aisle', 'paddock', 'arena', 'other')),
    stream_id uuid REFERENCES streams (id),
    region jsonb,                                      -- polygon [[x, y], ...] in 0..1 of the picture
    expected_horse_id uuid REFERENCES horses (id),
    version integer NOT NULL DEFAULT 1,
    UNIQUE (farm_id, name)
);
