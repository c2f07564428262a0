-- name: try_alone
SELECT pg_try_advisory_lock(7091318039310988603);

-- name: last_run
SELECT at FROM audit_log
WHERE object_kind = 'housekeeping' AND object_id = %(task)s ORDER BY id DESC LIMIT 1;

-- name: drop_old_strides
DELETE FROM strides WHERE id IN (
    SELECT id FROM strides WHERE start_at < %(before)s ORDER BY start_at LIMIT %(limit)s
);

-- name: forgotten_avatars
-- Large pictures of horses that were not seen for long; one that a person chose stays.
SELECT id, avatar FROM horses
WHERE last_seen_at < %(before)s AND octet_length(avatar) > %(large)s
  AND avatar_score < %(chosen)s AND id <> ALL (%(done)s::uuid[])
ORDER BY id LIMIT %(limit)s;

-- name: thin_avatar
-- Unless it changed meanwhile.
UPDATE horses SET avatar = %(thin)s WHERE id = %(id)s AND avatar = %(avatar)s;

-- name: thin_crops
-- Of horses that were not seen for long the best crops stay, over all cameras; a track that
-- another horse shares, seen since, keeps its own.
UPDATE tracks SET crop = NULL, crop_score = 0
WHERE id IN (
    SELECT ranked.id FROM (
        SELECT t.id, row_number() OVER (PARTITION BY i.horse_id
                                        ORDER BY t.crop_score DESC, t.id) AS place
        FROM horses h
        JOIN identity_spans i ON i.horse_id = h.id AND i.superseded_at IS NULL
        JOIN tracks t ON t.id = i.track_id
        WHERE h.last_seen_at < %(before)s AND t.crop IS NOT NULL
    ) ranked
    WHERE NOT EXISTS (
        SELECT FROM identity_spans o JOIN horses p ON p.id = o.horse_id
        WHERE o.track_id = ranked.id AND o.superseded_at IS NULL
          AND p.last_seen_at >= %(before)s
    )
    GROUP BY ranked.id HAVING min(ranked.place) > %(keep)s
    LIMIT %(limit)s
);

-- name: exports_gone
-- Jobs whose files were removed say so.
UPDATE jobs
SET result = (result - 'path') || jsonb_build_object('removed_at', %(at)s::timestamptz)
WHERE kind = 'export' AND result ->> 'path' = ANY (%(paths)s::text[]);

-- name: set_retention
-- TimescaleDB drops detections by a policy of its own: it follows the setting.
SELECT alter_job(job_id, config => jsonb_set(config, '{drop_after}', to_jsonb(%(keep)s::text)))
FROM timescaledb_information.jobs
WHERE proc_name = 'policy_retention' AND hypertable_name IN ('detections', 'pose_metrics')
  AND (config ->> 'drop_after')::interval <> %(keep)s::interval;
