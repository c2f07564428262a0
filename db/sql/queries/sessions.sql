-- name: list
-- Horses that were merged are the ones they were merged into. What runs is said by the job; one
-- whose job ended without it, or was forgotten, is not queued any more.
SELECT s.id, s.farm_id, resolved_horse(s.horse_id) AS horse_id, s.title, s.kind, s.source, s.mode,
       CASE WHEN s.state <> 'queued' THEN s.state
            WHEN j.state = 'done' OR j.state IS NULL AND s.job_id IS NOT NULL THEN 'cancelled'
            ELSE coalesce(j.state, 'queued') END AS state,
       CASE WHEN s.state = 'queued' THEN coalesce(job_words(j), s.message) ELSE s.message
           END AS message,
       CASE WHEN s.state = 'done' THEN 1 ELSE coalesce(j.progress, 0) END AS progress,
       s.stream_ids, s.note, s.start_at, s.end_at, s.video, s.video_name, s.size_bytes, s.sha256,
       s.report, s.job_id, s.locked, s.created_by, s.created_at, s.archived_at, s.version
FROM sessions s LEFT JOIN jobs j ON j.id = s.job_id
WHERE (%(farm_id)s::uuid IS NULL OR s.farm_id = %(farm_id)s)
  AND (%(ids)s::uuid[] IS NULL OR s.id = ANY (%(ids)s))
  AND (%(horse_id)s::uuid IS NULL OR resolved_horse(s.horse_id) = resolved_horse(%(horse_id)s))
  AND (%(start)s::timestamptz IS NULL OR s.start_at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR s.start_at < %(end)s)
  AND (%(states)s::text[] IS NULL
       OR CASE WHEN s.state <> 'queued' THEN s.state
               WHEN j.state = 'done' OR j.state IS NULL AND s.job_id IS NOT NULL THEN 'cancelled'
               ELSE coalesce(j.state, 'queued') END = ANY (%(states)s))
  AND (%(after)s::uuid IS NULL
       OR (s.start_at, s.id) < (SELECT a.start_at, a.id FROM sessions a WHERE a.id = %(after)s))
ORDER BY s.start_at DESC, s.id DESC
LIMIT %(limit)s;

-- name: strangers
-- What a session names that is not of its farm.
SELECT EXISTS (SELECT FROM unnest(%(stream_ids)s::uuid[]) AS w (id)
               WHERE NOT EXISTS (SELECT FROM streams s
                                 WHERE s.id = w.id AND s.farm_id = %(farm_id)s)) AS stream,
       %(horse_id)s::uuid IS NOT NULL AND NOT EXISTS (
           SELECT FROM horses WHERE id = %(horse_id)s AND farm_id = %(farm_id)s) AS horse;

-- name: add
INSERT INTO sessions (id, farm_id, horse_id, title, kind, source, mode, state, stream_ids, note,
                      start_at, end_at, video, video_name, size_bytes, sha256, locked, created_by,
                      created_at, media_id)
VALUES (%(id)s, %(farm_id)s, resolved_horse(%(horse_id)s), %(title)s, %(kind)s, %(source)s,
        %(mode)s, %(state)s, %(stream_ids)s::uuid[], %(note)s, %(start_at)s, %(end_at)s, %(video)s,
        %(video_name)s, %(size_bytes)s, %(sha256)s, %(locked)s, %(created_by)s, %(created_at)s,
        %(media_id)s);

-- name: lock
SELECT version, title, farm_id, stream_ids FROM sessions WHERE id = %(id)s FOR UPDATE;

-- name: update
UPDATE sessions
SET title = %(title)s, kind = %(kind)s, mode = %(mode)s, note = %(note)s, locked = %(locked)s,
    horse_id = resolved_horse(%(horse_id)s), start_at = %(start_at)s, end_at = %(end_at)s,
    state = CASE WHEN state = 'open' AND %(state)s <> 'open' THEN 'queued' ELSE state END,
    version = version + 1
WHERE id = %(id)s;

-- name: queued
-- First without a job, which may be over before it is named here.
UPDATE sessions
SET job_id = %(job_id)s,
    state = CASE WHEN %(job_id)s::uuid IS NULL THEN 'queued' ELSE state END,
    message = CASE WHEN %(job_id)s::uuid IS NULL THEN '' ELSE message END
WHERE id = %(id)s;

-- name: uploaded
UPDATE sessions
SET video = %(video)s, size_bytes = %(size_bytes)s, sha256 = %(sha256)s,
    media_id = CASE WHEN %(video)s <> '' THEN coalesce(%(media_id)s::uuid, media_id)
                    ELSE media_id END
WHERE id = %(id)s;

-- name: failed
UPDATE sessions SET state = 'failed', message = %(message)s WHERE id = %(id)s;

-- name: done
UPDATE sessions
SET state = 'done', message = '', report = %(report)s, end_at = coalesce(%(end_at)s, end_at),
    media_id = coalesce(%(media_id)s::uuid, media_id)
WHERE id = %(id)s;

-- name: forget_found
WITH gone AS (DELETE FROM session_metrics WHERE session_id = %(id)s),
     strides AS (DELETE FROM session_strides WHERE session_id = %(id)s),
     maps AS (DELETE FROM session_heat_maps WHERE session_id = %(id)s)
DELETE FROM session_results WHERE session_id = %(id)s;

-- name: put_result
INSERT INTO session_results (session_id, analysed_at, provisional, duration_s, seen_s, fps,
                             pictures, tracks, horses, scale, scale_uncertainty, height_m, models,
                             remarks)
VALUES (%(id)s, %(analysed_at)s, %(provisional)s, %(duration_s)s, %(seen_s)s, %(fps)s,
        %(pictures)s, %(tracks)s, %(horses)s, %(scale)s, %(scale_uncertainty)s, %(height_m)s,
        %(models)s::text[], %(remarks)s::text[]);

-- name: put_metric
INSERT INTO session_metrics (session_id, name, value, unit, count, coverage, spread, reason,
                             position)
VALUES (%(id)s, %(name)s, %(value)s, %(unit)s, %(count)s, %(coverage)s, %(spread)s, %(reason)s,
        %(position)s);

-- name: put_stride
INSERT INTO session_strides (session_id, id, track_id, stream_id, start_at, end_at, stride_hz,
                             length_m, speed_mps, symmetry, hd_min_mm, hd_max_mm, pd_min_mm,
                             pd_max_mm, quality, gait, lead, straight, provisional, duty, phases,
                             dissociation)
VALUES (%(session_id)s, %(id)s, %(track_id)s, %(stream_id)s, %(start_at)s, %(end_at)s,
        %(stride_hz)s, %(length_m)s, %(speed_mps)s, %(symmetry)s, %(hd_min_mm)s, %(hd_max_mm)s,
        %(pd_min_mm)s, %(pd_max_mm)s, %(quality)s, %(gait)s, %(lead)s, %(straight)s,
        %(provisional)s, %(duty)s::real[], %(phases)s::real[], %(dissociation)s::real[])
ON CONFLICT DO NOTHING;

-- name: put_heat_map
INSERT INTO session_heat_maps (session_id, position, stream_id, unit, bounds, grid_rows,
                               grid_columns, seconds)
VALUES (%(id)s, %(position)s, %(stream_id)s, %(unit)s, %(bounds)s::double precision[],
        %(grid_rows)s, %(grid_columns)s, %(seconds)s);

-- name: result
SELECT * FROM session_results WHERE session_id = %(id)s;

-- name: metrics
SELECT * FROM session_metrics WHERE session_id = %(id)s ORDER BY position;

-- name: strides
SELECT * FROM session_strides WHERE session_id = %(id)s ORDER BY start_at, id LIMIT %(limit)s;

-- name: heat_maps
SELECT * FROM session_heat_maps WHERE session_id = %(id)s ORDER BY position;

-- name: remove
DELETE FROM sessions WHERE id = %(id)s;

-- name: due
SELECT s.id FROM sessions s LEFT JOIN jobs j ON j.id = s.job_id
WHERE s.archived_at IS NULL AND NOT s.locked AND s.start_at < %(before)s AND s.state <> 'open'
  AND (s.state <> 'queued' OR j.state IS NULL OR j.state NOT IN ('queued', 'running'))
ORDER BY s.start_at, s.id
LIMIT %(limit)s;

-- name: archive
UPDATE sessions s
SET archived_at = %(at)s, video = '', version = version + 1,
    state = CASE WHEN state = 'queued' THEN 'cancelled' ELSE state END
WHERE s.id = %(id)s AND s.archived_at IS NULL AND NOT s.locked AND s.state <> 'open'
  AND (s.state <> 'queued' OR NOT EXISTS (
      SELECT FROM jobs j WHERE j.id = s.job_id AND j.state IN ('queued', 'running')));

-- name: forget_details
DELETE FROM session_strides WHERE session_id = %(id)s;
