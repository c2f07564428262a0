-- name: farms_without_rules
-- Farms that never got the default rules; held until this transaction ends.
SELECT id FROM farms
WHERE NOT has_alert_rules AND (%(farm_id)s::uuid IS NULL OR id = %(farm_id)s)
ORDER BY id FOR NO KEY UPDATE;

-- name: has_rules
UPDATE farms SET has_alert_rules = true WHERE id = %(farm_id)s;

-- name: rules
-- Horses that were merged meanwhile stand for the ones they were merged into.
SELECT r.id, r.farm_id, r.kind, r.name, r.severity, r.enabled, r.parameters, r.stream_ids, r.quiet,
       r.cooldown_s, r.sound, r.notify, r.version,
       ARRAY(SELECT DISTINCT h.horse FROM unnest(r.horse_ids) u (id)
             CROSS JOIN LATERAL (SELECT resolved_horse(u.id) AS horse) h
             WHERE h.horse IS NOT NULL) AS horse_ids,
       cardinality(r.horse_ids) > 0 AS of_some_horses
FROM alert_rules r
WHERE (%(farm_id)s::uuid IS NULL OR r.farm_id = %(farm_id)s)
  AND (%(id)s::uuid IS NULL OR r.id = %(id)s)
ORDER BY r.name, r.id;

-- name: lock_rule
SELECT version, name, farm_id FROM alert_rules WHERE id = %(id)s FOR UPDATE;

-- name: strangers
-- Horses and cameras that are not the farm's.
SELECT EXISTS (SELECT FROM unnest(%(horse_ids)s::uuid[]) u (id)
               WHERE NOT EXISTS (SELECT FROM horses h
                                 WHERE h.id = u.id AND h.farm_id = %(farm_id)s)) AS horse,
       EXISTS (SELECT FROM unnest(%(stream_ids)s::uuid[]) u (id)
               WHERE NOT EXISTS (SELECT FROM streams s
                                 WHERE s.id = u.id AND s.farm_id = %(farm_id)s)) AS stream;

-- name: add_rule
INSERT INTO alert_rules (id, farm_id, kind, name, severity, enabled, parameters, horse_ids,
                         stream_ids, quiet, cooldown_s, sound, notify)
VALUES (%(id)s, %(farm_id)s, %(kind)s, %(name)s, %(severity)s, %(enabled)s, %(parameters)s,
        %(horse_ids)s, %(stream_ids)s, %(quiet)s, %(cooldown_s)s, %(sound)s, %(notify)s)
ON CONFLICT (id) DO NOTHING;

-- name: change_rule
UPDATE alert_rules
SET kind = %(kind)s, name = %(name)s, severity = %(severity)s, enabled = %(enabled)s,
    parameters = %(parameters)s, horse_ids = %(horse_ids)s, stream_ids = %(stream_ids)s,
    quiet = %(quiet)s, cooldown_s = %(cooldown_s)s, sound = %(sound)s, notify = %(notify)s,
    version = version + 1, updated_at = now()
WHERE id = %(id)s;

-- name: remove_rule
DELETE FROM alert_rules WHERE id = %(id)s;

-- name: hold_key
-- Two that raise the same wait for each other.
SELECT pg_advisory_xact_lock(hashtextextended(%(key)s, 709131803));

-- name: raise
-- What it refers to may be gone, or not be stored yet: then it goes without.
INSERT INTO alerts (id, farm_id, rule_id, kind, severity, message, key, started_at, raised_at,
                    ended_at, horse_id, track_id, stream_id, evidence, quiet, picture,
                    acknowledged_at, acknowledged_by, note)
SELECT %(id)s, %(farm_id)s, (SELECT id FROM alert_rules WHERE id = %(rule_id)s), %(kind)s,
       %(severity)s, %(message)s, %(key)s, %(started_at)s, %(raised_at)s, %(ended_at)s,
       (SELECT id FROM horses WHERE id = %(horse_id)s),
       (SELECT id FROM tracks WHERE id = %(track_id)s),
       (SELECT id FROM streams WHERE id = %(stream_id)s), %(evidence)s, %(quiet)s, %(picture)s,
       %(acknowledged_at)s, %(acknowledged_by)s, %(note)s
WHERE NOT EXISTS (
    SELECT FROM alerts a
    WHERE a.key = %(key)s
      AND (a.ended_at IS NULL
           OR a.started_at > %(started_at)s::timestamptz - %(cooldown_s)s * interval '1 s')
)
ON CONFLICT (id) DO NOTHING;

-- name: end
UPDATE alerts SET ended_at = greatest(%(at)s, started_at)
WHERE key = %(key)s AND ended_at IS NULL RETURNING id;

-- name: acknowledge
UPDATE alerts
SET acknowledged_at = coalesce(acknowledged_at, %(at)s),
    acknowledged_by = CASE WHEN acknowledged_at IS NULL THEN %(actor)s ELSE acknowledged_by END,
    note = CASE WHEN acknowledged_at IS NULL THEN %(note)s
                WHEN %(note)s = '' THEN note
                ELSE concat_ws(E'\n', nullif(note, ''), %(actor)s || ': ' || %(note)s) END
WHERE id = %(id)s;

-- name: some
SELECT * FROM alerts_with_horse WHERE id = ANY (%(ids)s::uuid[]) ORDER BY raised_at DESC, id DESC;

-- name: list
SELECT a.* FROM alerts_with_horse a
LEFT JOIN alerts b ON b.id = %(before)s
WHERE (%(farm_id)s::uuid IS NULL OR a.farm_id = %(farm_id)s)
  AND (%(start)s::timestamptz IS NULL OR a.raised_at >= %(start)s)
  AND (%(end)s::timestamptz IS NULL OR a.raised_at < %(end)s)
  AND (%(horse_id)s::uuid IS NULL OR a.horse_id = resolved_horse(%(horse_id)s))
  AND (NOT %(open_only)s OR a.acknowledged_at IS NULL)
  AND (b.id IS NULL
       OR (a.acknowledged_at IS NOT NULL AND b.acknowledged_at IS NULL)
       OR ((a.acknowledged_at IS NULL) = (b.acknowledged_at IS NULL)
           AND (a.raised_at, a.id) < (b.raised_at, b.id)))
ORDER BY a.acknowledged_at IS NOT NULL, a.raised_at DESC, a.id DESC
LIMIT %(limit)s;

-- name: picture
SELECT picture FROM alerts WHERE id = %(id)s;
