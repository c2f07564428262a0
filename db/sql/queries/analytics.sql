-- name: horses
SELECT id FROM horses
WHERE status <> 'merged' AND (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s)
  AND (%(horse_id)s::uuid IS NULL OR id = %(horse_id)s)
ORDER BY farm_id, tracking_number;

-- name: speeds
-- How fast horses went, by hour: sums over the hours of their tracks. An hour in which a track
-- changed hands counts for both.
SELECT i.horse_id, a.hour, sum(a.speed_sum) / nullif(sum(a.speed_samples), 0) / 1000.0 AS speed_mps,
       sum(a.moving) / nullif(sum(a.speed_samples), 0) AS moving
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
JOIN hourly_activity a
  ON a.track_id = i.track_id AND a.hour < i.valid_to AND a.hour + interval '1 hour' > i.valid_from
WHERE i.horse_id = ANY (%(horse_ids)s::uuid[]) AND i.superseded_at IS NULL
  AND t.started_at < %(end)s AND coalesce(t.ended_at, 'infinity') >= %(start)s
  AND a.hour >= %(start)s AND a.hour < %(end)s
GROUP BY 1, 2;
