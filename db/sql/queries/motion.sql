-- Tables with many rows a track are asked track by track (OFFSET 0 keeps the planner at it): how
-- many tracks a stretch of time has it cannot guess.

-- name: bouts_of_horses
-- Parts of bouts that are these horses', driven by their spans.
SELECT b.id, b.track_id, s.id AS stream_id, i.horse_id, b.kind, b.value, b.confidence,
       b.provisional, b.open AND b.end_at <= i.valid_to AS open,
       greatest(b.start_at, i.valid_from) AS start_at, least(b.end_at, i.valid_to) AS end_at
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
JOIN streams s ON s.key = t.stream_key
CROSS JOIN LATERAL (
    SELECT * FROM bouts b
    WHERE b.track_id = i.track_id AND b.start_at < least(i.valid_to, %(end)s) OFFSET 0
) b
WHERE i.horse_id = ANY (%(horse_ids)s::uuid[]) AND i.superseded_at IS NULL
  AND i.valid_to > %(start)s AND i.valid_from < %(end)s
  AND t.started_at < %(end)s AND (t.ended_at >= %(start)s OR t.ended_at IS NULL)
  AND (%(stream_id)s::uuid IS NULL OR s.id = %(stream_id)s)
  AND (%(farm_id)s::uuid IS NULL OR s.farm_id = %(farm_id)s)
  AND (%(among)s::uuid[] IS NULL OR s.id = ANY (%(among)s::uuid[]))
  AND (%(kinds)s::text[] IS NULL OR b.kind = ANY (%(kinds)s::text[]))
  AND b.start_at < %(end)s AND (b.end_at > %(start)s OR b.start_at >= %(start)s)
  AND b.start_at < i.valid_to AND (b.end_at > i.valid_from OR b.start_at >= i.valid_from)
  AND least(b.end_at, i.valid_to) >= %(start)s AND greatest(b.start_at, i.valid_from) < %(end)s
ORDER BY start_at, b.id LIMIT %(limit)s;

-- name: bouts
-- Parts of everybody's bouts, and of nobody's.
SELECT b.id, b.track_id, s.id AS stream_id, p.horse_id, b.kind, b.value, b.confidence,
       b.provisional, b.open AND p.end_at = b.end_at AS open, p.start_at, p.end_at
FROM tracks t
JOIN streams s ON s.key = t.stream_key
CROSS JOIN LATERAL (
    SELECT * FROM bouts b WHERE b.track_id = t.id AND b.start_at < %(end)s OFFSET 0
) b
CROSS JOIN LATERAL (
    SELECT i.horse_id, greatest(b.start_at, i.valid_from) AS start_at,
           least(b.end_at, i.valid_to) AS end_at
    FROM identity_spans i
    WHERE i.track_id = b.track_id AND i.superseded_at IS NULL AND i.valid_to > b.start_at
      AND (i.valid_from < b.end_at OR i.valid_from <= b.start_at)
    UNION ALL
    SELECT NULL, lower(r), upper(r)
    FROM unnest(tstzmultirange(tstzrange(b.start_at, b.end_at)) - coalesce(
             (SELECT range_agg(tstzrange(i.valid_from, i.valid_to)) FROM identity_spans i
              WHERE i.track_id = b.track_id AND i.superseded_at IS NULL), '{}')) r
) p
WHERE t.started_at < %(end)s AND (t.ended_at >= %(start)s OR t.ended_at IS NULL)
  AND (%(stream_id)s::uuid IS NULL OR s.id = %(stream_id)s)
  AND (%(farm_id)s::uuid IS NULL OR s.farm_id = %(farm_id)s)
  AND (%(among)s::uuid[] IS NULL OR s.id = ANY (%(among)s::uuid[]))
  AND (%(kinds)s::text[] IS NULL OR b.kind = ANY (%(kinds)s::text[]))
  AND b.start_at < %(end)s AND (b.end_at > %(start)s OR b.start_at >= %(start)s)
  AND p.start_at < %(end)s AND (p.end_at > %(start)s OR p.start_at >= %(start)s)
ORDER BY p.start_at, b.id LIMIT %(limit)s;

-- name: strides_of_horse
SELECT d.*, s.id AS stream_id, i.horse_id
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
JOIN streams s ON s.key = t.stream_key
CROSS JOIN LATERAL (
    SELECT * FROM strides d
    WHERE d.track_id = i.track_id AND d.start_at >= %(start)s AND d.start_at < %(end)s OFFSET 0
) d
WHERE i.horse_id = %(horse_id)s AND i.superseded_at IS NULL
  AND (%(track_id)s::uuid IS NULL OR i.track_id = %(track_id)s)
  AND t.started_at < %(end)s AND (t.ended_at >= %(start)s OR t.ended_at IS NULL)
  AND d.start_at >= i.valid_from AND d.start_at < i.valid_to
  AND (%(gaits)s::smallint[] IS NULL OR d.gait = ANY (%(gaits)s::smallint[]))
  AND (d.straight OR NOT %(straight_only)s)
  AND (%(among)s::uuid[] IS NULL OR s.id = ANY (%(among)s::uuid[]))
ORDER BY d.start_at, d.id LIMIT %(limit)s;

-- name: strides_of_track
SELECT d.*, s.id AS stream_id, i.horse_id
FROM strides d
JOIN tracks t ON t.id = d.track_id
JOIN streams s ON s.key = t.stream_key
LEFT JOIN identity_spans i
       ON i.track_id = d.track_id AND i.superseded_at IS NULL
      AND d.start_at >= i.valid_from AND d.start_at < i.valid_to
WHERE d.track_id = %(track_id)s AND d.start_at >= %(start)s AND d.start_at < %(end)s
  AND (%(gaits)s::smallint[] IS NULL OR d.gait = ANY (%(gaits)s::smallint[]))
  AND (d.straight OR NOT %(straight_only)s)
  AND (%(among)s::uuid[] IS NULL OR s.id = ANY (%(among)s::uuid[]))
ORDER BY d.start_at, d.id LIMIT %(limit)s;

-- name: strides
SELECT d.*, s.id AS stream_id, i.horse_id
FROM strides d
JOIN tracks t ON t.id = d.track_id
JOIN streams s ON s.key = t.stream_key
LEFT JOIN identity_spans i
       ON i.track_id = d.track_id AND i.superseded_at IS NULL
      AND d.start_at >= i.valid_from AND d.start_at < i.valid_to
WHERE d.start_at >= %(start)s AND d.start_at < %(end)s
  AND (%(gaits)s::smallint[] IS NULL OR d.gait = ANY (%(gaits)s::smallint[]))
  AND (d.straight OR NOT %(straight_only)s)
  AND (%(among)s::uuid[] IS NULL OR s.id = ANY (%(among)s::uuid[]))
ORDER BY d.start_at, d.id LIMIT %(limit)s;

-- name: metric_rows
-- A horse's rows, as many as the limit and one more say that there are too many to show each.
SELECT m.*
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
CROSS JOIN LATERAL (
    SELECT * FROM pose_metrics m
    WHERE m.track_id = i.track_id
      AND m.time >= greatest(i.valid_from, t.started_at - interval '1 s', %(start)s)
      AND m.time < least(i.valid_to, coalesce(t.ended_at + interval '1 s', 'infinity'), %(end)s)
) m
WHERE i.horse_id = %(horse_id)s AND i.superseded_at IS NULL
  AND i.valid_to > %(start)s AND i.valid_from < %(end)s
  AND t.started_at < %(end)s AND (t.ended_at >= %(start)s OR t.ended_at IS NULL)
  AND (%(among)s::uuid[] IS NULL OR t.stream_key IN (
       SELECT c.key FROM streams c WHERE c.id = ANY (%(among)s::uuid[])))
LIMIT %(limit)s;

-- name: metric_buckets
-- {columns} are the mean, least and greatest of what was asked for.
SELECT floor(extract(epoch FROM m.time - %(start)s) / %(bucket_s)s)::int AS bucket, {columns}
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
CROSS JOIN LATERAL (
    SELECT * FROM pose_metrics m
    WHERE m.track_id = i.track_id
      AND m.time >= greatest(i.valid_from, t.started_at - interval '1 s', %(start)s)
      AND m.time < least(i.valid_to, coalesce(t.ended_at + interval '1 s', 'infinity'), %(end)s)
    OFFSET 0
) m
WHERE i.horse_id = %(horse_id)s AND i.superseded_at IS NULL
  AND i.valid_to > %(start)s AND i.valid_from < %(end)s
  AND t.started_at < %(end)s AND (t.ended_at >= %(start)s OR t.ended_at IS NULL)
  AND (%(among)s::uuid[] IS NULL OR t.stream_key IN (
       SELECT c.key FROM streams c WHERE c.id = ANY (%(among)s::uuid[])))
GROUP BY 1 ORDER BY 1;

-- name: hold
SELECT hold_identities();

-- name: known_tracks
SELECT id FROM tracks WHERE id = ANY (%(ids)s::uuid[]);

-- name: reaching_bouts
-- Stored bouts of a track that reach into a stretch.
SELECT id, start_at, end_at, confidence, provisional, open, kind, value, told_id FROM bouts
WHERE track_id = %(track_id)s AND start_at < %(end)s
  AND (end_at > %(start)s OR start_at >= %(start)s);

-- name: stored_bouts
SELECT id FROM bouts WHERE id = ANY (%(ids)s::uuid[]);

-- name: remove_bouts
DELETE FROM bouts WHERE id = ANY (%(ids)s::uuid[]);

-- name: remove_strides
DELETE FROM strides
WHERE track_id = %(track_id)s AND start_at >= %(start)s AND start_at < %(end)s;

-- name: settle_stretch
-- Stretches that touch or overlap become one.
WITH touching AS (
    DELETE FROM final_stretches
    WHERE track_id = %(track_id)s AND start_at <= %(end)s AND end_at >= %(start)s
    RETURNING start_at, end_at
)
INSERT INTO final_stretches (track_id, start_at, end_at)
SELECT %(track_id)s, least(%(start)s, min(start_at)), greatest(%(end)s, max(end_at))
FROM touching;
