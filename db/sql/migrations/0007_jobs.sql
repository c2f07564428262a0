-- Background work, bookmarks, and edits of detections. The queue that hands jobs to nodes keeps
-- tables of its own (db/queue/schema.py); this one is what people see and what lasts.

CREATE TABLE jobs (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id),
    kind text NOT NULL CHECK (kind IN ('reanalyse', 'reprocess', 'export')),
    title text NOT NULL,
    state text NOT NULL DEFAULT 'queued'
        CHECK (state IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    urgent boolean NOT NULL,                           -- somebody asked for it and waits
    progress real NOT NULL DEFAULT 0 CHECK (progress BETWEEN 0 AND 1),
    message text NOT NULL DEFAULT '',
    actor text NOT NULL,
    arguments jsonb NOT NULL DEFAULT '{}',
    result jsonb NOT NULL DEFAULT '{}',
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    started_at timestamptz,
    ended_at timestamptz,
    node text NOT NULL DEFAULT '',                     -- where it runs or ran last
    queue_id bigint,                                   -- its entry in the queue
    cancelled_by text,                                 -- who asked for its end
    CHECK ((state IN ('done', 'failed', 'cancelled')) = (ended_at IS NOT NULL))
);
CREATE INDEX jobs_of_farm ON jobs (farm_id, created_at);
CREATE INDEX jobs_active ON jobs (created_at) WHERE state IN ('queued', 'running');
-- One chunk is never analysed twice at once.
CREATE UNIQUE INDEX jobs_one_per_chunk ON jobs ((arguments ->> 'chunk_id'))
    WHERE kind = 'reanalyse' AND state IN ('queued', 'running');

CREATE TABLE bookmarks (
    id uuid PRIMARY KEY,
    farm_id uuid NOT NULL REFERENCES farms (id),
    title text NOT NULL CHECK (title <> ''),
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL,
    stream_ids uuid[] NOT NULL DEFAULT '{}',           -- none: all cameras of the farm
    horse_id uuid REFERENCES horses (id),
    note text NOT NULL DEFAULT '',
    locked boolean NOT NULL DEFAULT false,
    created_by text NOT NULL,
    created_at timestamptz NOT NULL,
    CHECK (start_at <= end_at)
);
CREATE INDEX bookmarks_of_farm ON bookmarks (farm_id, start_at);

-- Which chunks a bookmark holds. A chunk that was locked by hand before is in no row, so that no
-- bookmark ever unlocks it.
CREATE TABLE bookmark_chunks (
    bookmark_id uuid NOT NULL REFERENCES bookmarks (id) ON DELETE CASCADE,
    chunk_id uuid NOT NULL REFERENCES video_chunks (id) ON DELETE CASCADE,
    PRIMARY KEY (bookmark_id, chunk_id)
);
CREATE INDEX bookmark_chunks_of_chunk ON bookmark_chunks (chunk_id);

-- A chunk that is recorded within a locked bookmark's time is locked from its first moment on.
CREATE FUNCTION chunks_join_bookmarks() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO bookmark_chunks (bookmark_id, chunk_id)
    SELECT b.id, NEW.id
    FROM bookmarks b JOIN streams s ON s.id = NEW.stream_id
    WHERE b.locked AND b.farm_id = s.farm_id
      AND (b.stream_ids = '{}' OR NEW.stream_id = ANY (b.stream_ids))
      AND b.start_at < NEW.end_at AND b.end_at >= NEW.start_at AND NEW.state <> 'removed'
      AND (NOT NEW.locked
           OR EXISTS (SELECT FROM bookmark_chunks o WHERE o.chunk_id = NEW.id))
    ON CONFLICT DO NOTHING;
    IF FOUND AND NOT NEW.locked THEN
        UPDATE video_chunks SET locked = true WHERE id = NEW.id;
    END IF;
    RETURN NULL;
END
$$;
CREATE TRIGGER chunks_join_bookmarks AFTER INSERT OR UPDATE OF start_at, end_at ON video_chunks
FOR EACH ROW EXECUTE FUNCTION chunks_join_bookmarks();

-- Edits that were applied together to one chunk.
CREATE TABLE detection_edits (
    id uuid PRIMARY KEY,
    chunk_id uuid NOT NULL,                            -- its row may be forgotten, the edit is not
    summary text NOT NULL,
    actor text NOT NULL,
    reason text NOT NULL DEFAULT '',
    edits jsonb NOT NULL,
    detections integer NOT NULL,
    commands uuid[] NOT NULL DEFAULT '{}',             -- corrections of identity, in their order
    tracks uuid[] NOT NULL DEFAULT '{}',               -- tracks it made
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    sequence bigint GENERATED ALWAYS AS IDENTITY,
    undone_at timestamptz,
    undone_by text NOT NULL DEFAULT ''
);
CREATE INDEX detection_edits_of_chunk ON detection_edits (chunk_id, sequence);

-- What each edit changed, row by row: as it was (null: the edit made the row) and as it became.
CREATE TABLE detection_edit_rows (
    edit_id uuid NOT NULL REFERENCES detection_edits (id) ON DELETE CASCADE,
    track_id uuid NOT NULL,
    time timestamptz NOT NULL,
    before_box smallint[],
    before_flags smallint,
    before_keypoints bytea,
    before_score smallint,
    after_box smallint[] NOT NULL,
    after_flags smallint NOT NULL,
    PRIMARY KEY (edit_id, track_id, time)
);
CREATE INDEX detection_edit_rows_of_track ON detection_edit_rows (track_id, time);
