-- name: size
SELECT pg_database_size(current_database()) AS bytes;

-- name: alerts
SELECT kind, severity, count(*) AS raised,
       count(*) FILTER (WHERE acknowledged_at IS NULL) AS unacknowledged
FROM alerts GROUP BY kind, severity ORDER BY kind, severity;

-- name: jobs
SELECT kind, state, count(*) AS jobs,
       extract(epoch FROM clock_timestamp() - min(created_at))::float8 AS oldest_s
FROM jobs WHERE state IN ('queued', 'running') GROUP BY kind, state ORDER BY kind, state;

-- name: leases
-- Cameras by the node that holds them now; nodes without one are told, too.
SELECT n.name, count(l.stream_id) AS cameras
FROM engine_nodes n
LEFT JOIN camera_leases l ON l.node_id = n.id AND l.expires_at > clock_timestamp()
GROUP BY n.name ORDER BY n.name;
