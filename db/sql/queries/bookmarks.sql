-- name: list
SELECT * FROM bookmarks
WHERE (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s)
  AND (%(start)s::timestamptz IS NULL OR end_at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR start_at < %(end)s)
ORDER BY start_at DESC, id
LIMIT %(limit)s;

-- name: get
SELECT * FROM bookmarks WHERE id = %(id)s;

-- name: strangers
-- What a bookmark names that is not of its farm.
SELECT EXISTS (SELECT FROM unnest(%(stream_ids)s::uuid[]) AS w (id)
               WHERE NOT EXISTS (SELECT FROM streams s
                                 WHERE s.id = w.id AND s.farm_id = %(farm_id)s)) AS stream,
       %(horse_id)s::uuid IS NOT NULL AND NOT EXISTS (
           SELECT FROM horses WHERE id = %(horse_id)s AND farm_id = %(farm_id)s) AS horse;

-- name: save
INSERT INTO bookmarks (id, farm_id, title, start_at, end_at, stream_ids, horse_id, note, locked,
                       created_by, created_at)
VALUES (%(id)s, %(farm_id)s, %(title)s, %(start_at)s, %(end_at)s, %(stream_ids)s::uuid[],
        %(horse_id)s, %(note)s, %(locked)s, %(created_by)s, %(created_at)s)
ON CONFLICT (id) DO UPDATE
SET title = excluded.title, start_at = excluded.start_at, end_at = excluded.end_at,
    stream_ids = excluded.stream_ids, horse_id = excluded.horse_id, note = excluded.note,
    locked = excluded.locked
WHERE bookmarks.farm_id = excluded.farm_id;

-- name: remove
DELETE FROM bookmarks WHERE id = %(id)s;

-- name: let_go
-- Unlock what this bookmark holds and nobody else wants.
WITH held AS (
    DELETE FROM bookmark_chunks WHERE bookmark_id = %(id)s RETURNING chunk_id
)
UPDATE video_chunks c SET locked = false
FROM held h
WHERE c.id = h.chunk_id
  AND NOT EXISTS (SELECT FROM bookmark_chunks o
                  WHERE o.chunk_id = c.id AND o.bookmark_id <> %(id)s);

-- name: hold
-- Chunks that are locked already and that no bookmark holds were locked by hand: they are left out.
WITH held AS (
    INSERT INTO bookmark_chunks (bookmark_id, chunk_id)
    SELECT b.id, c.id
    FROM bookmarks b
    JOIN streams s ON s.farm_id = b.farm_id
                  AND (b.stream_ids = '{}' OR s.id = ANY (b.stream_ids))
    JOIN video_chunks c ON c.stream_id = s.id
    WHERE b.id = %(id)s AND b.locked AND c.state <> 'removed'
      AND c.start_at <= b.end_at AND c.end_at > b.start_at
      AND (NOT c.locked OR EXISTS (SELECT FROM bookmark_chunks o WHERE o.chunk_id = c.id))
    ON CONFLICT DO NOTHING
    RETURNING chunk_id
)
UPDATE video_chunks c SET locked = true FROM held h WHERE c.id = h.chunk_id;
