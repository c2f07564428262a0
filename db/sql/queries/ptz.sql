-- name: presets
SELECT p.stream_id, p.number, p.name, p.thumbnail, p.set_at FROM ptz_presets AS p
JOIN streams AS s ON s.id = p.stream_id AND s.removed_at IS NULL
WHERE %(stream_id)s::uuid IS NULL OR p.stream_id = %(stream_id)s
ORDER BY p.stream_id, p.number;

-- name: save_preset
INSERT INTO ptz_presets (stream_id, number, name, thumbnail, set_at)
VALUES (%(stream_id)s, %(number)s, %(name)s, %(thumbnail)s, %(set_at)s)
ON CONFLICT (stream_id, number) DO UPDATE
SET name = excluded.name, thumbnail = excluded.thumbnail, set_at = excluded.set_at;

-- name: tours
SELECT t.id, t.stream_id, t.name, t.steps, t.schedule FROM ptz_tours AS t
JOIN streams AS s ON s.id = t.stream_id AND s.removed_at IS NULL
WHERE %(stream_id)s::uuid IS NULL OR t.stream_id = %(stream_id)s
ORDER BY t.name, t.id;

-- name: save_tour
INSERT INTO ptz_tours (id, stream_id, name, steps, schedule)
VALUES (%(id)s, %(stream_id)s, %(name)s, %(steps)s, %(schedule)s)
ON CONFLICT (id) DO UPDATE SET name = excluded.name, steps = excluded.steps,
                               schedule = excluded.schedule
WHERE ptz_tours.stream_id = excluded.stream_id
RETURNING id;

-- name: remove_tour
DELETE FROM ptz_tours WHERE id = %(id)s RETURNING id;

-- name: scan_plans
SELECT p.stream_id, p.presets, p.settle_s, p.record_s, p.schedule FROM ptz_scan_plans AS p
JOIN streams AS s ON s.id = p.stream_id AND s.removed_at IS NULL
WHERE %(stream_id)s::uuid IS NULL OR p.stream_id = %(stream_id)s ORDER BY p.stream_id;

-- name: save_scan_plan
INSERT INTO ptz_scan_plans (stream_id, presets, settle_s, record_s, schedule)
VALUES (%(stream_id)s, %(presets)s, %(settle_s)s, %(record_s)s, %(schedule)s)
ON CONFLICT (stream_id) DO UPDATE SET presets = excluded.presets, settle_s = excluded.settle_s,
    record_s = excluded.record_s, schedule = excluded.schedule;
