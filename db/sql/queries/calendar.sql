-- name: list
SELECT id, farm_id, resolved_horse(horse_id) AS horse_id, title, kind, start_at, end_at, whole_day,
       note, done, session_id, created_by, created_at, version
FROM calendar_entries
WHERE (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s)
  AND (%(id)s::uuid IS NULL OR id = %(id)s)
  AND (%(horse_id)s::uuid IS NULL OR horse_id IS NULL
       OR resolved_horse(horse_id) = resolved_horse(%(horse_id)s))
  AND (%(start)s::timestamptz IS NULL OR end_at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR start_at < %(end)s)
ORDER BY start_at, id
LIMIT %(limit)s;

-- name: strangers
-- What an entry names that is not of its farm.
SELECT %(session_id)s::uuid IS NOT NULL AND NOT EXISTS (
           SELECT FROM sessions WHERE id = %(session_id)s AND farm_id = %(farm_id)s) AS session,
       %(horse_id)s::uuid IS NOT NULL AND NOT EXISTS (
           SELECT FROM horses WHERE id = %(horse_id)s AND farm_id = %(farm_id)s) AS horse;

-- name: add
INSERT INTO calendar_entries (id, farm_id, horse_id, title, kind, start_at, end_at, whole_day,
                              note, done, session_id, created_by, created_at)
VALUES (%(id)s, %(farm_id)s, resolved_horse(%(horse_id)s), %(title)s, %(kind)s, %(start_at)s,
        %(end_at)s, %(whole_day)s, %(note)s, %(done)s, %(session_id)s, %(created_by)s,
        %(created_at)s);

-- name: lock
SELECT version, title, farm_id FROM calendar_entries WHERE id = %(id)s FOR UPDATE;

-- name: update
UPDATE calendar_entries
SET horse_id = resolved_horse(%(horse_id)s), title = %(title)s, kind = %(kind)s,
    start_at = %(start_at)s, end_at = %(end_at)s, whole_day = %(whole_day)s, note = %(note)s,
    done = %(done)s, session_id = %(session_id)s, version = version + 1
WHERE id = %(id)s;

-- name: remove
DELETE FROM calendar_entries WHERE id = %(id)s;
