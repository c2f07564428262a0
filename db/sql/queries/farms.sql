-- name: list
SELECT id, name, expected_residents FROM farms
WHERE %(farm_id)s::uuid IS NULL OR id = %(farm_id)s ORDER BY name, id;

-- name: add
INSERT INTO farms (name) VALUES (%(name)s) RETURNING id;

-- name: change
UPDATE farms SET name = %(name)s, expected_residents = %(expected)s
WHERE id = %(farm_id)s RETURNING id;
