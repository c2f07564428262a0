-- name: put
INSERT INTO video_chunks (
    id, stream_id, media_id, start_at, end_at, path, overlay_path, codec, width_px, height_px,
    state, size_bytes, sha256, first_source_pts_s, horses, moving, locked, final
) VALUES (
    %(id)s, %(stream_id)s, %(media_id)s, %(start_at)s, %(end_at)s, %(path)s, %(overlay_path)s,
    %(codec)s, %(width_px)s, %(height_px)s, %(state)s, %(size_bytes)s, %(sha256)s,
    %(first_source_pts_s)s, %(horses)s, %(moving)s, %(locked)s, %(final)s
)
ON CONFLICT (id) DO UPDATE SET
    stream_id = excluded.stream_id, media_id = coalesce(excluded.media_id, video_chunks.media_id),
    start_at = excluded.start_at, end_at = excluded.end_at, path = excluded.path,
    overlay_path = excluded.overlay_path, codec = excluded.codec, width_px = excluded.width_px,
    height_px = excluded.height_px, state = excluded.state, size_bytes = excluded.size_bytes,
    sha256 = excluded.sha256, first_source_pts_s = excluded.first_source_pts_s,
    horses = excluded.horses, moving = excluded.moving, final = excluded.final;

-- name: get
SELECT * FROM video_chunks WHERE id = %(id)s;

-- name: list
SELECT video_chunks.* FROM video_chunks
WHERE (%(all_streams)s OR stream_id = ANY (%(stream_ids)s))
    AND (%(start)s::timestamptz IS NULL OR end_at > %(start)s)
    AND (%(start)s::timestamptz IS NULL OR start_at > %(start)s - interval '10 minutes')
    AND (%(end)s::timestamptz IS NULL OR start_at < %(end)s)
    AND state = ANY (%(states)s)
    AND (%(media_id)s::uuid IS NULL OR media_id IS NULL OR media_id = %(media_id)s)
    AND (
        %(farm_id)s::uuid IS NULL
        OR stream_id IN (SELECT id FROM streams WHERE farm_id = %(farm_id)s)
    )
    AND (
        %(after)s::uuid IS NULL
        OR (start_at, id) > (SELECT start_at, id FROM video_chunks WHERE id = %(after)s)
    )
ORDER BY start_at, id
LIMIT %(limit)s;

-- name: list_newest_first
SELECT video_chunks.* FROM video_chunks
WHERE (%(all_streams)s OR stream_id = ANY (%(stream_ids)s))
    AND (%(start)s::timestamptz IS NULL OR end_at > %(start)s)
    AND (%(start)s::timestamptz IS NULL OR start_at > %(start)s - interval '10 minutes')
    AND (%(end)s::timestamptz IS NULL OR start_at < %(end)s)
    AND state = ANY (%(states)s)
    AND (%(media_id)s::uuid IS NULL OR media_id IS NULL OR media_id = %(media_id)s)
    AND (
        %(farm_id)s::uuid IS NULL
        OR stream_id IN (SELECT id FROM streams WHERE farm_id = %(farm_id)s)
    )
    AND (
        %(after)s::uuid IS NULL
        OR (start_at, id) < (SELECT start_at, id FROM video_chunks WHERE id = %(after)s)
    )
ORDER BY start_at DESC, id DESC
LIMIT %(limit)s;

-- name: remove
DELETE FROM video_chunks WHERE id = ANY (%(ids)s) AND NOT locked;

-- name: lock
UPDATE video_chunks SET locked = %(locked)s
WHERE stream_id = ANY (%(stream_ids)s) AND end_at > %(start)s AND start_at < %(end)s
    AND state <> 'removed' AND locked <> %(locked)s;

-- name: lock_one
UPDATE video_chunks SET locked = %(locked)s WHERE id = %(id)s AND state <> 'removed';

-- name: oldest_unlocked
SELECT * FROM video_chunks
WHERE NOT locked AND state IN ('complete', 'rescued', 'damaged')
    AND (%(media_id)s::uuid IS NULL OR media_id IS NULL OR media_id = %(media_id)s)
ORDER BY start_at
LIMIT %(limit)s;

-- name: retire
UPDATE video_chunks SET state = 'removed', size_bytes = 0, overlay_path = ''
WHERE id = %(id)s AND NOT locked AND state IN ('complete', 'rescued', 'damaged');

-- name: prune
DELETE FROM video_chunks WHERE state = 'removed' AND end_at < %(before)s;

-- name: unfinal
SELECT * FROM video_chunks
WHERE moving AND NOT final AND state IN ('complete', 'rescued')
    AND (%(media_id)s::uuid IS NULL OR media_id IS NULL OR media_id = %(media_id)s)
ORDER BY start_at DESC
LIMIT %(limit)s;

-- name: usage
SELECT count(*) AS chunks, coalesce(sum(size_bytes), 0)::bigint AS size_bytes,
    coalesce(sum(size_bytes) FILTER (WHERE locked), 0)::bigint AS locked_bytes,
    min(start_at) AS oldest_at
FROM video_chunks
WHERE state <> 'removed' AND (%(stream_id)s::uuid IS NULL OR stream_id = %(stream_id)s)
    AND (%(media_id)s::uuid IS NULL OR media_id IS NULL OR media_id = %(media_id)s);
