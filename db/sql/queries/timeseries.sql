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
SELECT DISTINCT (time AT TIME ZONE 'UTC')::date AS day FROM {default}
WHERE time >= %(oldest)s AND time < %(newest)s ORDER BY 1;

-- name: keep_readers_out
LOCK TABLE ONLY {table} IN ACCESS EXCLUSIVE MODE;

-- name: drop_old_strays
DELETE FROM {default} WHERE time < %(oldest)s;

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

-- name: activity_is_a_table
SELECT c.relkind = 'r' AS plain FROM pg_class c WHERE c.oid = to_regclass('hourly_activity');

-- name: forget_activity
DELETE FROM hourly_activity WHERE hour >= date_trunc('hour', %(anew)s::timestamptz, 'UTC');

-- name: sum_activity
-- From the last hour that is summed up (or where rows begin) to the last whole one.
INSERT INTO hourly_activity (hour, track_id, samples, moving, speed_samples, speed_sum)
SELECT date_trunc('hour', time, 'UTC'), track_id, count(*),
       count(*) FILTER (WHERE speed_mps > 500), count(speed_mps), coalesce(sum(speed_mps), 0)
FROM pose_metrics
WHERE time >= coalesce((SELECT max(hour) + interval '1 hour' FROM hourly_activity), '-infinity')
  AND time < date_trunc('hour', %(until)s::timestamptz, 'UTC')
GROUP BY 1, 2;
