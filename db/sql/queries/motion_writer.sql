-- name: put_bouts
-- A bout that is told again grows; a final one is not touched by a provisional telling. Bouts of
-- tracks that have no row are left out.
INSERT INTO bouts (id, track_id, start_at, end_at, confidence, provisional, open, kind, value,
                   told_id)
SELECT u.* FROM unnest(%(id)s::uuid[], %(track_id)s::uuid[], %(start_at)s::timestamptz[],
    %(end_at)s::timestamptz[], %(confidence)s::real[], %(provisional)s::boolean[],
    %(open)s::boolean[], %(kind)s::text[], %(value)s::text[], %(told_id)s::uuid[])
    AS u (id, track_id, start_at, end_at, confidence, provisional, open, kind, value, told_id)
JOIN tracks t ON t.id = u.track_id
ON CONFLICT (id) DO UPDATE
SET start_at = least(bouts.start_at, excluded.start_at),
    end_at = greatest(bouts.end_at, excluded.end_at),
    confidence = excluded.confidence,
    provisional = excluded.provisional,
    open = bouts.open AND excluded.open,
    value = excluded.value
WHERE bouts.provisional OR NOT excluded.provisional;

-- name: put_strides
INSERT INTO strides (id, track_id, start_at, end_at, stride_hz, length_m, speed_mps, symmetry,
                     hd_min_mm, hd_max_mm, pd_min_mm, pd_max_mm, quality, gait, lead, straight,
                     provisional, duty, phases, dissociation)
SELECT %(id)s, t.id, %(start_at)s, %(end_at)s, %(stride_hz)s, %(length_m)s, %(speed_mps)s,
       %(symmetry)s, %(hd_min_mm)s, %(hd_max_mm)s, %(pd_min_mm)s, %(pd_max_mm)s, %(quality)s,
       %(gait)s, %(lead)s, %(straight)s, %(provisional)s, %(duty)s::real[], %(phases)s::real[],
       %(dissociation)s::real[]
FROM tracks t WHERE t.id = %(track_id)s
ON CONFLICT (id) DO NOTHING;

-- name: final_stretches
SELECT track_id, start_at, end_at FROM final_stretches
WHERE track_id = ANY (%(ids)s::uuid[]) ORDER BY track_id, start_at;

-- name: forget_told
-- The parts of provisional bouts that are told anew.
DELETE FROM bouts
WHERE provisional AND (id = ANY (%(ids)s::uuid[]) OR told_id = ANY (%(ids)s::uuid[]));

-- name: stream_active
WITH ended AS (
    UPDATE stream_outages SET to_at = greatest(from_at, %(at)s)
    WHERE stream_key = %(stream_key)s AND to_at IS NULL
)
INSERT INTO stream_heartbeats (stream_key, at) VALUES (%(stream_key)s, %(at)s)
ON CONFLICT (stream_key) DO UPDATE SET at = greatest(stream_heartbeats.at, excluded.at);

-- name: stream_quiet
-- An outage that lasts keeps when it began. A new one began when pictures were last known to come,
-- where that is long ago: the program ended without a word.
WITH lasting AS (
    UPDATE stream_outages SET state = %(state)s, reason = %(reason)s
    WHERE stream_key = %(stream_key)s AND to_at IS NULL
    RETURNING stream_key
)
INSERT INTO stream_outages (stream_key, from_at, state, reason)
SELECT %(stream_key)s,
       coalesce((SELECT h.at FROM stream_heartbeats h
                 WHERE h.stream_key = %(stream_key)s
                   AND h.at < %(at)s::timestamptz - %(silent_s)s * interval '1 s'), %(at)s),
       %(state)s, %(reason)s
WHERE NOT EXISTS (SELECT FROM lasting)
ON CONFLICT DO NOTHING;
