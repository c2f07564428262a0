-- The registry as the engine needs it. A null farm_id takes every farm.

-- name: horses
SELECT id, farm_id, label, name, colour_hex, status, first_seen_at, last_seen_at, version, breed,
       sex, birth_year, height_cm, colour, markings, stall, first_stream_id, last_stream_id,
       merged_into, total_detections, avatar IS NOT NULL AS has_avatar
FROM horses
WHERE status IN ('active', 'guest') AND (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s)
ORDER BY last_seen_at DESC NULLS LAST, tracking_number;

-- name: merged
SELECT id, merged_into FROM horses
WHERE status = 'merged' AND (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s);

-- name: owners
-- Whose the tracks are that may still be live, by their latest spans.
SELECT DISTINCT ON (t.id) t.id, i.horse_id, i.decided_by
FROM tracks t JOIN identity_spans i ON i.track_id = t.id AND i.superseded_at IS NULL
WHERE (t.ended_at IS NULL AND t.started_at > now() - interval '7 days')
   OR t.ended_at > now() - interval '10 minutes'
ORDER BY t.id, i.valid_to DESC, i.valid_from DESC;

-- name: rejected
SELECT n.track_id, n.horse_id FROM not_same n JOIN tracks t ON t.id = n.track_id
WHERE (t.ended_at IS NULL AND t.started_at > now() - interval '7 days')
   OR t.ended_at > now() - interval '10 minutes';

-- name: cameras_of_horses
SELECT i.horse_id, s.id, max(coalesce(t.ended_at, t.started_at)) AS seen_at
FROM tracks t
JOIN identity_spans i ON i.track_id = t.id AND i.superseded_at IS NULL
JOIN streams s ON s.key = t.stream_key
WHERE t.started_at > now() - interval '2 days'
  AND (%(farm_id)s::uuid IS NULL OR s.farm_id = %(farm_id)s)
GROUP BY i.horse_id, s.id;

-- name: areas
SELECT name, kind, stream_id, region, resolved_horse(expected_horse_id) AS expected
FROM areas WHERE %(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s;

-- name: cameras
-- Numbers grow with time, so the newest tracks hold the highest.
SELECT s.id, coalesce(n.number, 0) + 1 AS next_number, s.config #> '{extra,distances_m}' AS distances_m
FROM streams s
LEFT JOIN LATERAL (
    SELECT max(l.number) AS number FROM (
        SELECT t.number FROM tracks t WHERE t.stream_key = s.key
        ORDER BY t.started_at DESC LIMIT 64
    ) l
) n ON true
WHERE %(farm_id)s::uuid IS NULL OR s.farm_id = %(farm_id)s;

-- name: farms
SELECT f.id, f.expected_residents, f.similarity_threshold FROM farms f
WHERE f.id = %(farm_id)s
   OR (%(farm_id)s::uuid IS NULL AND EXISTS (SELECT FROM streams s WHERE s.farm_id = f.id));

-- name: model_key
SELECT key FROM models WHERE name = %(model)s;

-- name: vector_ids
-- The newest approved vectors of some horses.
SELECT v.horse_id, v.id FROM (
    SELECT i.horse_id, f.id, f.at,
           row_number() OVER (PARTITION BY i.horse_id ORDER BY f.at DESC, f.quality DESC) AS place
    FROM identity_spans i
    JOIN horse_features f ON f.track_id = i.track_id AND f.model_key = %(model_key)s
        AND f.approved AND f.at >= i.valid_from AND f.at < i.valid_to
    WHERE i.superseded_at IS NULL AND i.horse_id = ANY (%(horses)s::uuid[])
) v
WHERE v.place <= %(limit)s
ORDER BY v.horse_id, v.place;

-- name: vectors
SELECT id, vector_send(embedding) FROM horse_features WHERE id = ANY (%(ids)s::uuid[]);
