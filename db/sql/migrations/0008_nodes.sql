-- Engine processes that share this server, and which of them holds which camera. All times are
-- this server's own.

CREATE TABLE engine_nodes (
    id uuid PRIMARY KEY,                               -- one process, from start to end
    place uuid NOT NULL,                               -- its data folder, which one process uses
    name text NOT NULL CHECK (name <> ''),
    version text NOT NULL,
    capacity integer NOT NULL DEFAULT 0 CHECK (capacity >= 0),   -- cameras at most; 0: no limit
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);
CREATE INDEX engine_nodes_of_place ON engine_nodes (place);

CREATE TABLE camera_leases (
    stream_id uuid PRIMARY KEY REFERENCES streams (id) ON DELETE CASCADE,
    node_id uuid REFERENCES engine_nodes (id) ON DELETE SET NULL,   -- null: given back
    node_name text NOT NULL,                           -- of the last holder, as is its place
    place uuid NOT NULL,
    generation bigint NOT NULL DEFAULT 1,              -- grows with every change of holder
    since timestamptz NOT NULL,
    expires_at timestamptz NOT NULL,
    asked_by uuid REFERENCES engine_nodes (id) ON DELETE SET NULL   -- who wants it handed over
);
CREATE INDEX camera_leases_of_node ON camera_leases (node_id);

-- Whoever holds cameras looks at once when a camera or a holder changes. Renewals tell nobody.
CREATE FUNCTION tell_of_cameras() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('barnhand_cameras', TG_TABLE_NAME);
    RETURN NULL;
END
$$;
CREATE TRIGGER streams_tell AFTER INSERT OR DELETE OR UPDATE ON streams
FOR EACH STATEMENT EXECUTE FUNCTION tell_of_cameras();
CREATE TRIGGER camera_leases_tell
AFTER INSERT OR DELETE OR UPDATE OF node_id, generation, asked_by ON camera_leases
FOR EACH STATEMENT EXECUTE FUNCTION tell_of_cameras();
