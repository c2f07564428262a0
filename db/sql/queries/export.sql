-- Rows to hand out: of cameras (stream_ids, never empty) and, unless null, of one horse, between two
-- instants, oldest first. Whose they are is what the spans say now.

-- name: scope
-- The cameras of a farm, or those of them that were asked for.
SELECT s.id, s.name, s.key FROM streams s
WHERE s.farm_id = %(farm_id)s
  AND (%(stream_ids)s::uuid[] = '{}' OR s.id = ANY (%(stream_ids)s))
ORDER BY s.name, s.id;

-- name: horse
SELECT h.id, h.label, h.name, h.breed, h.sex, h.birth_year, h.height_cm, h.colour, h.markings,
       h.stall, h.status, h.first_seen_at, h.last_seen_at, h.avatar
FROM horses h
WHERE h.id = resolved_horse(%(horse_id)s) AND h.farm_id = %(farm_id)s;

-- name: detections
SELECT d.time, s.name AS camera, s.id AS stream_id, d.track_id, t.number AS track_number,
       i.horse_id, coalesce(h.name, h.label) AS horse, d.class_id, d.score, d.x1, d.y1, d.x2, d.y2,
       d.flags, m.name AS model, k.name AS skeleton, k.landmarks, d.keypoints
FROM detections d
JOIN streams s ON s.key = d.stream_key
JOIN tracks t ON t.id = d.track_id
LEFT JOIN identity_spans i
       ON i.track_id = d.track_id AND i.superseded_at IS NULL
      AND d.time >= i.valid_from AND d.time < i.valid_to
LEFT JOIN horses h ON h.id = i.horse_id
LEFT JOIN models m ON m.key = d.model_key
LEFT JOIN skeletons k ON k.key = d.skeleton_key
WHERE s.id = ANY (%(stream_ids)s::uuid[]) AND d.time >= %(start)s AND d.time < %(end)s
  AND d.flags & 4 = 0
  AND (%(horse_id)s::uuid IS NULL OR i.horse_id = %(horse_id)s)
ORDER BY d.time, d.track_id;

-- name: bouts
-- Cut to the spans and to the interval.
SELECT greatest(b.start_at, i.valid_from, %(start)s) AS start_at,
       least(b.end_at, i.valid_to, %(end)s) AS end_at, b.kind, b.value, b.confidence,
       b.provisional, s.name AS camera, s.id AS stream_id, b.track_id, t.number AS track_number,
       i.horse_id, coalesce(h.name, h.label) AS horse
FROM bouts b
JOIN tracks t ON t.id = b.track_id
JOIN streams s ON s.key = t.stream_key
LEFT JOIN identity_spans i
       ON i.track_id = b.track_id AND i.superseded_at IS NULL
      AND b.start_at < i.valid_to AND b.end_at > i.valid_from
LEFT JOIN horses h ON h.id = i.horse_id
WHERE s.id = ANY (%(stream_ids)s::uuid[]) AND b.start_at < %(end)s AND b.end_at > %(start)s
  AND (%(horse_id)s::uuid IS NULL OR i.horse_id = %(horse_id)s)
ORDER BY 1, b.kind, b.id;

-- name: strides
SELECT r.start_at, r.end_at, r.gait, r.lead, r.stride_hz, r.length_m, r.speed_mps, r.symmetry,
       r.hd_min_mm, r.hd_max_mm, r.pd_min_mm, r.pd_max_mm, r.quality, r.straight, r.provisional,
       r.duty, r.phases, r.dissociation, s.name AS camera, s.id AS stream_id, r.track_id,
       t.number AS track_number, i.horse_id, coalesce(h.name, h.label) AS horse
FROM strides r
JOIN tracks t ON t.id = r.track_id
JOIN streams s ON s.key = t.stream_key
LEFT JOIN identity_spans i
       ON i.track_id = r.track_id AND i.superseded_at IS NULL
      AND r.start_at >= i.valid_from AND r.start_at < i.valid_to
LEFT JOIN horses h ON h.id = i.horse_id
WHERE s.id = ANY (%(stream_ids)s::uuid[]) AND r.start_at >= %(start)s AND r.start_at < %(end)s
  AND (%(horse_id)s::uuid IS NULL OR i.horse_id = %(horse_id)s)
ORDER BY r.start_at, r.id;

-- name: metrics
SELECT p.*, s.name AS camera, s.id AS stream_id, t.number AS track_number, i.horse_id,
       coalesce(h.name, h.label) AS horse
FROM pose_metrics p
JOIN tracks t ON t.id = p.track_id
JOIN streams s ON s.key = t.stream_key
LEFT JOIN identity_spans i
       ON i.track_id = p.track_id AND i.superseded_at IS NULL
      AND p.time >= i.valid_from AND p.time < i.valid_to
LEFT JOIN horses h ON h.id = i.horse_id
WHERE s.id = ANY (%(stream_ids)s::uuid[]) AND p.time >= %(start)s AND p.time < %(end)s
  AND (%(horse_id)s::uuid IS NULL OR i.horse_id = %(horse_id)s)
ORDER BY p.time, p.track_id;

-- name: alerts
SELECT a.id, a.kind, a.severity, a.message, a.started_at, a.raised_at, a.ended_at,
       s.name AS camera, a.stream_id, coalesce(i.horse_id, a.horse_id) AS horse_id,
       coalesce(h.name, h.label) AS horse, a.evidence, a.acknowledged_at, a.acknowledged_by, a.note
FROM alerts a
LEFT JOIN streams s ON s.id = a.stream_id
LEFT JOIN identity_spans i
       ON i.track_id = a.track_id AND i.superseded_at IS NULL
      AND a.started_at >= i.valid_from AND a.started_at < i.valid_to
LEFT JOIN horses h ON h.id = resolved_horse(coalesce(i.horse_id, a.horse_id))
WHERE a.farm_id = %(farm_id)s
  AND (a.stream_id IS NULL OR a.stream_id = ANY (%(stream_ids)s::uuid[]))
  AND a.raised_at >= %(start)s AND a.raised_at < %(end)s
  AND (%(horse_id)s::uuid IS NULL OR h.id = %(horse_id)s)
ORDER BY a.raised_at, a.id;

-- name: models
-- What analysed these pictures, with the number of rows of each.
SELECT m.name AS model, k.name AS skeleton, count(*) AS detections
FROM detections d
JOIN streams s ON s.key = d.stream_key
LEFT JOIN models m ON m.key = d.model_key
LEFT JOIN skeletons k ON k.key = d.skeleton_key
LEFT JOIN identity_spans i
       ON i.track_id = d.track_id AND i.superseded_at IS NULL
      AND d.time >= i.valid_from AND d.time < i.valid_to
WHERE s.id = ANY (%(stream_ids)s::uuid[]) AND d.time >= %(start)s AND d.time < %(end)s
  AND d.flags & 4 = 0 AND (%(horse_id)s::uuid IS NULL OR i.horse_id = %(horse_id)s)
GROUP BY 1, 2 ORDER BY 3 DESC;
