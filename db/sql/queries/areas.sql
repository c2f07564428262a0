-- name: list
-- A null farm_id takes every farm. A horse that was merged is the one it was merged into.
SELECT id, farm_id, version, name, kind, stream_id, region,
       resolved_horse(expected_horse_id) AS expected
FROM areas WHERE %(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s
ORDER BY farm_id, name;

-- name: get
SELECT id, farm_id, version, name, kind, stream_id, region,
       resolved_horse(expected_horse_id) AS expected
FROM areas WHERE id = %(id)s;

-- name: strangers
-- What an area names that is not of its farm.
SELECT %(stream_id)s::uuid IS NOT NULL AND NOT EXISTS (
           SELECT FROM streams WHERE id = %(stream_id)s AND farm_id = %(farm_id)s
               AND removed_at IS NULL) AS stream,
       %(expected)s::uuid IS NOT NULL AND NOT EXISTS (
           SELECT FROM horses WHERE id = %(expected)s AND farm_id = %(farm_id)s) AS horse;

-- name: add
INSERT INTO areas (farm_id, name, kind, stream_id, region, expected_horse_id)
VALUES (%(farm_id)s, %(name)s, %(kind)s, %(stream_id)s, %(region)s,
        resolved_horse(%(expected)s))
RETURNING id;

-- name: lock
SELECT version, name FROM areas WHERE id = %(id)s FOR UPDATE;

-- name: update
UPDATE areas
SET name = %(name)s, kind = %(kind)s, stream_id = %(stream_id)s, region = %(region)s,
    expected_horse_id = resolved_horse(%(expected)s), version = version + 1
WHERE id = %(id)s;

-- name: remove
DELETE FROM areas WHERE id = %(id)s;

-- name: expected_residents
SELECT expected_residents FROM farms WHERE id = %(farm_id)s;

-- name: expect_residents
UPDATE farms SET expected_residents = %(count)s WHERE id = %(farm_id)s;

-- name: notify
SELECT pg_notify('barnhand_identity', 'areas');
