-- name: put
UPDATE horses SET avatar = %(jpeg)s::bytea, avatar_score = %(score)s, updated_at = now()
WHERE id = %(id)s AND status <> 'merged' RETURNING id;
