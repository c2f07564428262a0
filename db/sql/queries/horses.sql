-- name: list
SELECT id, farm_id, label, name, colour_hex, status, first_seen_at, last_seen_at, version,
       breed, sex, birth_year, height_cm, colour, markings, stall, first_stream_id,
       last_stream_id, merged_into, total_detections, avatar IS NOT NULL AS has_avatar
FROM horses WHERE farm_id = %(farm_id)s ORDER BY tracking_number;

-- name: list_all
SELECT id, farm_id, label, name, colour_hex, status, first_seen_at, last_seen_at, version,
       breed, sex, birth_year, height_cm, colour, markings, stall, first_stream_id,
       last_stream_id, merged_into, total_detections, avatar IS NOT NULL AS has_avatar
FROM horses ORDER BY farm_id, tracking_number;

-- name: some
SELECT id, farm_id, label, name, colour_hex, status, first_seen_at, last_seen_at, version,
       breed, sex, birth_year, height_cm, colour, markings, stall, first_stream_id,
       last_stream_id, merged_into, total_detections, avatar IS NOT NULL AS has_avatar
FROM horses WHERE id = ANY (%(ids)s::uuid[]);

-- name: avatar
SELECT avatar FROM horses WHERE id = %(id)s;

-- name: crop
SELECT crop FROM tracks WHERE id = %(id)s;

-- name: sample_vectors
-- Approved vectors of a horse to look for others with: of the model that it has most of, the best
-- one of each of its most recent tracks.
SELECT b.model_key, b.embedding, vector_dims(b.embedding) AS dimension
FROM (
    SELECT t.id FROM identity_spans i JOIN tracks t ON t.id = i.track_id
    WHERE i.horse_id = %(id)s AND i.superseded_at IS NULL
      AND EXISTS (SELECT FROM horse_features f WHERE f.track_id = t.id AND f.approved)
    ORDER BY t.started_at DESC LIMIT %(samples)s
) t
CROSS JOIN LATERAL (
    SELECT f.model_key, f.embedding FROM horse_features f
    JOIN identity_spans i ON i.track_id = f.track_id AND i.superseded_at IS NULL
         AND i.horse_id = %(id)s AND f.at >= i.valid_from AND f.at < i.valid_to
    WHERE f.track_id = t.id AND f.approved
    ORDER BY f.quality DESC, f.id LIMIT 2
) b;

-- name: strips_of_horse
SELECT i.track_id, i.horse_id, i.confidence, i.decided_by, t.number, t.detections,
       s.id AS stream_id, s.name AS stream_name, t.crop IS NOT NULL AS has_crop,
       greatest(i.valid_from, t.started_at) AS since,
       nullif(least(i.valid_to, coalesce(t.ended_at, 'infinity')), 'infinity') AS until,
       t.started_at, t.ended_at,
       coalesce(i.valid_from <= t.started_at AND i.valid_to > t.ended_at, false) AS whole
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
JOIN streams s ON s.key = t.stream_key
WHERE i.horse_id = %(horse_id)s AND i.superseded_at IS NULL
  AND (%(stream_id)s::uuid IS NULL OR s.id = %(stream_id)s)
  AND t.started_at < %(end)s AND coalesce(t.ended_at, 'infinity') >= %(start)s
  AND i.valid_from < %(end)s AND i.valid_to > %(start)s
  AND i.valid_from <= coalesce(t.ended_at, 'infinity') AND i.valid_to > t.started_at
ORDER BY greatest(i.valid_from, t.started_at) DESC, i.id
LIMIT %(limit)s;

-- name: tracks_of_camera
-- Horses' tracks of one camera or all, each with its current spans.
SELECT t.id AS track_id, t.number, t.detections, t.confidence, s.id AS stream_id,
       s.name AS stream_name, t.crop IS NOT NULL AS has_crop, t.started_at, t.ended_at,
       coalesce(i.spans, '[]') AS spans
FROM (
    SELECT n.* FROM streams c
    CROSS JOIN LATERAL (
        SELECT * FROM tracks n
        WHERE n.stream_key = c.key AND n.started_at < %(end)s
          AND coalesce(n.ended_at, 'infinity') >= %(start)s AND n.class_id = 0
        ORDER BY n.started_at DESC, n.id LIMIT %(limit)s
    ) n
    WHERE %(stream_id)s::uuid IS NULL OR c.id = %(stream_id)s
    ORDER BY n.started_at DESC, n.id LIMIT %(limit)s
) t
JOIN streams s ON s.key = t.stream_key
LEFT JOIN LATERAL (
    SELECT jsonb_agg(jsonb_build_object(
               'horse_id', p.horse_id, 'confidence', p.confidence, 'decided_by', p.decided_by,
               'since', nullif(p.valid_from, '-infinity'),
               'until', nullif(p.valid_to, 'infinity')) ORDER BY p.valid_from) AS spans
    FROM identity_spans p WHERE p.track_id = t.id AND p.superseded_at IS NULL
) i ON true
ORDER BY t.started_at DESC, t.id;

-- name: seen_in_parts
-- Rows and the last instant of parts of tracks that are open or shared between horses.
SELECT p.place, d.rows, d.last_at
FROM unnest(%(places)s::int[], %(tracks)s::uuid[], %(since)s::timestamptz[],
            %(until)s::timestamptz[]) AS p (place, track_id, since, until)
CROSS JOIN LATERAL (
    SELECT count(*) AS rows, max(d.time) AS last_at FROM detections d
    WHERE d.track_id = p.track_id AND d.time >= p.since
      AND d.time < coalesce(p.until, 'infinity') AND d.flags & 4 = 0
) d;
