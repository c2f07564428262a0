-- name: try_lock
SELECT pg_try_advisory_xact_lock(7091318039310988591) AS locked;

-- name: is_hypertable
SELECT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') AS timescale;

-- name: partitions
SELECT c.relname AS name FROM pg_inherits i
JOIN pg_class c ON c.oid = i.inhrelid
WHERE i.inhparent = to_regclass(%(table)s);

-- name: stray_days
-- Days with rows in the default partition that are inside the kept range.
SELECT DISTINCT (time AT TIME ZONE 'UTC')::date AS day FROM detections_default
WHERE time >= %(oldest)s AND time < %(newest)s ORDER BY 1;

-- name: keep_readers_out
LOCK TABLE ONLY detections IN ACCESS EXCLUSIVE MODE;

-- name: drop_old_strays
DELETE FROM detections_default WHERE time < %(oldest)s;

-- name: close_forgotten_tracks
-- Tracks whose engine ended without saying so: they end at their last detection.
UPDATE tracks SET
    ended_at = greatest(started_at, coalesce(last.time, started_at)),
    detections = coalesce(last.rows, 0)
FROM (
    SELECT t.id, d.time, d.rows FROM tracks t
    CROSS JOIN LATERAL (
        SELECT max(time) AS time, count(*) AS rows FROM detections
        WHERE track_id = t.id AND time >= t.started_at
    ) d
    WHERE t.ended_at IS NULL AND t.started_at < %(before)s
    LIMIT 1000
) last
WHERE tracks.id = last.id AND (last.time IS NULL OR last.time < %(before)s);

-- name: drop_old_batches
DELETE FROM spool_batches WHERE written_at < %(before)s;
