-- Which media folders the workstations work on, and which of them a job or a session's files need.
-- Recordings, exports and videos of sessions lie on the disk of the workstation that made them.

CREATE TABLE media_folders (
    id uuid PRIMARY KEY,                               -- the mark that lies in the folder
    workstation text NOT NULL CHECK (workstation <> ''),
    works_until timestamptz NOT NULL,                  -- its node renews this while it runs
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- Null: any node may do it. What was made by one that anybody could do lies where it was done.
ALTER TABLE jobs ADD COLUMN media_id uuid;
-- One request over the recordings of several folders is a job for each; the others name the first.
ALTER TABLE jobs ADD COLUMN part_of uuid;
-- Where its video and its report lie.
ALTER TABLE sessions ADD COLUMN media_id uuid;

-- The workstation of a media folder; empty where it is no workstation's, or of one never heard of.
CREATE FUNCTION workstation_of(folder uuid) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT coalesce((SELECT workstation FROM media_folders WHERE id = folder), '')
$$;

-- What a job says, with what it waits for where nobody works on its media folder now.
CREATE FUNCTION job_words(job jobs) RETURNS text LANGUAGE sql STABLE AS $$
    SELECT CASE
        WHEN job.state <> 'queued' OR job.media_id IS NULL OR EXISTS (
            SELECT FROM media_folders
            WHERE id = job.media_id AND works_until > statement_timestamp()) THEN job.message
        ELSE 'waits for '
            || coalesce(nullif(workstation_of(job.media_id), ''), 'the workstation')
            || CASE WHEN job.kind = 'export'
                        AND coalesce(job.arguments ->> 'kind', '') NOT IN ('clip', 'packet')
                    THEN ', where it was asked for'
                    ELSE ', which has the recordings' END
    END
$$;
