-- What the engine decides about identities, as its writer stores it. The schema's triggers keep
-- what people decided and follow merges.

-- name: known_tracks
SELECT id FROM tracks WHERE id = ANY (%(ids)s::uuid[]);

-- name: known_horses
SELECT id, resolved_horse(id) FROM horses WHERE id = ANY (%(ids)s::uuid[]);

-- name: lock_horses
-- In one order, so that two writers never wait for each other.
SELECT id FROM horses WHERE id = ANY (%(ids)s::uuid[]) ORDER BY id FOR NO KEY UPDATE;

-- name: add_horse
INSERT INTO horses (id, farm_id, first_stream_id, last_stream_id, tracking_number, label,
                    colour_hex, first_seen_at, last_seen_at, status)
SELECT %(id)s, s.farm_id, s.id, s.id, n.number,
       'horse_' || lpad(n.number::text, greatest(3, length(n.number::text)), '0'),
       %(colour_hex)s, %(at)s, %(at)s, 'guest'
FROM streams s CROSS JOIN LATERAL (SELECT next_tracking_number(s.farm_id) AS number) n
WHERE s.id = %(stream_id)s AND NOT EXISTS (SELECT FROM horses WHERE id = %(id)s);

-- name: owners
SELECT DISTINCT horse_id FROM identity_spans
WHERE track_id = ANY (%(ids)s::uuid[]) AND superseded_at IS NULL;

-- name: add_span
INSERT INTO identity_spans (id, track_id, horse_id, valid_from, valid_to, confidence, decided_by)
VALUES (%(id)s, %(track_id)s, %(horse_id)s, coalesce(%(start)s::timestamptz, '-infinity'),
        coalesce(%(end)s::timestamptz, 'infinity'), %(confidence)s, %(decided_by)s);

-- name: withdraw_spans
-- What was decided about the time before stays.
WITH ended AS (
    UPDATE identity_spans SET superseded_at = clock_timestamp()
    WHERE track_id = %(track_id)s AND superseded_at IS NULL AND decided_by = 'engine'
      AND valid_to > coalesce(%(since)s::timestamptz, '-infinity')
    RETURNING track_id, horse_id, valid_from, confidence
)
INSERT INTO identity_spans (id, track_id, horse_id, valid_from, valid_to, confidence, decided_by)
SELECT gen_random_uuid(), track_id, horse_id, valid_from, %(since)s, confidence, 'engine'
FROM ended WHERE valid_from < %(since)s::timestamptz;

-- name: count_new_owners
-- A track's detections before it was identified count for its horse too.
UPDATE horses h SET total_detections = h.total_detections + n.rows
FROM (
    SELECT i.horse_id, sum(c.rows) AS rows
    FROM identity_spans i
    JOIN tracks t ON t.id = i.track_id
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows FROM detections d
        WHERE d.track_id = i.track_id AND d.time >= t.started_at
          AND d.time >= i.valid_from AND d.time < i.valid_to AND d.flags & 4 = 0
    ) c
    WHERE i.track_id = ANY (%(ids)s::uuid[]) AND i.superseded_at IS NULL
    GROUP BY i.horse_id
) n
WHERE h.id = n.horse_id;

-- name: saw
UPDATE horses h
SET total_detections = h.total_detections + n.detections,
    first_seen_at = least(h.first_seen_at, n.first_at),
    first_stream_id = coalesce(h.first_stream_id, n.stream_id),
    last_stream_id = CASE WHEN h.last_seen_at IS NULL OR n.last_at >= h.last_seen_at
                          THEN n.stream_id ELSE h.last_stream_id END,
    last_seen_at = greatest(h.last_seen_at, n.last_at)
FROM (
    SELECT u.horse_id, sum(u.detections) AS detections, min(u.first_at) AS first_at,
           max(u.last_at) AS last_at,
           (array_agg(s.id ORDER BY u.last_at DESC))[1] AS stream_id
    FROM unnest(%(horses)s::uuid[], %(streams)s::uuid[], %(first)s::timestamptz[],
                %(last)s::timestamptz[], %(detections)s::bigint[])
        AS u (horse_id, stream_id, first_at, last_at, detections)
    JOIN streams s ON s.id = u.stream_id
    GROUP BY u.horse_id
) n
WHERE h.id = n.horse_id;

-- name: add_feature
INSERT INTO horse_features (id, track_id, at, model_key, quality, approved, embedding)
VALUES (%(id)s, %(track_id)s, %(at)s, %(model_key)s, %(quality)s, %(approved)s,
        %(vector)s::real[]::vector)
ON CONFLICT (id) DO UPDATE SET approved = horse_features.approved OR excluded.approved;

-- name: add_vector_index
CREATE INDEX IF NOT EXISTS {name} ON horse_features
USING hnsw ((embedding::vector({dimension})) vector_cosine_ops) WHERE model_key = {model_key};

-- name: take_crop
UPDATE tracks SET crop = %(jpeg)s, crop_score = %(score)s
WHERE id = %(track_id)s AND (crop IS NULL OR crop_score <= %(score)s);

-- name: better_avatars
-- A horse's avatar is the best crop of its tracks.
UPDATE horses h SET avatar = b.crop, avatar_score = b.crop_score
FROM (
    SELECT DISTINCT ON (i.horse_id) i.horse_id, t.crop, t.crop_score
    FROM identity_spans i JOIN tracks t ON t.id = i.track_id
    WHERE i.track_id = ANY (%(ids)s::uuid[]) AND i.superseded_at IS NULL AND t.crop IS NOT NULL
      AND i.valid_from <= t.started_at AND i.valid_to > coalesce(t.ended_at, t.started_at)
    ORDER BY i.horse_id, t.crop_score DESC
) b
WHERE h.id = b.horse_id AND (h.avatar IS NULL OR h.avatar_score < b.crop_score);

-- name: add_review
INSERT INTO reviews (id, farm_id, kind, track_id, other_track_id, horse_id, similarity, at)
SELECT %(id)s, s.farm_id, %(kind)s, %(track_id)s, %(other_track_id)s, %(horse_id)s,
       %(similarity)s, %(at)s
FROM streams s WHERE s.id = %(stream_id)s
ON CONFLICT (id) DO NOTHING;

-- name: notify
SELECT pg_notify('barnhand_identity', %(payload)s);
