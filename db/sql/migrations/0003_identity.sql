-- Identity: corrections with exact inverses, appearance vectors, negative pairs, open questions.
-- Every change of a span names the command that made it, so an undo is: take away what the
-- command began, bring back what it ended. A merge hands spans over as they are, thousands at
-- once, and its undo hands back those that name it.

CREATE EXTENSION IF NOT EXISTS vector;

-- The order in which commands took effect; a command that is done again takes effect anew.
CREATE SEQUENCE identity_effects;

CREATE TABLE identity_commands (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id),
    kind text NOT NULL CHECK (kind IN
        ('merge', 'split', 'swap', 'reassign', 'reject', 'rename', 'accept')),
    arguments jsonb NOT NULL,
    summary text NOT NULL,                             -- in words for people
    -- Changed rows of horses (all but avatar, version and updated_at) as they were and as the
    -- command left them; a horse that the command made has no row before.
    horses_before jsonb NOT NULL DEFAULT '[]',
    horses_after jsonb NOT NULL DEFAULT '[]',
    horse_ids uuid[] NOT NULL,                         -- every horse it touched
    created uuid[] NOT NULL DEFAULT '{}',              -- horses it made
    approved uuid[] NOT NULL DEFAULT '{}',             -- horse_features it approved
    unapproved uuid[] NOT NULL DEFAULT '{}',           -- horse_features it took approval from
    pairs_removed jsonb NOT NULL DEFAULT '[]',         -- rows of not_same that it overruled
    spans integer NOT NULL DEFAULT 0,
    detections bigint NOT NULL DEFAULT 0,
    user_id uuid REFERENCES users (id) ON DELETE SET NULL, -- null: at the console of this machine
    actor text NOT NULL,
    reason text NOT NULL DEFAULT '',
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sequence bigint GENERATED ALWAYS AS IDENTITY,      -- the order of the history
    effect bigint NOT NULL DEFAULT nextval('identity_effects'),
    effect_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    undone_at timestamptz,
    undone_by text
);
CREATE INDEX identity_commands_of_farm ON identity_commands (farm_id, sequence);
CREATE INDEX identity_commands_of_horse ON identity_commands USING gin (horse_ids);

-- Commands are never deleted, so references to them need no check row by row.
ALTER TABLE identity_spans
    ADD COLUMN begun_by uuid,                          -- the command that made it, null: the engine
    ADD COLUMN superseded_by uuid,                     -- the command that ended it, null: the engine
    ADD COLUMN moved_by uuid[] NOT NULL DEFAULT '{}',  -- merges that handed it over, in order
    ALTER COLUMN created_at SET DEFAULT clock_timestamp();
-- Undo looks at all that was ever said of a track.
DROP INDEX identity_spans_of_track;
CREATE INDEX identity_spans_of_track ON identity_spans (track_id, valid_from);
CREATE INDEX identity_spans_begun_by ON identity_spans (begun_by) WHERE begun_by IS NOT NULL;
CREATE INDEX identity_spans_superseded_by ON identity_spans (superseded_by)
    WHERE superseded_by IS NOT NULL;

CREATE INDEX identity_spans_moved_by ON identity_spans USING gin (moved_by)
    WHERE moved_by <> '{}';

-- Avatars that a command replaced, to be put back by its undo.
CREATE TABLE identity_command_avatars (
    command_id uuid NOT NULL REFERENCES identity_commands (id),
    horse_id uuid NOT NULL,
    avatar bytea,
    avatar_score real NOT NULL,
    PRIMARY KEY (command_id, horse_id)
);

-- This track is not that horse.
CREATE TABLE not_same (
    track_id uuid NOT NULL REFERENCES tracks (id),
    horse_id uuid NOT NULL REFERENCES horses (id),
    command_id uuid REFERENCES identity_commands (id),
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (track_id, horse_id)
);
CREATE INDEX not_same_of_horse ON not_same (horse_id);

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
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'same', 'different')),
    deferred_at timestamptz,                           -- put off: asked again after the others
    command_id uuid REFERENCES identity_commands (id), -- the correction that the answer led to
    decided_by text,
    decided_at timestamptz
);
CREATE INDEX reviews_open ON reviews (farm_id, at) WHERE state = 'open';
CREATE INDEX reviews_of_command ON reviews (command_id) WHERE command_id IS NOT NULL;
CREATE INDEX reviews_of_horse ON reviews (horse_id);

ALTER TABLE tracks
    ADD COLUMN crop bytea CHECK (octet_length(crop) <= 102400),
    ADD COLUMN crop_score real NOT NULL DEFAULT 0;     -- confidence times area in px2
CREATE INDEX tracks_by_end ON tracks (ended_at);       -- the open ones, and those ended lately
ALTER TABLE horses
    ADD COLUMN avatar_score real NOT NULL DEFAULT 0,
    ADD COLUMN last_stream_id uuid REFERENCES streams (id);
ALTER TABLE farms
    ADD COLUMN expected_residents smallint CHECK (expected_residents >= 0),
    -- Cosine from which a track is a known horse; null: each model's own calibrated value.
    ADD COLUMN similarity_threshold real CHECK (similarity_threshold BETWEEN 0 AND 1);

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

-- The horse that a merged record stands for, through any number of merges.
CREATE FUNCTION resolved_horse(horse uuid) RETURNS uuid LANGUAGE sql STABLE AS $$
    WITH RECURSIVE chain AS (
        SELECT id, merged_into FROM horses WHERE id = horse
        UNION
        SELECT h.id, h.merged_into FROM chain c JOIN horses h ON h.id = c.merged_into
    )
    SELECT id FROM chain WHERE merged_into IS NULL
$$;

-- The number of a farm's next horse. Holds others that ask for one until this transaction ends.
CREATE FUNCTION next_tracking_number(farm uuid) RETURNS integer LANGUAGE plpgsql AS $$
BEGIN
    PERFORM FROM farms WHERE id = farm FOR NO KEY UPDATE;
    RETURN (SELECT coalesce(max(tracking_number), 0) + 1 FROM horses WHERE farm_id = farm);
END
$$;

-- Corrections hold the identities alone, the engine's decisions share them: whoever writes spans or
-- horses' sightings in a transaction calls this first, and so no two wait for each other.
CREATE FUNCTION hold_identities() RETURNS void LANGUAGE sql AS
    'SELECT pg_advisory_xact_lock(7091318039310988592)';
CREATE FUNCTION share_identities() RETURNS void LANGUAGE sql AS
    'SELECT pg_advisory_xact_lock_shared(7091318039310988592)';

-- What the engine decides replaces what it decided before, over its time, and never what a person
-- said: a span that would touch a person's, or repeat what a person rejected, is not stored. A
-- decision for a horse that a person merged meanwhile is for the horse it was merged into; it joins
-- the merge, whose undo gives it back.
CREATE FUNCTION identity_spans_yield_to_people() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    old identity_spans;
    target uuid;
    merge uuid;
BEGIN
    PERFORM share_identities();
    IF EXISTS (
        SELECT FROM identity_spans s
        WHERE s.track_id = NEW.track_id AND s.superseded_at IS NULL AND s.decided_by <> 'engine'
          AND s.valid_from < NEW.valid_to AND s.valid_to > NEW.valid_from
    ) OR EXISTS (
        SELECT FROM not_same n
        WHERE n.track_id = NEW.track_id
          AND n.horse_id IN (NEW.horse_id, resolved_horse(NEW.horse_id))
    ) THEN
        RETURN NULL;
    END IF;
    FOR old IN
        UPDATE identity_spans s SET superseded_at = NEW.created_at
        WHERE s.track_id = NEW.track_id AND s.superseded_at IS NULL
          AND s.valid_from < NEW.valid_to AND s.valid_to > NEW.valid_from
        RETURNING s.*
    LOOP
        -- What the new decision does not cover stays as it was, also for the undo of its command.
        INSERT INTO identity_spans (track_id, horse_id, valid_from, valid_to, confidence,
                                    decided_by, created_at, begun_by, moved_by)
        SELECT old.track_id, old.horse_id, lower(r), upper(r), old.confidence, old.decided_by,
               old.created_at, old.begun_by, old.moved_by
        FROM unnest(tstzmultirange(tstzrange(old.valid_from, old.valid_to))
                    - tstzmultirange(tstzrange(NEW.valid_from, NEW.valid_to))) r;
    END LOOP;
    LOOP
        SELECT merged_into INTO target FROM horses WHERE id = NEW.horse_id;
        EXIT WHEN target IS NULL;
        SELECT id INTO merge FROM identity_commands
        WHERE kind = 'merge' AND undone_at IS NULL AND horse_ids @> ARRAY[NEW.horse_id]
          AND (arguments ->> 'absorbed')::uuid = NEW.horse_id
        ORDER BY effect DESC LIMIT 1;
        NEW.horse_id := target;
        IF merge IS NOT NULL THEN
            NEW.moved_by := NEW.moved_by || merge;
        END IF;
    END LOOP;
    RETURN NEW;
END
$$;
CREATE TRIGGER identity_spans_yield_to_people BEFORE INSERT ON identity_spans
FOR EACH ROW WHEN (NEW.begun_by IS NULL AND NEW.superseded_at IS NULL
                   AND NEW.decided_by = 'engine')
EXECUTE FUNCTION identity_spans_yield_to_people();
