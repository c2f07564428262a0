-- name: list
SELECT * FROM registered_models
WHERE state <> 'removed' AND (%(farm_id)s::uuid IS NULL OR farm_id IS NULL OR farm_id = %(farm_id)s)
ORDER BY name, version;

-- name: get
SELECT * FROM registered_models WHERE id = %(id)s AND state <> 'removed';

-- name: lock
SELECT id FROM registered_models WHERE id = %(id)s AND state <> 'removed' FOR UPDATE;

-- name: add
-- A file that was removed may come back under its old name, another one may not.
INSERT INTO registered_models (id, farm_id, name, version, task, format, sha256, size_bytes,
                               licence, skeleton, input, threshold, measured, description, state,
                               uploaded_by, created_at)
VALUES (%(id)s, %(farm_id)s, %(name)s, %(version)s, %(task)s, %(format)s, %(sha256)s,
        %(size_bytes)s, %(licence)s, %(skeleton)s, %(input)s, %(threshold)s, %(measured)s,
        %(description)s, %(state)s, %(uploaded_by)s, %(created_at)s)
ON CONFLICT (name, version) DO UPDATE
SET id = excluded.id, farm_id = excluded.farm_id, task = excluded.task, format = excluded.format,
    size_bytes = excluded.size_bytes, licence = excluded.licence, skeleton = excluded.skeleton,
    input = excluded.input, threshold = excluded.threshold, measured = excluded.measured,
    description = excluded.description, state = excluded.state, uploaded_by = excluded.uploaded_by,
    created_at = excluded.created_at
WHERE registered_models.state = 'removed' AND registered_models.sha256 = excluded.sha256
RETURNING id;

-- name: taken
SELECT state FROM registered_models WHERE name = %(name)s AND version = %(version)s;

-- name: add_part
INSERT INTO model_parts (model_id, part, bytes) VALUES (%(id)s, %(part)s, %(bytes)s);

-- name: part
SELECT bytes FROM model_parts WHERE model_id = %(id)s AND part = %(part)s;

-- name: users
SELECT count(*) AS choices FROM stream_models WHERE model_id = %(id)s;

-- name: remove
UPDATE registered_models SET state = 'removed' WHERE id = %(id)s;

-- name: remove_parts
DELETE FROM model_parts WHERE model_id = %(id)s;

-- name: stream_of_farm
SELECT 1 AS known FROM streams
WHERE id = %(stream_id)s AND farm_id = %(farm_id)s AND removed_at IS NULL;

-- name: choose
INSERT INTO stream_models (farm_id, stream_id, task, model_id)
VALUES (%(farm_id)s, %(stream_id)s, %(task)s, %(model_id)s)
ON CONFLICT (farm_id, stream_id, task)
DO UPDATE SET model_id = excluded.model_id, changed_at = now();

-- name: forget_own_choices
DELETE FROM stream_models
WHERE farm_id = %(farm_id)s AND task = %(task)s AND stream_id IS NOT NULL;

-- name: forget_default
-- Choices that say the same as having none.
DELETE FROM stream_models d
WHERE d.farm_id = %(farm_id)s AND d.task = %(task)s AND d.model_id IS NULL
  AND (d.stream_id IS NULL
       OR NOT EXISTS (SELECT FROM stream_models f
                      WHERE f.farm_id = d.farm_id AND f.task = d.task AND f.stream_id IS NULL
                        AND f.model_id IS NOT NULL));

-- name: forget_model
DELETE FROM stream_models
WHERE model_id = %(id)s AND (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s);

-- name: choices
SELECT c.farm_id, c.stream_id, c.task, c.model_id
FROM stream_models c
LEFT JOIN streams s ON s.id = c.stream_id
WHERE (%(farm_id)s::uuid IS NULL OR c.farm_id = %(farm_id)s)
  AND (c.stream_id IS NULL OR s.removed_at IS NULL)
ORDER BY c.farm_id, c.stream_id NULLS FIRST, c.task;

-- name: active
SELECT s.id AS stream_id, t.task,
       CASE WHEN own.stream_id IS NULL THEN everyone.model_id ELSE own.model_id END AS model_id
FROM streams s
CROSS JOIN (VALUES ('detector'), ('pose')) AS t (task)
LEFT JOIN stream_models own ON own.stream_id = s.id AND own.task = t.task
LEFT JOIN stream_models everyone ON everyone.farm_id = s.farm_id AND everyone.stream_id IS NULL
                                AND everyone.task = t.task
WHERE s.removed_at IS NULL
  AND CASE WHEN own.stream_id IS NULL THEN everyone.model_id ELSE own.model_id END IS NOT NULL;
