-- name: of_streams
-- The newest rows of each stream by its index, then the newest of them all.
SELECT d.*, s.id AS stream_id, i.horse_id, k.name AS skeleton, k.landmarks
FROM (
    SELECT d.* FROM streams s
    CROSS JOIN LATERAL (
        SELECT * FROM detections d
        WHERE d.stream_key = s.key
          AND d.time >= %(start)s AND d.time < %(end)s AND d.time <= %(before_time)s
          AND (d.time, d.track_id) < (%(before_time)s, %(before_track)s)
          AND d.flags & 4 = 0
        ORDER BY d.time DESC, d.track_id DESC
        LIMIT %(limit)s
    ) d
    WHERE %(stream_id)s::uuid IS NULL OR s.id = %(stream_id)s
    ORDER BY d.time DESC, d.track_id DESC
    LIMIT %(limit)s
) d
JOIN streams s ON s.key = d.stream_key
LEFT JOIN skeletons k ON k.key = d.skeleton_key
LEFT JOIN identity_spans i
       ON i.track_id = d.track_id AND i.superseded_at IS NULL
      AND d.time >= i.valid_from AND d.time < i.valid_to
ORDER BY d.time DESC, d.track_id DESC;

-- name: of_horse
-- The spans that end last first, as many as asked for; a span's own bounds keep all but its days
-- out. The caller asks for more spans while later ones could still hold newer rows.
SELECT d.*, k.name AS skeleton, k.landmarks
FROM (
    SELECT d.*, i.stream_id, i.horse_id
    FROM (
        SELECT i.track_id, i.horse_id, s.id AS stream_id,
               greatest(i.valid_from, t.started_at, %(start)s) AS since,
               least(i.valid_to, coalesce(t.ended_at + interval '1 s', 'infinity'), %(end)s)
                   AS until
        FROM identity_spans i
        JOIN tracks t ON t.id = i.track_id
        JOIN streams s ON s.key = t.stream_key
        WHERE i.horse_id = %(horse_id)s AND i.superseded_at IS NULL
          AND (%(stream_id)s::uuid IS NULL OR s.id = %(stream_id)s)
          AND t.started_at <= %(before_time)s AND t.started_at < %(end)s
          AND coalesce(t.ended_at, 'infinity') >= %(start)s
        ORDER BY until DESC, i.id
        LIMIT %(spans)s
    ) i
    CROSS JOIN LATERAL (
        SELECT * FROM detections d
        WHERE d.track_id = i.track_id AND d.time >= i.since AND d.time < i.until
          AND d.time <= %(before_time)s
          AND (d.time, d.track_id) < (%(before_time)s, %(before_track)s)
          AND d.flags & 4 = 0
        ORDER BY d.time DESC
        LIMIT %(limit)s
    ) d
    ORDER BY d.time DESC, d.track_id DESC
    LIMIT %(limit)s
) d
LEFT JOIN skeletons k ON k.key = d.skeleton_key
ORDER BY d.time DESC, d.track_id DESC;

-- name: next_span_end
-- When the newest span ends that "of_horse" with this many spans did not look at.
SELECT least(i.valid_to, coalesce(t.ended_at + interval '1 s', 'infinity'), %(end)s) AS until
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
JOIN streams s ON s.key = t.stream_key
WHERE i.horse_id = %(horse_id)s AND i.superseded_at IS NULL
  AND (%(stream_id)s::uuid IS NULL OR s.id = %(stream_id)s)
  AND t.started_at <= %(before_time)s AND t.started_at < %(end)s
  AND coalesce(t.ended_at, 'infinity') >= %(start)s
ORDER BY until DESC, i.id
OFFSET %(spans)s LIMIT 1;

-- name: count
SELECT count(*) AS rows FROM detections
WHERE time >= %(start)s AND time < %(end)s AND flags & 4 = 0;
