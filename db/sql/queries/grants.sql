-- name: visible_streams
SELECT s.id FROM streams AS s
WHERE s.removed_at IS NULL AND (%(farm_id)s::uuid IS NULL OR s.farm_id = %(farm_id)s)
  AND (NOT %(only_granted)s
       OR EXISTS (SELECT FROM stream_grants AS g
                  WHERE g.user_id = %(user_id)s AND g.stream_id = s.id));

-- name: sees_stream
SELECT EXISTS (
    SELECT FROM streams AS s
    WHERE s.id = %(stream_id)s AND s.removed_at IS NULL
      AND (%(farm_id)s::uuid IS NULL OR s.farm_id = %(farm_id)s)
      AND (NOT %(only_granted)s
           OR EXISTS (SELECT FROM stream_grants AS g
                      WHERE g.user_id = %(user_id)s AND g.stream_id = s.id))
);

-- name: grants_of_user
SELECT stream_id FROM stream_grants WHERE user_id = %(user_id)s ORDER BY stream_id;

-- name: clear_grants
DELETE FROM stream_grants WHERE user_id = %(user_id)s;

-- name: add_grants
INSERT INTO stream_grants (user_id, stream_id)
SELECT %(user_id)s, s.id FROM streams AS s JOIN users AS u ON u.id = %(user_id)s
WHERE s.id = ANY (%(stream_ids)s) AND s.removed_at IS NULL AND (u.farm_id IS NULL OR u.farm_id = s.farm_id)
RETURNING stream_id;

-- name: farm_exists
SELECT EXISTS (SELECT FROM farms WHERE id = %(farm_id)s);
