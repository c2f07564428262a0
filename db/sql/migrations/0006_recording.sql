-- Recorded chunks of video. The row outlives its file (state 'removed'), so that a timeline can say
-- that there was a recording. No key to streams: the files of a camera that was taken away stay
-- until retention takes them.

CREATE TABLE video_chunks (
    id uuid PRIMARY KEY,
    stream_id uuid NOT NULL,
    media_id uuid,                                     -- which media folder holds the file
    start_at timestamptz NOT NULL,
    end_at timestamptz NOT NULL CHECK (end_at >= start_at),
    path text NOT NULL UNIQUE CHECK (path <> ''),      -- relative to the media folder
    overlay_path text NOT NULL DEFAULT '',
    codec text NOT NULL,
    width_px integer NOT NULL CHECK (width_px >= 0),
    height_px integer NOT NULL CHECK (height_px >= 0),
    state text NOT NULL CHECK (state IN ('open', 'complete', 'rescued', 'damaged', 'removed')),
    size_bytes bigint NOT NULL DEFAULT 0 CHECK (size_bytes >= 0),
    sha256 text NOT NULL DEFAULT '' CHECK (sha256 = '' OR sha256 ~ '^[0-9a-f]{64}$'),
    first_source_pts_s double precision,
    horses integer,
    moving boolean NOT NULL DEFAULT false,
    locked boolean NOT NULL DEFAULT false,
    final boolean NOT NULL DEFAULT false
);
CREATE INDEX video_chunks_of_stream ON video_chunks (stream_id, start_at);
CREATE INDEX video_chunks_by_time ON video_chunks (start_at, id);
CREATE INDEX video_chunks_to_remove ON video_chunks (start_at)
    WHERE NOT locked AND state IN ('complete', 'rescued', 'damaged');
CREATE INDEX video_chunks_locked ON video_chunks (start_at) WHERE locked;
CREATE INDEX video_chunks_unfinal ON video_chunks (start_at)
    WHERE moving AND NOT final AND state IN ('complete', 'rescued');
