-- name: chunk
-- Holds others who edit the same chunk until this transaction ends.
SELECT c.id, c.start_at, c.end_at, c.width_px, c.height_px, s.id AS stream_id, s.key AS stream_key,
       s.farm_id
FROM video_chunks c JOIN streams s ON s.id = c.stream_id
WHERE c.id = %(id)s
FOR NO KEY UPDATE OF c;

-- name: track
-- A track of the chunk's camera.
SELECT id, number, class_id FROM tracks WHERE id = %(track_id)s AND stream_key = %(stream_key)s;

-- name: rows_of_track
SELECT time, x1, y1, x2, y2, score, flags, skeleton_key, keypoints
FROM detections
WHERE track_id = %(track_id)s AND time >= %(start)s AND time < %(end)s
ORDER BY time;

-- name: track_of_horse
-- The track on which this camera followed a horse around an instant.
SELECT t.id, t.number
FROM identity_spans i JOIN tracks t ON t.id = i.track_id
WHERE i.horse_id = resolved_horse(%(horse_id)s) AND i.superseded_at IS NULL
  AND i.valid_from <= %(at)s AND i.valid_to > %(at)s
  AND t.stream_key = %(stream_key)s AND t.started_at <= %(at)s
  AND coalesce(t.ended_at, 'infinity') >= %(at)s
ORDER BY t.started_at DESC LIMIT 1;

-- name: add_track
INSERT INTO tracks (id, stream_key, number, class_id, started_at, ended_at, detections, confidence)
SELECT %(track_id)s, %(stream_key)s, coalesce(max(number), 0) + 1, 0, %(at)s, %(at)s, 1, 1
FROM tracks WHERE stream_key = %(stream_key)s;

-- name: empty_track
-- A track that an undone edit had made: nothing is seen on it.
UPDATE tracks SET detections = 0 WHERE id = ANY (%(tracks)s::uuid[]);

-- name: change_row
UPDATE detections
SET x1 = %(x1)s, y1 = %(y1)s, x2 = %(x2)s, y2 = %(y2)s, flags = %(flags)s,
    keypoints = %(keypoints)s, score = %(score)s
WHERE track_id = %(track_id)s AND time = %(time)s;

-- name: add_row
INSERT INTO detections (time, track_id, stream_key, x1, y1, x2, y2, score, class_id, model_key,
                        skeleton_key, flags, keypoints)
VALUES (%(time)s, %(track_id)s, %(stream_key)s, %(x1)s, %(y1)s, %(x2)s, %(y2)s, %(score)s,
        %(class_id)s, 0, 0, %(flags)s, NULL);

-- name: remove_row
DELETE FROM detections WHERE track_id = %(track_id)s AND time = %(time)s;

-- name: current_rows
-- What the rows of an edit look like now; null where retention took one.
SELECT r.track_id, r.time, r.before_box, r.before_flags, r.before_keypoints, r.before_score,
       r.after_box, r.after_flags, ARRAY[d.x1, d.y1, d.x2, d.y2] AS box, d.flags
FROM detection_edit_rows r
LEFT JOIN detections d ON d.track_id = r.track_id AND d.time = r.time
WHERE r.edit_id = %(id)s;

-- name: later_edit
-- The newest edit in effect that touched one of the same rows afterwards.
SELECT e.actor, e.summary, e.at
FROM detection_edit_rows mine
JOIN detection_edit_rows r ON r.track_id = mine.track_id AND r.time = mine.time
JOIN detection_edits e ON e.id = r.edit_id
JOIN detection_edits self ON self.id = mine.edit_id
WHERE mine.edit_id = %(id)s AND e.sequence > self.sequence AND e.undone_at IS NULL
ORDER BY e.sequence DESC LIMIT 1;

-- name: add_edit
INSERT INTO detection_edits (id, chunk_id, summary, actor, reason, edits, detections, commands,
                             tracks)
VALUES (%(id)s, %(chunk_id)s, %(summary)s, %(actor)s, %(reason)s, %(edits)s, %(detections)s,
        %(commands)s, %(tracks)s)
RETURNING id, chunk_id, summary, actor, at, detections, undone_at, undone_by;

-- name: add_edit_row
INSERT INTO detection_edit_rows (edit_id, track_id, time, before_box, before_flags,
                                 before_keypoints, before_score, after_box, after_flags)
VALUES (%(edit_id)s, %(track_id)s, %(time)s, %(before_box)s, %(before_flags)s,
        %(before_keypoints)s, %(before_score)s, %(after_box)s, %(after_flags)s);

-- name: edit
SELECT id, chunk_id, summary, actor, at, detections, undone_at, undone_by, commands, tracks
FROM detection_edits WHERE id = %(id)s;

-- name: hold_edit
SELECT id, chunk_id, summary, actor, at, detections, undone_at, undone_by, commands, tracks
FROM detection_edits WHERE id = %(id)s FOR UPDATE;

-- name: mark_undone
UPDATE detection_edits SET undone_at = clock_timestamp(), undone_by = %(actor)s
WHERE id = %(id)s
RETURNING id, chunk_id, summary, actor, at, detections, undone_at, undone_by;

-- name: history
SELECT id, chunk_id, summary, actor, at, detections, undone_at, undone_by
FROM detection_edits WHERE chunk_id = %(chunk_id)s ORDER BY sequence DESC;
