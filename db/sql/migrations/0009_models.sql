-- Models that people registered with the server, their bytes, and which camera uses which. The
-- small table models stays the look-up of detections; a registered model is found in it by
-- name@version.

CREATE TABLE registered_models (
    id uuid PRIMARY KEY,
    farm_id uuid REFERENCES farms (id),                -- null: every farm's
    name text NOT NULL CHECK (name ~ '^[a-z0-9][a-z0-9._-]{0,63}$'),
    version text NOT NULL CHECK (version ~ '^[A-Za-z0-9][A-Za-z0-9._+-]{0,39}$'),
    model_name text NOT NULL GENERATED ALWAYS AS (name || '@' || version) STORED,  -- models.name
    task text NOT NULL CHECK (task IN ('detector', 'pose', 'embedder')),
    format text NOT NULL CHECK (format IN ('onnx', 'safetensors')),
    sha256 text NOT NULL CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint NOT NULL CHECK (size_bytes > 0),
    licence text NOT NULL,
    skeleton text,
    input jsonb NOT NULL DEFAULT '{}',
    threshold real,
    measured jsonb NOT NULL DEFAULT '{}',
    description jsonb NOT NULL,                        -- the manifest entry
    -- removed: its bytes are gone; the row stays, because detections refer to name@version.
    state text NOT NULL CHECK (state IN ('ready', 'needs_export', 'removed')),
    uploaded_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE (name, version)
);

CREATE TABLE model_parts (
    model_id uuid NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE,
    part integer NOT NULL,
    bytes bytea NOT NULL CHECK (octet_length(bytes) BETWEEN 1 AND 1048576),
    PRIMARY KEY (model_id, part)
);
-- Weights are noise to a compressor.
ALTER TABLE model_parts ALTER COLUMN bytes SET STORAGE EXTERNAL;

-- stream_id null: the cameras of the farm without a row of their own. model_id null: the
-- workstation's own model, whatever the farm's row says.
CREATE TABLE stream_models (
    farm_id uuid NOT NULL REFERENCES farms (id),
    stream_id uuid REFERENCES streams (id) ON DELETE CASCADE,
    task text NOT NULL CHECK (task IN ('detector', 'pose')),
    model_id uuid REFERENCES registered_models (id),
    changed_at timestamptz NOT NULL DEFAULT now(),
    UNIQUE NULLS NOT DISTINCT (farm_id, stream_id, task)
);
CREATE INDEX stream_models_of_model ON stream_models (model_id) WHERE model_id IS NOT NULL;
