-- name: hold
SELECT hold_identities();

-- name: share
SELECT share_identities();

-- name: horses
SELECT h.id, h.farm_id, h.label, h.name, h.colour_hex, h.status, h.first_seen_at, h.last_seen_at,
       h.version, h.breed, h.sex, h.birth_year, h.height_cm, h.colour, h.markings, h.stall,
       h.first_stream_id, h.last_stream_id, h.merged_into, h.total_detections,
       h.avatar IS NOT NULL AS has_avatar
FROM horses h
WHERE h.id = ANY (%(ids)s::uuid[])
   OR h.id IN (SELECT m.merged_into FROM horses m WHERE m.id = ANY (%(ids)s::uuid[]));

-- name: tracks
SELECT t.id, s.farm_id, s.id AS stream_id, s.name AS camera, t.number, t.started_at, t.ended_at
FROM tracks t JOIN streams s ON s.key = t.stream_key
WHERE t.id = ANY (%(ids)s::uuid[]);

-- name: spans_of_horses
SELECT i.id, i.track_id, i.horse_id, nullif(i.valid_from, '-infinity') AS valid_from,
       nullif(i.valid_to, 'infinity') AS valid_to, i.confidence, i.decided_by,
       s.farm_id, s.id AS stream_id, s.name AS camera, t.number, t.started_at, t.ended_at
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
JOIN streams s ON s.key = t.stream_key
WHERE i.horse_id = ANY (%(ids)s::uuid[]) AND i.superseded_at IS NULL;

-- name: spans_of_tracks
SELECT i.id, i.track_id, i.horse_id, nullif(i.valid_from, '-infinity') AS valid_from,
       nullif(i.valid_to, 'infinity') AS valid_to, i.confidence, i.decided_by,
       s.farm_id, s.id AS stream_id, s.name AS camera, t.number, t.started_at, t.ended_at
FROM identity_spans i
JOIN tracks t ON t.id = i.track_id
JOIN streams s ON s.key = t.stream_key
WHERE i.track_id = ANY (%(ids)s::uuid[]) AND i.superseded_at IS NULL;

-- name: rejected
SELECT track_id, horse_id FROM not_same
WHERE horse_id = ANY (%(horses)s::uuid[]) OR track_id = ANY (%(tracks)s::uuid[]);

-- name: overlapping_cameras
-- Cameras whose settings say that they see a common place: a distance of no metres.
SELECT s.key AS first, p.key AS second
FROM streams s
CROSS JOIN LATERAL jsonb_each(
    CASE WHEN jsonb_typeof(s.config #> '{extra,distances_m}') = 'object'
         THEN s.config #> '{extra,distances_m}' ELSE '{}' END) o
JOIN streams p ON p.id::text = lower(o.key)
WHERE jsonb_typeof(o.value) = 'number' AND (o.value #>> '{}')::float8 = 0;

-- name: presences
-- When and where each horse was in view, a stretch a row of the arrays, in seconds since 1970.
-- An open track was in view until its last detection.
SELECT i.horse_id, array_agg(t.stream_key::bigint) AS cameras,
       array_agg(extract(epoch FROM greatest(i.valid_from, t.started_at))::float8) AS starts_s,
       array_agg(extract(epoch FROM least(i.valid_to, coalesce(t.ended_at, (
           SELECT max(d.time) FROM detections d
           WHERE d.track_id = t.id AND d.time >= t.started_at), t.started_at)))::float8) AS ends_s
FROM identity_spans i JOIN tracks t ON t.id = i.track_id
WHERE i.horse_id = ANY (%(ids)s::uuid[]) AND i.superseded_at IS NULL
  AND i.valid_from <= coalesce(t.ended_at, 'infinity') AND i.valid_to > t.started_at
GROUP BY i.horse_id;

-- name: camera_names
SELECT key, id, name FROM streams WHERE key = ANY (%(keys)s::int[]);

-- name: camera_colours
-- Colours of the horses that the same cameras saw last.
SELECT DISTINCT h.colour_hex FROM horses h
WHERE h.farm_id = %(farm_id)s AND h.status <> 'merged'
  AND (h.id = ANY (%(horses)s::uuid[])
       OR h.last_stream_id IN (SELECT o.last_stream_id FROM horses o
                               WHERE o.id = ANY (%(horses)s::uuid[])));

-- name: next_number
SELECT next_tracking_number(%(farm_id)s) AS number;

-- name: number_is_free
SELECT NOT EXISTS (
    SELECT FROM horses WHERE farm_id = %(farm_id)s
      AND (tracking_number = %(number)s OR label = %(label)s)
) AS free;

-- name: add_horse
INSERT INTO horses (id, farm_id, tracking_number, label, colour_hex, status)
VALUES (%(id)s, %(farm_id)s, %(number)s, %(label)s, %(colour_hex)s, %(status)s);

-- name: counts_of_stretches
-- What some stretches of tracks hold. Whole finished tracks know their count; the rest is counted.
WITH stretches AS MATERIALIZED (
    SELECT p.*, t.started_at, t.ended_at, t.detections,
           coalesce(p.since <= t.started_at AND p.until > t.ended_at, false) AS whole
    FROM (
        SELECT u.track_id, coalesce(u.since, '-infinity') AS since,
               coalesce(u.until, 'infinity') AS until
        FROM unnest(%(tracks)s::uuid[], %(since)s::timestamptz[], %(until)s::timestamptz[])
            AS u (track_id, since, until)
    ) p
    JOIN tracks t ON t.id = p.track_id
), counted AS (
    SELECT track_id, detections AS rows, ended_at - started_at AS seen FROM stretches WHERE whole
    UNION ALL
    SELECT w.track_id, c.rows, c.seen
    FROM stretches w
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, max(d.time) - min(d.time) AS seen FROM detections d
        WHERE d.track_id = w.track_id AND d.time >= w.started_at
          AND d.time >= w.since AND d.time < w.until AND d.flags & 4 = 0
    ) c
    WHERE NOT w.whole
)
SELECT count(DISTINCT track_id) AS tracks, coalesce(sum(rows), 0)::bigint AS detections,
       coalesce(extract(epoch FROM sum(seen)), 0)::float8 AS seen_s
FROM counted;

-- name: counts_of_horse
-- The same for all that a horse has.
WITH stretches AS MATERIALIZED (
    SELECT i.track_id, i.valid_from AS since, i.valid_to AS until, t.started_at, t.ended_at,
           t.detections,
           coalesce(i.valid_from <= t.started_at AND i.valid_to > t.ended_at, false) AS whole
    FROM identity_spans i JOIN tracks t ON t.id = i.track_id
    WHERE i.horse_id = %(id)s AND i.superseded_at IS NULL
), counted AS (
    SELECT track_id, detections AS rows, ended_at - started_at AS seen FROM stretches WHERE whole
    UNION ALL
    SELECT w.track_id, c.rows, c.seen
    FROM stretches w
    CROSS JOIN LATERAL (
        SELECT count(*) AS rows, max(d.time) - min(d.time) AS seen FROM detections d
        WHERE d.track_id = w.track_id AND d.time >= w.started_at
          AND d.time >= w.since AND d.time < w.until AND d.flags & 4 = 0
    ) c
    WHERE NOT w.whole
)
SELECT count(*)::int AS spans, count(DISTINCT track_id) AS tracks,
       coalesce(sum(rows), 0)::bigint AS detections,
       coalesce(extract(epoch FROM sum(seen)), 0)::float8 AS seen_s
FROM counted;

-- name: horse_rows
SELECT id, to_jsonb(h) - 'avatar' - 'version' - 'updated_at' AS row
FROM horses h WHERE id = ANY (%(ids)s::uuid[]) ORDER BY id FOR UPDATE;

-- name: add_command
INSERT INTO identity_commands (id, farm_id, kind, arguments, summary, horses_before, horse_ids,
                               created, spans, detections, user_id, actor, reason)
VALUES (%(id)s, %(farm_id)s, %(kind)s, %(arguments)s, %(summary)s, %(horses_before)s,
        %(horse_ids)s, %(created)s, %(spans)s, %(detections)s,
        (SELECT id FROM users WHERE username = %(actor)s), %(actor)s, %(reason)s)
ON CONFLICT (id) DO UPDATE
SET horses_before = excluded.horses_before, horse_ids = excluded.horse_ids,
    created = excluded.created, spans = excluded.spans, detections = excluded.detections,
    summary = excluded.summary,
    effect = nextval('identity_effects'), effect_at = clock_timestamp(), undone_at = NULL,
    undone_by = NULL;

-- name: complete_command
UPDATE identity_commands
SET horses_after = %(horses_after)s, approved = %(approved)s::uuid[],
    unapproved = %(unapproved)s::uuid[], pairs_removed = %(pairs_removed)s
WHERE id = %(id)s;

-- name: place_horses
-- Where horses that a command made were first seen.
UPDATE horses h SET first_stream_id = (
    SELECT s.id FROM identity_spans i
    JOIN tracks t ON t.id = i.track_id
    JOIN streams s ON s.key = t.stream_key
    WHERE i.horse_id = h.id AND i.superseded_at IS NULL
    ORDER BY greatest(i.valid_from, t.started_at), t.id LIMIT 1
)
WHERE h.id = ANY (%(created)s::uuid[]);

-- name: end_spans
UPDATE identity_spans SET superseded_at = clock_timestamp(), superseded_by = %(command)s
WHERE id = ANY (%(ids)s::uuid[]) AND superseded_at IS NULL;

-- name: begin_spans
INSERT INTO identity_spans (id, track_id, horse_id, valid_from, valid_to, confidence, decided_by,
                            begun_by)
SELECT p.id, p.track_id, p.horse_id, coalesce(p.since, '-infinity'), coalesce(p.until, 'infinity'),
       p.confidence, p.decided_by, %(command)s
FROM unnest(%(ids)s::uuid[], %(tracks)s::uuid[], %(horses)s::uuid[], %(since)s::timestamptz[],
            %(until)s::timestamptz[], %(confidences)s::real[], %(deciders)s::text[])
    AS p (id, track_id, horse_id, since, until, confidence, decided_by);

-- name: move_spans
-- A merge: every current span of one horse becomes the other's.
UPDATE identity_spans SET horse_id = %(kept)s, moved_by = moved_by || %(command)s::uuid
WHERE horse_id = %(absorbed)s AND superseded_at IS NULL;

-- name: change_horse
UPDATE horses
SET name = %(name)s, breed = %(breed)s, sex = %(sex)s, birth_year = %(birth_year)s,
    height_cm = %(height_cm)s, colour = %(colour)s, markings = %(markings)s, stall = %(stall)s,
    status = %(status)s, merged_into = %(merged_into)s
WHERE id = %(id)s;

-- name: grow_versions
UPDATE horses SET version = version + 1, updated_at = now()
WHERE id = ANY (%(ids)s::uuid[]) AND NOT id = ANY (%(created)s::uuid[]);

-- name: add_pairs
INSERT INTO not_same (track_id, horse_id, command_id)
SELECT p.*, %(command)s FROM unnest(%(tracks)s::uuid[], %(horses)s::uuid[]) p;

-- name: remove_pairs
DELETE FROM not_same n USING unnest(%(tracks)s::uuid[], %(horses)s::uuid[]) AS p (track_id, horse_id)
WHERE n.track_id = p.track_id AND n.horse_id = p.horse_id
RETURNING to_jsonb(n) AS row;

-- name: remove_pairs_of_merge
DELETE FROM not_same n
WHERE n.horse_id = %(kept)s AND n.track_id IN (
    SELECT track_id FROM identity_spans
    WHERE moved_by @> ARRAY[%(command)s::uuid] AND moved_by <> '{}')
RETURNING to_jsonb(n) AS row;

-- name: approve
UPDATE horse_features f SET approved = %(approved)s
FROM unnest(%(tracks)s::uuid[], %(since)s::timestamptz[], %(until)s::timestamptz[])
    AS p (track_id, since, until)
WHERE f.track_id = p.track_id AND f.approved <> %(approved)s
  AND f.at >= coalesce(p.since, '-infinity') AND f.at < coalesce(p.until, 'infinity')
RETURNING f.id;

-- name: notify
SELECT pg_notify('barnhand_identity', %(payload)s);

-- name: command
SELECT id, farm_id, kind, arguments, summary, horses_before, horses_after, horse_ids, created,
       approved, unapproved, pairs_removed, spans, detections, actor, reason, at, sequence, effect,
       effect_at, undone_at, undone_by
FROM identity_commands WHERE id = %(id)s;

-- name: history
SELECT id, farm_id, kind, summary, horse_ids, created, spans, detections, actor, reason, at,
       undone_at, undone_by
FROM identity_commands
WHERE (%(farm_id)s::uuid IS NULL OR farm_id = %(farm_id)s)
  AND (%(horse_id)s::uuid IS NULL OR horse_ids @> ARRAY[%(horse_id)s::uuid])
  AND (%(before)s::uuid IS NULL
       OR sequence < (SELECT sequence FROM identity_commands WHERE id = %(before)s))
ORDER BY sequence DESC LIMIT %(limit)s;

-- name: last_change_of_horse
SELECT actor, summary, effect_at, undone_at, undone_by FROM identity_commands
WHERE horse_ids @> ARRAY[%(horse_id)s::uuid]
ORDER BY coalesce(undone_at, effect_at) DESC LIMIT 1;

-- name: later_commands
-- Commands in effect that touched some of the horses after this one, the latest first.
SELECT actor, summary, at, horse_ids, horses_before, horses_after FROM identity_commands
WHERE horse_ids && %(horses)s::uuid[] AND effect > %(effect)s AND undone_at IS NULL
ORDER BY effect DESC;

-- name: command_on_spans
-- A later command that ended or handed on what this one began or handed over.
SELECT c.actor, c.summary, c.at
FROM (
    SELECT superseded_by, moved_by FROM identity_spans WHERE begun_by = %(id)s
    UNION ALL
    SELECT superseded_by, moved_by FROM identity_spans
    WHERE moved_by @> ARRAY[%(id)s::uuid] AND moved_by <> '{}'
) i
JOIN identity_commands c
  ON c.id <> %(id)s
 AND (c.id = i.superseded_by OR (c.id = ANY (i.moved_by) AND c.effect > %(effect)s))
ORDER BY c.effect DESC LIMIT 1;

-- name: disturbed
-- Spans that the command ended and that cannot simply come back, because something was decided
-- about their track since. "free" is what remains as if the command had never been: without what
-- the engine took from the command's own spans, and without what it decided since.
WITH tracks AS (
    SELECT track_id FROM identity_spans WHERE begun_by = %(id)s AND superseded_at IS NOT NULL
    UNION
    SELECT e.track_id FROM identity_spans e
    JOIN identity_spans n ON n.track_id = e.track_id AND n.superseded_at IS NULL
         AND n.begun_by IS DISTINCT FROM %(id)s
         AND n.valid_from < e.valid_to AND n.valid_to > e.valid_from
    WHERE e.superseded_by = %(id)s
)
SELECT e.id, e.track_id, f.free::text AS free, f.free = f.whole AS untouched
FROM tracks
JOIN identity_spans e ON e.track_id = tracks.track_id AND e.superseded_by = %(id)s
LEFT JOIN LATERAL (
    SELECT coalesce(range_agg(tstzrange(g.valid_from, g.valid_to))
                    FILTER (WHERE g.superseded_at IS NOT NULL AND g.superseded_by IS NULL), '{}')
           - coalesce(range_agg(tstzrange(g.valid_from, g.valid_to))
                      FILTER (WHERE g.superseded_at IS NULL), '{}') AS ranges
    FROM identity_spans g WHERE g.track_id = e.track_id AND g.begun_by = %(id)s
) taken ON e.decided_by = 'engine'
LEFT JOIN LATERAL (
    SELECT range_agg(tstzrange(n.valid_from, n.valid_to)) AS ranges
    FROM identity_spans n
    WHERE n.track_id = e.track_id AND n.begun_by IS NULL AND n.decided_by = 'engine'
      AND n.created_at > %(effect_at)s
      AND (n.superseded_at IS NULL OR n.superseded_by IS NOT NULL)
) newer ON e.decided_by = 'engine'
CROSS JOIN LATERAL (
    SELECT tstzmultirange(tstzrange(e.valid_from, e.valid_to)) AS whole,
           tstzmultirange(tstzrange(e.valid_from, e.valid_to)) - coalesce(taken.ranges, '{}')
               - coalesce(newer.ranges, '{}') AS free
) f;

-- name: command_on_stretches
-- A later command that gave away stretches which are to come back.
SELECT c.actor, c.summary, c.at
FROM unnest(%(tracks)s::uuid[], %(free)s::text[]) AS p (track_id, free)
CROSS JOIN LATERAL unnest(p.free::tstzmultirange) r
JOIN identity_spans i ON i.track_id = p.track_id AND i.superseded_at IS NULL
     AND tstzrange(i.valid_from, i.valid_to) && r
JOIN identity_commands c ON c.id = i.begun_by AND c.id <> %(id)s
ORDER BY c.effect DESC LIMIT 1;

-- name: command_on_pairs
-- A later command that overruled negative pairs which this one had stored.
SELECT c.actor, c.summary, c.at FROM identity_commands c
WHERE c.undone_at IS NULL AND c.effect > %(effect)s
  AND EXISTS (SELECT FROM jsonb_array_elements(c.pairs_removed) p
              WHERE (p ->> 'command_id')::uuid = %(id)s)
ORDER BY c.effect DESC LIMIT 1;

-- name: areas_of_horses
SELECT name FROM areas WHERE expected_horse_id = ANY (%(horses)s::uuid[]) LIMIT 1;

-- name: take_back_spans
DELETE FROM identity_spans WHERE begun_by = %(id)s;

-- name: leave_ended
-- The engine decided otherwise since: what the command had ended stays ended ...
UPDATE identity_spans SET superseded_by = NULL WHERE id = %(id)s;

-- name: revive_parts
-- ... but for the parts that the engine did not decide about.
INSERT INTO identity_spans (id, track_id, horse_id, valid_from, valid_to, confidence, decided_by,
                            created_at, begun_by, moved_by, superseded_at, superseded_by)
SELECT gen_random_uuid(), e.track_id, e.horse_id, lower(r), upper(r), e.confidence, e.decided_by,
       e.created_at, e.begun_by, e.moved_by, e.superseded_at, %(command)s
FROM identity_spans e, unnest(%(free)s::tstzmultirange) r
WHERE e.id = %(id)s;

-- name: yield_to_person
-- The engine's decisions yield to what a person had said before the command.
UPDATE identity_spans n SET superseded_at = clock_timestamp()
FROM identity_spans ended
WHERE ended.superseded_by = %(id)s AND ended.decided_by <> 'engine'
  AND n.track_id = ended.track_id AND n.superseded_at IS NULL AND n.begun_by IS NULL
  AND n.valid_from < ended.valid_to AND n.valid_to > ended.valid_from;

-- name: revive_spans
UPDATE identity_spans SET superseded_at = NULL, superseded_by = NULL
WHERE superseded_by = %(id)s;

-- name: hand_back_spans
-- Of a merge, also those that the engine replaced since.
WITH back AS (
    UPDATE identity_spans
    SET horse_id = %(absorbed)s, moved_by = moved_by[:cardinality(moved_by) - 1]
    WHERE moved_by @> ARRAY[%(id)s::uuid] AND moved_by <> '{}'
    RETURNING superseded_at
)
SELECT count(*) FILTER (WHERE superseded_at IS NULL) AS current,
       count(*) FILTER (WHERE superseded_at IS NOT NULL) AS replaced
FROM back;

-- name: join_merges
-- Spans that came back to a horse which was merged meanwhile go where the merge would have taken
-- them, and join it.
UPDATE identity_spans i SET horse_id = h.merged_into, moved_by = i.moved_by || c.id
FROM horses h
JOIN identity_commands c ON c.kind = 'merge' AND c.undone_at IS NULL
     AND c.horse_ids @> ARRAY[h.id] AND (c.arguments ->> 'absorbed')::uuid = h.id
WHERE h.merged_into IS NOT NULL AND i.horse_id = h.id AND i.superseded_at IS NULL
RETURNING i.horse_id;

-- name: hand_back_spans_of_created
-- What the engine decided for a horse that the command made goes to the horse it came from.
UPDATE identity_spans SET horse_id = %(origin)s
WHERE horse_id = ANY (%(created)s::uuid[]);

-- name: drop_spans_of_created
DELETE FROM identity_spans WHERE horse_id = ANY (%(created)s::uuid[]);

-- name: hand_back_reviews_of_created
UPDATE reviews SET horse_id = %(origin)s WHERE horse_id = ANY (%(created)s::uuid[]);

-- name: drop_reviews_of_created
DELETE FROM reviews WHERE horse_id = ANY (%(created)s::uuid[]);

-- name: drop_horses
DELETE FROM horses WHERE id = ANY (%(created)s::uuid[]);

-- name: restore_horses
UPDATE horses h
SET name = r.name, breed = r.breed, sex = r.sex, birth_year = r.birth_year,
    height_cm = r.height_cm, colour = r.colour, markings = r.markings, stall = r.stall,
    status = r.status, merged_into = r.merged_into, first_stream_id = r.first_stream_id,
    last_stream_id = r.last_stream_id, first_seen_at = r.first_seen_at,
    last_seen_at = r.last_seen_at, total_detections = r.total_detections
FROM jsonb_populate_recordset(NULL::horses, %(rows)s) r
WHERE h.id = r.id;

-- name: restore_avatars
-- Those that nothing changed since the command; the others are found again.
UPDATE horses h SET avatar = a.avatar, avatar_score = a.avatar_score
FROM identity_command_avatars a
WHERE a.command_id = %(id)s AND a.horse_id = h.id AND h.id = ANY (%(horses)s::uuid[]);

-- name: forget_avatars
DELETE FROM identity_command_avatars WHERE command_id = %(id)s;

-- name: drop_pairs
DELETE FROM not_same WHERE command_id = %(id)s;

-- name: restore_pairs
INSERT INTO not_same SELECT * FROM jsonb_populate_recordset(NULL::not_same, %(rows)s);

-- name: set_approval
UPDATE horse_features SET approved = %(approved)s WHERE id = ANY (%(ids)s::uuid[]);

-- name: reopen_reviews
UPDATE reviews SET state = 'open', command_id = NULL, decided_by = NULL, decided_at = NULL
WHERE command_id = %(id)s;

-- name: mark_undone
UPDATE identity_commands SET undone_at = clock_timestamp(), undone_by = %(actor)s
WHERE id = %(id)s;

-- name: review
SELECT r.id, r.farm_id, r.kind, r.track_id, r.other_track_id, resolved_horse(r.horse_id) AS horse_id,
       r.at, r.state, r.decided_by, s.id AS stream_id
FROM reviews r
JOIN tracks t ON t.id = r.track_id
JOIN streams s ON s.key = t.stream_key
WHERE r.id = %(id)s FOR UPDATE OF r;

-- name: reviews
-- Open questions; what a person decided about the track meanwhile needs no answer any more.
SELECT r.id, r.kind, r.track_id, r.other_track_id, resolved_horse(r.horse_id) AS horse_id,
       r.similarity, r.at, s.id AS stream_id, r.deferred_at IS NOT NULL AS deferred
FROM reviews r
JOIN tracks t ON t.id = r.track_id
JOIN streams s ON s.key = t.stream_key
WHERE r.state = 'open' AND (%(farm_id)s::uuid IS NULL OR r.farm_id = %(farm_id)s)
  AND NOT EXISTS (
      SELECT FROM identity_spans i
      WHERE i.track_id = r.track_id AND i.superseded_at IS NULL AND i.decided_by <> 'engine'
        AND i.valid_from <= r.at AND i.valid_to > r.at)
  AND NOT (r.kind = 'match' AND EXISTS (
      SELECT FROM not_same n
      WHERE n.track_id = r.track_id AND n.horse_id IN (r.horse_id, resolved_horse(r.horse_id))))
ORDER BY r.deferred_at NULLS FIRST, r.at, r.id
LIMIT %(limit)s;

-- name: settle_review
UPDATE reviews SET state = %(state)s, command_id = %(command)s, decided_by = %(actor)s,
                   decided_at = clock_timestamp()
WHERE id = %(id)s;

-- name: defer_review
UPDATE reviews SET deferred_at = clock_timestamp() WHERE id = %(id)s;

-- name: owners_after
-- Whose two tracks are from an instant on, the first owner of each.
SELECT DISTINCT ON (i.track_id) i.track_id, i.horse_id FROM identity_spans i
WHERE i.track_id = ANY (%(tracks)s::uuid[]) AND i.superseded_at IS NULL AND i.valid_to > %(at)s
ORDER BY i.track_id, i.valid_from;
