-- name: list
SELECT id, name, layout, tiles, overlays, slot FROM views ORDER BY slot NULLS LAST, name, id;

-- name: free_slot
UPDATE views SET slot = NULL WHERE slot = %(slot)s AND id <> %(id)s;

-- name: save
INSERT INTO views (id, name, layout, tiles, overlays, slot)
VALUES (%(id)s, %(name)s, %(layout)s, %(tiles)s::uuid[], %(overlays)s::text[], %(slot)s)
ON CONFLICT (id) DO UPDATE
SET name = excluded.name, layout = excluded.layout, tiles = excluded.tiles,
    overlays = excluded.overlays, slot = excluded.slot, updated_at = now();

-- name: remove
DELETE FROM views WHERE id = %(id)s;
