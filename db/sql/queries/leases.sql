-- name: evict
-- Earlier processes of this place are over; their leases become free by the foreign key.
DELETE FROM engine_nodes WHERE place = %(place)s AND id <> %(id)s;

-- name: renew
WITH node AS (
    INSERT INTO engine_nodes (id, place, name, version, capacity)
    VALUES (%(id)s, %(place)s, %(name)s, %(version)s, %(capacity)s)
    ON CONFLICT (id) DO UPDATE
    SET last_seen_at = clock_timestamp(), name = excluded.name, capacity = excluded.capacity
    RETURNING id
)
UPDATE camera_leases l
SET expires_at = clock_timestamp() + make_interval(secs => %(life_s)s)
FROM node WHERE l.node_id = node.id
RETURNING l.stream_id;

-- name: one_at_a_time
-- Claims wait for each other, so that two nodes that start together share fairly.
SELECT pg_advisory_xact_lock(4823104722);

-- name: claim
-- The condition under ON CONFLICT is looked at again under the row's lock: whoever comes second
-- finds the camera taken.
WITH offered AS (
    SELECT s.id AS stream_id
    FROM unnest(%(streams)s::uuid[]) WITH ORDINALITY AS s (id, place)
    JOIN streams ON streams.id = s.id AND streams.removed_at IS NULL
    LEFT JOIN camera_leases l ON l.stream_id = s.id
    WHERE l.stream_id IS NULL OR l.node_id IS NULL
       OR (l.expires_at <= clock_timestamp()
           AND pg_postmaster_start_time()
               <= clock_timestamp() - make_interval(secs => %(grace_s)s))
    ORDER BY s.place LIMIT %(at_most)s
)
INSERT INTO camera_leases AS held
    (stream_id, node_id, node_name, place, since, expires_at)
SELECT offered.stream_id, n.id, n.name, n.place, clock_timestamp(),
       clock_timestamp() + make_interval(secs => %(life_s)s)
FROM offered, engine_nodes n WHERE n.id = %(node_id)s
ORDER BY offered.stream_id
ON CONFLICT (stream_id) DO UPDATE
SET node_id = excluded.node_id, node_name = excluded.node_name, place = excluded.place,
    generation = held.generation + 1, since = excluded.since, expires_at = excluded.expires_at,
    asked_by = NULL
WHERE held.node_id IS NULL OR held.expires_at <= clock_timestamp()
RETURNING stream_id;

-- name: release
UPDATE camera_leases
SET node_id = NULL, asked_by = NULL, expires_at = clock_timestamp()
WHERE node_id = %(node_id)s AND stream_id = ANY (%(streams)s);

-- name: leave
DELETE FROM engine_nodes WHERE id = %(node_id)s;

-- name: ask
UPDATE camera_leases SET asked_by = %(node_id)s
WHERE stream_id = %(stream_id)s AND node_id <> %(node_id)s AND expires_at > clock_timestamp()
RETURNING stream_id;

-- name: hand_over
UPDATE camera_leases l
SET node_id = n.id, node_name = n.name, place = n.place, generation = l.generation + 1,
    since = clock_timestamp(), asked_by = NULL,
    expires_at = clock_timestamp() + make_interval(secs => %(life_s)s)
FROM engine_nodes n
WHERE l.stream_id = %(stream_id)s AND l.node_id = %(node_id)s AND n.id = l.asked_by
  AND n.last_seen_at > clock_timestamp() - make_interval(secs => %(life_s)s)
RETURNING l.stream_id;

-- name: prune
DELETE FROM engine_nodes
WHERE last_seen_at < clock_timestamp() - interval '1 day' AND id <> %(node_id)s;

-- name: nodes
SELECT id, place, name, version, capacity, started_at, last_seen_at,
       last_seen_at > clock_timestamp() - make_interval(secs => %(life_s)s) AS alive
FROM engine_nodes ORDER BY name, started_at;

-- name: leases
SELECT l.stream_id, l.node_id, l.node_name, l.place, l.generation, l.since, l.expires_at,
       l.asked_by, l.node_id IS NOT NULL AND l.expires_at > clock_timestamp() AS live,
       l.node_id IS NULL
       OR (l.expires_at <= clock_timestamp()
           AND pg_postmaster_start_time()
               <= clock_timestamp() - make_interval(secs => %(grace_s)s)) AS free
FROM camera_leases l JOIN streams s ON s.id = l.stream_id AND s.removed_at IS NULL
ORDER BY l.stream_id;

-- name: now
SELECT clock_timestamp();
