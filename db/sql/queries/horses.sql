-- name: list
SELECT id, farm_id, label, name, colour_hex, status, first_seen_at, last_seen_at, version
FROM horses WHERE farm_id = %(farm_id)s ORDER BY tracking_number;

-- name: list_all
SELECT id, farm_id, label, name, colour_hex, status, first_seen_at, last_seen_at, version
FROM horses ORDER BY farm_id, tracking_number;

-- name: get
SELECT id, farm_id, label, name, colour_hex, status, first_seen_at, last_seen_at, version
FROM horses WHERE id = %(id)s;
