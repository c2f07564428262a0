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
