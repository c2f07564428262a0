-- name: farm_of_horse
SELECT farm_id FROM horses WHERE id = %(id)s;

-- name: place_of_track
SELECT s.farm_id, s.id FROM tracks AS t JOIN streams AS s ON s.key = t.stream_key
WHERE t.id = %(id)s;

-- name: farm_of_command
SELECT farm_id FROM identity_commands WHERE id = %(id)s;

-- name: farm_of_review
SELECT farm_id FROM reviews WHERE id = %(id)s;

-- name: vectors_of_horse
SELECT m.name, count(*) FROM horse_features AS f
JOIN identity_spans AS i ON i.track_id = f.track_id AND i.superseded_at IS NULL
     AND f.at >= i.valid_from AND f.at < i.valid_to
JOIN models AS m ON m.key = f.model_key
WHERE i.horse_id = %(id)s AND f.approved GROUP BY m.name ORDER BY m.name;

-- name: threshold
SELECT similarity_threshold FROM farms WHERE id = %(farm_id)s;

-- name: set_threshold
UPDATE farms SET similarity_threshold = %(threshold)s WHERE id = %(farm_id)s RETURNING id;

-- name: stats
WITH own AS (SELECT key FROM streams WHERE farm_id = %(farm_id)s),
     spans AS (SELECT i.track_id, i.horse_id, i.decided_by FROM identity_spans AS i
               JOIN horses AS h ON h.id = i.horse_id
               WHERE h.farm_id = %(farm_id)s AND i.superseded_at IS NULL),
     asked AS (SELECT kind, state FROM reviews WHERE farm_id = %(farm_id)s),
     done AS (SELECT kind, undone_at FROM identity_commands WHERE farm_id = %(farm_id)s)
SELECT
    (SELECT count(*) FROM horses WHERE farm_id = %(farm_id)s AND status = 'active') AS horses,
    (SELECT count(*) FROM horses WHERE farm_id = %(farm_id)s AND status = 'guest') AS guests,
    (SELECT count(*) FROM tracks AS t JOIN own ON own.key = t.stream_key) AS tracks,
    (SELECT count(DISTINCT track_id) FROM spans) AS identified_tracks,
    (SELECT count(*) FROM spans WHERE decided_by = 'engine') AS by_engine,
    (SELECT count(*) FROM spans WHERE decided_by <> 'engine') AS by_people,
    (SELECT count(DISTINCT track_id) - count(DISTINCT horse_id) FROM spans
     WHERE decided_by = 'engine') AS reidentifications,
    (SELECT count(*) FROM done WHERE kind NOT IN ('rename', 'accept')) AS corrections,
    (SELECT count(*) FROM done WHERE undone_at IS NOT NULL) AS undone,
    (SELECT count(*) FROM done WHERE kind IN ('swap', 'split', 'reassign')
     AND undone_at IS NULL) AS switches_corrected,
    (SELECT count(*) FROM asked WHERE state = 'open') AS reviews_open,
    (SELECT count(*) FROM asked WHERE kind = 'match' AND state = 'same') AS reviews_same,
    (SELECT count(*) FROM asked WHERE kind = 'match' AND state = 'different') AS reviews_different;

-- name: timings
-- When the engine's decisions were stored, counted from the first picture of their track.
SELECT percentile_cont(ARRAY[0.5, 0.95]) WITHIN GROUP (
           ORDER BY greatest(extract(epoch FROM i.created_at - t.started_at), 0))
FROM identity_spans AS i
JOIN tracks AS t ON t.id = i.track_id
JOIN streams AS s ON s.key = t.stream_key
WHERE s.farm_id = %(farm_id)s AND i.decided_by = 'engine'
  AND t.started_at > now() - interval '7 days';
