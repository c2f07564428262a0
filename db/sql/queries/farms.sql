-- name: list
SELECT id, name, expected_residents FROM farms
WHERE %(farm_id)s::uuid IS NULL OR id = %(farm_id)s ORDER BY name, id;

-- name: add
INSERT INTO farms (name) VALUES (%(name)s) RETURNING id;

-- name: change
UPDATE farms SET name = %(name)s, expected_residents = %(expected)s
WHERE id = %(farm_id)s RETURNING id;

-- name: remove
-- Accounts would go with it, so there must be none; cameras and horses refuse by their keys.
DELETE FROM farms f
WHERE f.id = %(farm_id)s AND NOT EXISTS (SELECT FROM users u WHERE u.farm_id = f.id)
RETURNING f.id;
