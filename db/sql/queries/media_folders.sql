-- name: work
-- A node works on this folder, for the next while.
INSERT INTO media_folders (id, workstation, works_until)
VALUES (%(id)s, %(workstation)s, clock_timestamp() + make_interval(secs => %(life_s)s))
ON CONFLICT (id) DO UPDATE
SET workstation = excluded.workstation, works_until = excluded.works_until;

-- name: leave
UPDATE media_folders SET works_until = clock_timestamp() WHERE id = %(id)s;

-- name: list
SELECT id, workstation, works_until > clock_timestamp() AS alive FROM media_folders
ORDER BY workstation, id;

-- name: of_chunk
SELECT c.media_id AS id, workstation_of(c.media_id) AS workstation,
       coalesce(f.works_until > clock_timestamp(), false) AS alive
FROM video_chunks c LEFT JOIN media_folders f ON f.id = c.media_id
WHERE c.id = %(id)s AND c.media_id IS NOT NULL;

-- name: of_session
SELECT s.media_id AS id, workstation_of(s.media_id) AS workstation,
       coalesce(f.works_until > clock_timestamp(), false) AS alive
FROM sessions s LEFT JOIN media_folders f ON f.id = s.media_id
WHERE s.id = %(id)s AND s.media_id IS NOT NULL;

-- name: of_job
SELECT j.media_id AS id, workstation_of(j.media_id) AS workstation,
       coalesce(f.works_until > clock_timestamp(), false) AS alive
FROM jobs j LEFT JOIN media_folders f ON f.id = j.media_id
WHERE j.id = %(id)s AND j.media_id IS NOT NULL;

-- name: of_recordings
-- The folders that hold recordings of these cameras between two instants, the most seconds first.
SELECT c.media_id AS id, workstation_of(c.media_id) AS workstation,
       coalesce(f.works_until > clock_timestamp(), false) AS alive
FROM video_chunks c LEFT JOIN media_folders f ON f.id = c.media_id
WHERE c.media_id IS NOT NULL
    AND (%(all_streams)s OR c.stream_id = ANY (%(stream_ids)s))
    AND c.end_at > %(start)s AND c.start_at < %(end)s
    AND c.start_at > %(start)s::timestamptz - interval '10 minutes'
    AND c.state = ANY (%(states)s)
    AND (NOT %(all_streams)s
         OR c.stream_id IN (SELECT id FROM streams WHERE farm_id = %(farm_id)s))
GROUP BY c.media_id, f.works_until
ORDER BY sum(least(c.end_at, %(end)s::timestamptz) - greatest(c.start_at, %(start)s::timestamptz))
    DESC, c.media_id;
