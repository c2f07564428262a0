-- name: server
SELECT current_setting('server_version') AS version,
       current_setting('server_version_num')::integer / 10000 AS major,
       current_database() AS database,
       pg_database_size(current_database()) AS bytes,
       to_regclass('schema_migrations') IS NOT NULL AS migrated,
       to_regclass('queue_schema') IS NOT NULL AS queued;

-- name: schema_number
SELECT coalesce(max(number), 0) FROM schema_migrations;

-- name: queue_version
SELECT coalesce(max(version), '') FROM queue_schema;

-- name: farms
SELECT name FROM farms ORDER BY name;

-- name: extensions
SELECT extname, extversion FROM pg_extension WHERE extname <> 'plpgsql' ORDER BY extname;

-- name: export_snapshot
SELECT pg_export_snapshot();

-- name: tables
-- Whole tables of the schema; a partitioned one counts with its pieces.
SELECT c.relname FROM pg_class c
WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p')
  AND NOT c.relispartition
  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.objid = c.oid AND d.deptype = 'e')
ORDER BY c.relname;

-- name: piece_sizes
-- What each table that holds rows takes, for the progress of a dump.
SELECT c.relname, pg_table_size(c.oid) FROM pg_class c
JOIN pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind = 'r' AND (n.nspname = 'public' OR starts_with(n.nspname, '_timescaledb_'));

-- name: try_alone
SELECT pg_try_advisory_lock(7091318039310988601);

-- name: last_made
-- The newest backup that a node of this server made on its shelf. Most rows of this kind are such.
SELECT at FROM audit_log
WHERE object_kind = 'backup' AND action = 'backup.make' AND details ->> 'shelf' = 'true'
ORDER BY id DESC LIMIT 1;

-- name: try_nightly
-- One node of a server at a time makes the daily backup.
SELECT pg_try_advisory_lock(7091318039310988602);

-- name: end_sessions
-- Logins inside a backup are of another day: everyone logs in again.
UPDATE refresh_families SET revoked_at = now(), revoked_because = 'restored'
WHERE revoked_at IS NULL;

-- name: some_credentials
SELECT id, credentials_encrypted FROM streams
WHERE credentials_encrypted IS NOT NULL AND removed_at IS NULL;

-- name: databases_like
SELECT datname FROM pg_database
WHERE starts_with(datname, %(prefix)s) ORDER BY datname;

-- name: connected
-- Who uses a database, except whoever asks.
SELECT coalesce(nullif(application_name, ''), backend_type), usename,
       coalesce(host(client_addr), 'this machine'), count(*)
FROM pg_stat_activity
WHERE datname = %(database)s AND pid <> pg_backend_pid() AND backend_type = 'client backend'
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;

-- name: likeness
-- How a database was made.
SELECT pg_encoding_to_char(encoding), datcollate, datctype, datlocprovider
FROM pg_database WHERE datname = %(database)s;

-- name: offered_extension
SELECT version FROM pg_available_extension_versions WHERE name = %(name)s;

-- name: foreign_extensions
SELECT count(*) FROM pg_extension
WHERE extname <> 'plpgsql' AND NOT pg_has_role(extowner, 'USAGE');
