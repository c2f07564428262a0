-- name: list
SELECT id, key, name, kind, address, credentials_encrypted, enabled, config, version
FROM streams WHERE farm_id = %(farm_id)s AND removed_at IS NULL ORDER BY name, id;

-- name: list_all
SELECT id, key, name, kind, address, credentials_encrypted, enabled, config, version
FROM streams WHERE removed_at IS NULL ORDER BY name, id;

-- name: get
SELECT id, key, name, kind, address, credentials_encrypted, enabled, config, version
FROM streams WHERE id = %(id)s AND removed_at IS NULL;

-- name: farm_of
SELECT farm_id FROM streams WHERE id = %(id)s AND removed_at IS NULL;

-- name: lock
SELECT name, version, credentials_encrypted FROM streams
WHERE id = %(id)s AND removed_at IS NULL FOR UPDATE;

-- name: add
-- A stream that was removed comes back under its id and keeps its detections.
INSERT INTO streams (id, farm_id, name, kind, address, credentials_encrypted, enabled, config)
VALUES (%(id)s, %(farm_id)s, %(name)s, %(kind)s, %(address)s, %(credentials)s, %(enabled)s,
        %(config)s)
ON CONFLICT (id) DO UPDATE
SET farm_id = excluded.farm_id, name = excluded.name, kind = excluded.kind,
    address = excluded.address, credentials_encrypted = excluded.credentials_encrypted,
    enabled = excluded.enabled, config = excluded.config, version = streams.version + 1,
    updated_at = now(), removed_at = NULL
WHERE streams.removed_at IS NOT NULL
RETURNING version;

-- name: update
UPDATE streams
SET name = %(name)s, kind = %(kind)s, address = %(address)s,
    credentials_encrypted = %(credentials)s, enabled = %(enabled)s, config = %(config)s,
    version = version + 1, updated_at = now()
WHERE id = %(id)s
RETURNING version;

-- name: remove
UPDATE streams
SET removed_at = now(), updated_at = now(), enabled = false, credentials_encrypted = NULL,
    version = version + 1
WHERE id = %(id)s AND removed_at IS NULL;

-- name: names_like
SELECT name FROM streams WHERE farm_id = %(farm_id)s AND removed_at IS NULL;

-- name: credentials
SELECT id, credentials_encrypted FROM streams
WHERE credentials_encrypted IS NOT NULL AND removed_at IS NULL;
