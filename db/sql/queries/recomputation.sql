-- Figures of horses that follow from their spans. Each takes horse_ids and command (the correction
-- that made it necessary, null after an undo).

-- name: sightings
UPDATE horses h
SET first_seen_at = n.first_at, last_seen_at = n.last_at, total_detections = n.total,
    first_stream_id = CASE WHEN n.first_at IS NULL THEN h.first_stream_id ELSE n.first_stream END,
    last_stream_id = n.last_stream
FROM (
    SELECT w.horse_id, min(w.began) AS first_at, max(w.finished) AS last_at,
           coalesce(sum(w.total), 0)::bigint AS total,
           (array_agg(s.id ORDER BY w.began, w.track_id) FILTER (WHERE w.began IS NOT NULL))[1]
               AS first_stream,
           (array_agg(s.id ORDER BY w.finished DESC, w.track_id)
               FILTER (WHERE w.finished IS NOT NULL))[1] AS last_stream
    FROM (
        SELECT o.horse_id, p.track_id, p.stream_key,
               CASE WHEN p.whole THEN p.started_at ELSE c.first_at END AS began,
               CASE WHEN p.whole THEN p.ended_at ELSE c.last_at END AS finished,
               CASE WHEN p.whole THEN p.detections ELSE c.rows END AS total
        FROM unnest(%(horse_ids)s::uuid[]) AS o (horse_id)
        LEFT JOIN (
            SELECT i.horse_id, i.track_id, i.valid_from, i.valid_to, t.stream_key, t.started_at,
                   t.ended_at, t.detections,
                   coalesce(i.valid_from <= t.started_at AND i.valid_to > t.ended_at, false)
                       AS whole
            FROM identity_spans i JOIN tracks t ON t.id = i.track_id
            WHERE i.superseded_at IS NULL AND i.horse_id = ANY (%(horse_ids)s::uuid[])
        ) p ON p.horse_id = o.horse_id
        LEFT JOIN LATERAL (
            SELECT count(*) AS rows, min(d.time) AS first_at, max(d.time) AS last_at
            FROM detections d
            WHERE NOT p.whole AND d.track_id = p.track_id AND d.time >= p.started_at
              AND d.time >= p.valid_from AND d.time < p.valid_to AND d.flags & 4 = 0
        ) c ON true
    ) w
    LEFT JOIN streams s ON s.key = w.stream_key
    GROUP BY w.horse_id
) n
WHERE h.id = n.horse_id AND h.status <> 'merged';

-- name: avatars
-- The best crop of the tracks that are the horse's as a whole; a horse without any keeps what it
-- has, unless nothing is its own any more. What is replaced is kept with the command.
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
    WHERE h.status <> 'merged'
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
