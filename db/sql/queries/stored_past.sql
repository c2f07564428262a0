-- What is stored of one camera between two instants, for analysing its recording again.

-- name: rows
SELECT d.time, d.track_id, d.x1, d.y1, d.x2, d.y2, d.flags
FROM detections d JOIN streams s ON s.key = d.stream_key
WHERE s.id = %(stream_id)s AND d.time >= %(start)s AND d.time < %(end)s
ORDER BY d.time;

-- name: tracks
SELECT id, number, class_id FROM tracks WHERE id = ANY (%(tracks)s::uuid[]) ORDER BY number, id;

-- name: owners
SELECT i.track_id, i.horse_id, greatest(i.valid_from, %(start)s) AS valid_from,
       least(i.valid_to, %(end)s) AS valid_to, h.colour_hex, h.height_cm
FROM identity_spans i JOIN horses h ON h.id = i.horse_id
WHERE i.track_id = ANY (%(tracks)s::uuid[]) AND i.superseded_at IS NULL
  AND i.valid_from < %(end)s AND i.valid_to > %(start)s;

-- name: bouts
SELECT id, track_id, start_at, end_at, confidence, provisional, open, kind, value
FROM bouts
WHERE track_id = ANY (%(tracks)s::uuid[]) AND start_at < %(end)s AND end_at > %(start)s
ORDER BY start_at, id;

-- name: farm
SELECT farm_id FROM streams WHERE id = %(stream_id)s;
