-- name: add
INSERT INTO jobs (id, farm_id, kind, title, urgent, actor, arguments, media_id, part_of)
VALUES (%(id)s, %(farm_id)s, %(kind)s, %(title)s, %(urgent)s, %(actor)s, %(arguments)s,
        %(media_id)s, %(part_of)s)
ON CONFLICT ((arguments ->> 'chunk_id'))
    WHERE kind = 'reanalyse' AND state IN ('queued', 'running') DO NOTHING
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: same_chunk
-- The job that works on this chunk already.
SELECT *, job_words(jobs) AS words, workstation_of(media_id) AS workstation
FROM jobs
WHERE kind = 'reanalyse' AND state IN ('queued', 'running')
  AND arguments ->> 'chunk_id' = %(chunk_id)s;

-- name: queued_as
UPDATE jobs SET queue_id = %(queue_id)s WHERE id = %(id)s
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: get
SELECT *, job_words(jobs) AS words, workstation_of(media_id) AS workstation
FROM jobs WHERE id = %(id)s;

-- name: lock
SELECT *, job_words(jobs) AS words, workstation_of(media_id) AS workstation
FROM jobs WHERE id = %(id)s FOR UPDATE;

-- name: list
SELECT *, job_words(jobs) AS words, workstation_of(media_id) AS workstation
FROM jobs
WHERE (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s)
  AND (NOT %(active_only)s OR state IN ('queued', 'running'))
  AND kind = ANY (%(kinds)s::text[])
  AND state = ANY (%(states)s::text[])
ORDER BY created_at DESC, id DESC
LIMIT %(limit)s;

-- name: forget
DELETE FROM jobs WHERE id = %(id)s AND state NOT IN ('queued', 'running') RETURNING id;

-- name: waiting
-- By-itself work that nobody has taken yet, of what a node with this media folder could take.
SELECT count(*) AS jobs FROM jobs
WHERE state = 'queued' AND NOT urgent AND (media_id IS NULL OR media_id = %(media_id)s);

-- name: cancel_queued
UPDATE jobs
SET state = 'cancelled', cancelled_by = %(actor)s, ended_at = clock_timestamp(),
    message = 'cancelled by ' || %(actor)s
WHERE id = %(id)s AND state = 'queued'
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: cancel_running
UPDATE jobs SET cancelled_by = coalesce(cancelled_by, %(actor)s), message = 'being cancelled'
WHERE id = %(id)s AND state = 'running'
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: start
-- Also one that another node left running: whoever holds the queue's entry has the job.
UPDATE jobs
SET state = 'running', node = %(node)s, message = '',
    started_at = coalesce(started_at, clock_timestamp())
WHERE id = %(id)s AND state IN ('queued', 'running') AND cancelled_by IS NULL
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: progress
UPDATE jobs
SET progress = greatest(progress, %(progress)s),
    message = CASE WHEN cancelled_by IS NULL THEN %(message)s ELSE message END
WHERE id = %(id)s AND state = 'running' AND node = %(node)s
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: finish
-- A job that was cancelled and yet came to its end is done. What it made lies where it was done.
UPDATE jobs
SET state = %(state)s, message = %(message)s, result = %(result)s, ended_at = clock_timestamp(),
    media_id = CASE WHEN %(state)s = 'done' THEN coalesce(media_id, %(media_id)s::uuid)
                    ELSE media_id END,
    progress = CASE WHEN %(state)s = 'done' THEN 1 ELSE progress END
WHERE id = %(id)s AND state IN ('queued', 'running')
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: give_back
UPDATE jobs SET state = 'queued', message = %(message)s, node = ''
WHERE id = %(id)s AND state = 'running'
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: left
-- Its node died with it: it waits again. The entry is locked, so that nobody takes it meanwhile.
WITH held AS (
    SELECT id FROM procrastinate_jobs
    WHERE id = %(queue_id)s AND status = 'doing' AND worker_id IS NOT DISTINCT FROM %(worker_id)s
    FOR UPDATE
)
UPDATE jobs SET state = 'queued', message = '', node = ''
FROM held
WHERE jobs.queue_id = held.id AND state = 'running' AND cancelled_by IS NULL
RETURNING jobs.*, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: end_cancelled
-- Cancelled on a node that never said that it ended.
UPDATE jobs
SET state = 'cancelled', ended_at = clock_timestamp(), message = 'cancelled by ' || cancelled_by
WHERE state = 'running' AND cancelled_by IS NOT NULL
  AND NOT EXISTS (SELECT FROM procrastinate_jobs q WHERE q.id = jobs.queue_id
                  AND q.status = 'doing')
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: fail_orphans
-- Without an entry in the queue nobody will ever do them.
UPDATE jobs
SET state = 'failed', ended_at = clock_timestamp(),
    message = 'It was interrupted and could not go on.'
WHERE state IN ('queued', 'running') AND cancelled_by IS NULL
  AND created_at < clock_timestamp() - interval '1 minute'
  AND NOT EXISTS (SELECT FROM procrastinate_jobs q WHERE q.id = jobs.queue_id
                  AND q.status IN ('todo', 'doing'))
RETURNING *, job_words(jobs) AS words, workstation_of(media_id) AS workstation;

-- name: forget_old
-- Chunks that were looked at again leave no trace for people; the rest is kept for a season.
DELETE FROM jobs
WHERE ended_at < clock_timestamp() - CASE WHEN urgent THEN interval '90 days'
                                          ELSE interval '1 day' END;

-- name: forget_ended_entries
-- Entries whose job is over; the queue keeps those that were aborted or given up.
DELETE FROM procrastinate_jobs q
WHERE q.status NOT IN ('todo', 'doing')
  AND NOT EXISTS (SELECT FROM jobs j WHERE j.queue_id = q.id AND j.ended_at IS NULL);
