-- name: horse_intervals
-- When horses were seen (word 0), and their bouts, cut to spans and to the window. Open tracks are
-- seen until their last picture. Words are places in kinds and values, from 0.
WITH owned AS MATERIALIZED (
    SELECT l.place - 1 AS lane, i.track_id,
           greatest(i.valid_from, t.started_at, %(start)s) AS since,
           least(i.valid_to, %(end)s, coalesce(t.ended_at, (
               SELECT max(d.time) FROM detections d
               WHERE d.track_id = t.id AND d.time >= t.started_at), t.started_at)) AS until,
           greatest(i.valid_from, %(start)s) AS bout_since,
           least(i.valid_to, %(end)s) AS bout_until
    FROM unnest(%(lanes)s::uuid[]) WITH ORDINALITY AS l (id, place)
    JOIN identity_spans i ON i.horse_id = l.id
    JOIN tracks t ON t.id = i.track_id
    WHERE i.superseded_at IS NULL
      AND i.valid_to > %(start)s AND i.valid_from < %(end)s
      AND t.started_at < %(end)s AND (t.ended_at >= %(start)s OR t.ended_at IS NULL)
      AND (%(among)s::uuid[] IS NULL OR t.stream_key IN (
           SELECT c.key FROM streams c WHERE c.id = ANY (%(among)s::uuid[])))
), words AS (
    SELECT kind, value, place - 1 AS word
    FROM unnest(%(kinds)s::text[], %(values)s::text[]) WITH ORDINALITY AS w (kind, value, place)
), found AS (
    SELECT lane::int AS lane, 0::smallint AS word, since, until, 0::real AS rank
    FROM owned WHERE since < until
    UNION ALL
    SELECT o.lane::int, w.word::smallint,
           greatest(b.start_at, o.bout_since), least(b.end_at, o.bout_until),
           (b.confidence + CASE WHEN b.provisional THEN 0 ELSE 2 END)::real
    FROM owned o
    CROSS JOIN LATERAL (
        SELECT * FROM bouts b
        WHERE b.track_id = o.track_id AND b.start_at < o.bout_until AND b.end_at > o.bout_since
        OFFSET 0
    ) b
    JOIN words w ON w.kind = b.kind AND w.value = b.value
)
SELECT array_send(array_agg(lane)) AS lane, array_send(array_agg(word)) AS word,
       array_send(array_agg(since)) AS since, array_send(array_agg(until)) AS until,
       array_send(array_agg(rank)) AS rank
FROM found;

-- name: stream_intervals
-- When cameras saw a horse.
WITH found AS (
    SELECT (array_position(%(lanes)s::uuid[], s.id) - 1)::int AS lane,
           greatest(t.started_at, %(start)s) AS since,
           least(%(end)s, coalesce(t.ended_at, (
               SELECT max(d.time) FROM detections d
               WHERE d.track_id = t.id AND d.time >= t.started_at), t.started_at)) AS until
    FROM streams s JOIN tracks t ON t.stream_key = s.key
    WHERE s.id = ANY (%(lanes)s::uuid[]) AND t.class_id = 0
      AND t.started_at < %(end)s AND (t.ended_at >= %(start)s OR t.ended_at IS NULL)
)
SELECT array_send(array_agg(lane)) AS lane, array_send(array_agg(since)) AS since,
       array_send(array_agg(until)) AS until
FROM found WHERE since < until;

-- name: outages
-- When cameras gave no pictures; what lasts lasts until %(now)s.
WITH found AS (
    SELECT (array_position(%(lanes)s::uuid[], s.id) - 1)::int AS lane,
           greatest(o.from_at, %(start)s) AS since,
           least(coalesce(o.to_at, %(now)s), %(end)s) AS until
    FROM streams s JOIN stream_outages o ON o.stream_key = s.key
    WHERE s.id = ANY (%(lanes)s::uuid[]) AND o.from_at < %(end)s
      AND coalesce(o.to_at, 'infinity') > %(start)s
)
SELECT array_send(array_agg(lane)) AS lane, array_send(array_agg(since)) AS since,
       array_send(array_agg(until)) AS until
FROM found WHERE since < until;

-- name: alerts
-- Alerts of horses and of cameras; one that nobody knows the end of is as long as it took to raise.
SELECT (array_position(%(lanes)s::uuid[], l.lane) - 1)::int AS lane, a.severity,
       a.started_at AS since,
       greatest(coalesce(a.ended_at, a.raised_at), a.started_at) AS until
FROM alerts_with_horse a
CROSS JOIN LATERAL (VALUES (a.horse_id), (a.stream_id)) AS l (lane)
WHERE l.lane = ANY (%(lanes)s::uuid[]) AND a.started_at < %(end)s
  AND greatest(coalesce(a.ended_at, a.raised_at), a.started_at) >= %(start)s
ORDER BY a.started_at DESC LIMIT %(limit)s;

-- name: recordings
-- Stretches of chunks on disk, those that hang together as one; kept ones by themselves.
WITH chunks AS (
    SELECT l.place - 1 AS lane, c.locked, c.start_at, c.end_at,
           max(c.end_at) OVER (PARTITION BY l.place, c.locked ORDER BY c.start_at, c.id
                               ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING) AS before
    FROM unnest(%(lanes)s::uuid[]) WITH ORDINALITY AS l (id, place)
    CROSS JOIN LATERAL (
        SELECT * FROM video_chunks c
        WHERE c.stream_id = l.id AND c.start_at < %(end)s
          AND c.start_at > %(start)s::timestamptz - interval '10 min' AND c.end_at > %(start)s
          AND c.state IN ('open', 'complete', 'rescued')
        OFFSET 0
    ) c
), runs AS (
    SELECT *, count(*) FILTER (WHERE before IS NULL OR start_at > before + interval '1 s')
                  OVER (PARTITION BY lane, locked ORDER BY start_at) AS run
    FROM chunks
), found AS (
    SELECT lane::int, locked::int::smallint AS locked,
           greatest(min(start_at), %(start)s) AS since, least(max(end_at), %(end)s) AS until
    FROM runs GROUP BY lane, locked, run
)
SELECT array_send(array_agg(lane)) AS lane, array_send(array_agg(locked)) AS locked,
       array_send(array_agg(since)) AS since, array_send(array_agg(until)) AS until
FROM found WHERE since < until;

-- name: recorded_steps
-- In which steps of time there is a chunk: as many look-ups as steps, however many chunks there are.
WITH steps AS (
    SELECT at, at + %(step_s)s * interval '1 s' AS until
    FROM generate_series(%(start)s::timestamptz, %(end)s::timestamptz - interval '1 us',
                         %(step_s)s * interval '1 s') AS at
), found AS (
    SELECT (l.place - 1)::int AS lane, k.locked::int::smallint AS locked, s.at AS since, s.until
    FROM unnest(%(lanes)s::uuid[]) WITH ORDINALITY AS l (id, place)
    CROSS JOIN steps s CROSS JOIN (VALUES (false), (true)) AS k (locked)
    WHERE EXISTS (
        SELECT FROM video_chunks c
        WHERE c.stream_id = l.id AND c.start_at >= s.at AND c.start_at < s.until
          AND c.locked = k.locked AND c.state IN ('open', 'complete', 'rescued')
        OFFSET 0
    )
)
SELECT array_send(array_agg(lane)) AS lane, array_send(array_agg(locked)) AS locked,
       array_send(array_agg(since)) AS since, array_send(array_agg(until)) AS until
FROM found;

-- name: of_farm
-- Which of these lanes are a farm's.
SELECT id FROM horses WHERE id = ANY (%(lanes)s::uuid[]) AND farm_id = %(farm_id)s
UNION ALL
SELECT id FROM streams WHERE id = ANY (%(lanes)s::uuid[]) AND farm_id = %(farm_id)s;

-- name: sums
-- Sums that hold, of days from %(first)s to before %(until)s.
WITH fresh AS MATERIALIZED (
    SELECT l.place, s.lane, s.day
    FROM unnest(%(lanes)s::uuid[]) WITH ORDINALITY AS l (id, place)
    JOIN timeline_day_states s ON s.lane = l.id
    WHERE s.day >= %(first)s AND s.day < %(until)s AND s.summed = s.generation
)
SELECT array_send(array_agg((f.place - 1)::int)) AS lane,
       array_send(array_agg((d.day - date '1970-01-01')::int)) AS day,
       array_send(array_agg((w.place - 1)::smallint)) AS word,
       string_agg(d.seconds, '') AS seconds
FROM fresh f
CROSS JOIN LATERAL (
    SELECT * FROM timeline_days d WHERE d.lane = f.lane AND d.day = f.day OFFSET 0
) d
JOIN unnest(%(kinds)s::text[], %(values)s::text[]) WITH ORDINALITY AS w (kind, value, place)
  ON w.kind = d.kind AND w.value = d.value;

-- name: states
SELECT array_send(array_agg((l.place - 1)::int)) AS lane,
       array_send(array_agg((s.day - date '1970-01-01')::int)) AS day
FROM unnest(%(lanes)s::uuid[]) WITH ORDINALITY AS l (id, place)
JOIN timeline_day_states s ON s.lane = l.id
WHERE s.day >= %(first)s AND s.day < %(until)s AND s.summed = s.generation;

-- name: one_summer
-- One at a time makes sums; the others do without keeping theirs.
SELECT pg_try_advisory_xact_lock(7091318039310988593) AS mine;

-- name: hold
SELECT hold_identities();

-- name: meet_days
-- After this, held alone, every change of those days is seen by their state.
INSERT INTO timeline_day_states (lane, day)
SELECT * FROM unnest(%(lane)s::uuid[], %(day)s::date[])
ON CONFLICT DO NOTHING;

-- name: unmet_days
SELECT count(*) AS days FROM unnest(%(lane)s::uuid[], %(day)s::date[]) AS u (lane, day)
WHERE NOT EXISTS (SELECT FROM timeline_day_states s WHERE s.lane = u.lane AND s.day = u.day);

-- name: generations
SELECT s.lane, s.day, s.generation
FROM unnest(%(lane)s::uuid[], %(day)s::date[]) AS u (lane, day)
JOIN timeline_day_states s USING (lane, day);

-- name: keep_days
-- Those that nothing changed meanwhile, and that nobody is changing now.
WITH mine AS (
    SELECT s.lane, s.day
    FROM unnest(%(lane)s::uuid[], %(day)s::date[], %(generation)s::int[])
        AS u (lane, day, generation)
    JOIN timeline_day_states s USING (lane, day)
    WHERE s.generation = u.generation
    FOR UPDATE OF s SKIP LOCKED
)
UPDATE timeline_day_states s SET summed = s.generation
FROM mine m WHERE s.lane = m.lane AND s.day = m.day
RETURNING s.lane, s.day;

-- name: forget_sums
DELETE FROM timeline_days d
USING unnest(%(lane)s::uuid[], %(day)s::date[]) AS u (lane, day)
WHERE d.lane = u.lane AND d.day = u.day;

-- name: add_sums
INSERT INTO timeline_days (lane, day, kind, value, seconds)
SELECT u.lane, u.day, u.kind, u.value, u.seconds
FROM unnest(%(lane)s::uuid[], %(day)s::date[], %(kind)s::text[], %(value)s::text[],
            %(seconds)s::bytea[]) AS u (lane, day, kind, value, seconds);

-- name: lanes_to_sum
-- Everything that has a timeline: horses that stand for themselves, and cameras.
SELECT id, true AS horse FROM horses WHERE status <> 'merged'
UNION ALL
SELECT id, false FROM streams WHERE removed_at IS NULL;

-- name: forget_gone_lanes
DELETE FROM timeline_day_states s
WHERE NOT EXISTS (SELECT FROM horses WHERE id = s.lane)
  AND NOT EXISTS (SELECT FROM streams WHERE id = s.lane);

-- name: forget_gone_sums
DELETE FROM timeline_days d
WHERE NOT EXISTS (SELECT FROM timeline_day_states s WHERE s.lane = d.lane AND s.day = d.day);
