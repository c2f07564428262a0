-- name: stream_keys
SELECT id, key FROM streams WHERE id = ANY (%(ids)s::uuid[]);

-- name: model_keys
SELECT name, key FROM models WHERE name = ANY (%(names)s::text[]);

-- name: add_models
INSERT INTO models (name) SELECT unnest(%(names)s::text[]) ON CONFLICT (name) DO NOTHING;

-- name: skeleton_keys
SELECT name, key FROM skeletons WHERE name = ANY (%(names)s::text[]);

-- name: add_skeleton
INSERT INTO skeletons (name, landmarks) VALUES (%(name)s, %(landmarks)s)
ON CONFLICT (name) DO NOTHING;

-- name: share
-- Corrections and what makes motion final wait for this transaction, or it for them.
SELECT share_identities();

-- name: claim_batch
INSERT INTO spool_batches (id) VALUES (%(id)s) ON CONFLICT (id) DO NOTHING;

-- name: forget_batches
DELETE FROM spool_batches WHERE id = ANY (%(ids)s::uuid[]);

-- name: put_tracks
INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, detections, confidence)
SELECT * FROM unnest(%(ids)s::uuid[], %(stream_keys)s::int[], %(numbers)s::bigint[],
    %(class_ids)s::smallint[], %(started)s::timestamptz[], %(ended)s::timestamptz[],
    %(detections)s::bigint[], %(confidences)s::real[])
ON CONFLICT (id) DO UPDATE
SET class_id = excluded.class_id,
    started_at = least(tracks.started_at, excluded.started_at),
    ended_at = excluded.ended_at,
    detections = excluded.detections,
    confidence = excluded.confidence
WHERE excluded.ended_at IS NOT NULL;

-- name: copy_detections
COPY detections (time, track_id, stream_key, x1, y1, x2, y2, score, class_id, model_key,
    skeleton_key, flags, keypoints) FROM STDIN (FORMAT BINARY);

-- name: copy_metrics
COPY pose_metrics (time, track_id, gait, lead, action, posture, speed_mps, stride_hz, stride_m,
    head_height_m, back_deg, symmetry, shoulder_left_deg, shoulder_right_deg, elbow_left_deg,
    elbow_right_deg, hip_left_deg, hip_right_deg, knee_left_deg, knee_right_deg)
    FROM STDIN (FORMAT BINARY);
