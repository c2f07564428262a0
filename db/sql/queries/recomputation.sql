-- Figures of horses that follow from their spans. Each takes horse_ids and command (the correction
-- that made it necessary, null after an undo).

-- name: sightings
WITH stretches AS MATERIALIZED (
    SELECT i.horse_id, i.track_id, i.valid_from, i.valid_to, t.stream_key, t.started_at,
           t.ended_at, t.detections,
           coalesce(i.valid_from <= t.started_at AND i.valid_to > t.ended_at, false) AS whole
    FROM identity_spans i JOIN tracks t ON t.id = i.track_id
    WHERE i.superseded_at IS NULL AND i.horse_id = ANY (%(horse_ids)s::uuid[])
), counted AS MATERIALIZED (
    -- Whole finished tracks know their count; of others the detections are looked at.
    SELECT horse_id, track_id, stream_key, started_at AS began, ended_at AS finished,
           detections AS rows
    FROM stretches WHERE whole
    UNION ALL
    SELECT w.horse_id, w.track_id, w.stream_key, c.first_at, c.last_at, c.rows
    FROM stretches w
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, min(d.time) AS first_at, max(d.time) AS last_at
        FROM detections d
        WHERE d.track_id = w.track_id AND d.time >= w.started_at
          AND d.time >= w.valid_from AND d.time < w.valid_to AND d.flags & 4 = 0
    ) c
    WHERE NOT w.whole
), figures AS (
    SELECT o.horse_id, min(c.began) AS first_at, max(c.finished) AS last_at,
           coalesce(sum(c.rows), 0)::bigint AS total
    FROM unnest(%(horse_ids)s::uuid[]) AS o (horse_id)
    LEFT JOIN counted c ON c.horse_id = o.horse_id
    GROUP BY o.horse_id
)
UPDATE horses h
SET first_seen_at = f.first_at, last_seen_at = f.last_at, total_detections = f.total,
    last_stream_id = (
        SELECT s.id FROM counted c JOIN streams s ON s.key = c.stream_key
        WHERE c.horse_id = f.horse_id AND c.finished = f.last_at ORDER BY c.track_id LIMIT 1
    )
FROM figures f
WHERE h.id = f.horse_id AND h.status <> 'merged';

-- name: avatars
-- The best crop of the tracks that are the horse's as a whole; a horse without any keeps what it
-- has, unless nothing is its own any more. What is replaced is kept with the command. A picture
-- that a person chose (its score is above every crop's) stays.
WITH best AS (
    SELECT o.horse_id,
           (SELECT count(*) FROM identity_spans i
            WHERE i.horse_id = o.horse_id AND i.superseded_at IS NULL) AS spans,
           b.id AS track_id, b.crop_score
    FROM unnest(%(horse_ids)s::uuid[]) AS o (horse_id)
    LEFT JOIN LATERAL (
        SELECT t.id, t.crop_score FROM identity_spans i JOIN tracks t ON t.id = i.track_id
        WHERE i.horse_id = o.horse_id AND i.superseded_at IS NULL AND t.crop IS NOT NULL
          AND i.valid_from <= t.started_at AND i.valid_to > coalesce(t.ended_at, t.started_at)
        ORDER BY t.crop_score DESC, t.id LIMIT 1
    ) b ON true
), changed AS (
    SELECT h.id, h.avatar, h.avatar_score, b.track_id, b.crop_score
    FROM best b JOIN horses h ON h.id = b.horse_id
    WHERE h.status <> 'merged' AND h.avatar_score < 1e9
      AND (b.crop_score IS DISTINCT FROM h.avatar_score OR h.avatar IS NULL)
      AND (b.track_id IS NOT NULL OR (b.spans = 0 AND h.avatar IS NOT NULL))
), saved AS (
    INSERT INTO identity_command_avatars (command_id, horse_id, avatar, avatar_score)
    SELECT %(command)s, id, avatar, avatar_score FROM changed WHERE %(command)s::uuid IS NOT NULL
)
UPDATE horses h
SET avatar = (SELECT t.crop FROM tracks t WHERE t.id = c.track_id),
    avatar_score = coalesce(c.crop_score, 0)
FROM changed c WHERE h.id = c.id;
