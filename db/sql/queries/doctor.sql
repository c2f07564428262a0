-- name: server
SELECT current_setting('server_version') AS version,
       EXISTS (SELECT 1 FROM pg_extension WHERE extname = 'timescaledb') AS timescale,
       EXISTS (SELECT 1 FROM pg_available_extensions WHERE name = 'vector') AS vector,
       to_regclass('schema_migrations') IS NOT NULL AS migrated,
       pg_database_size(current_database()) AS bytes;

-- name: schema_number
SELECT coalesce(max(number), 0) FROM schema_migrations;
