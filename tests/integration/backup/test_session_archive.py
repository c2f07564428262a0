"""Old sessions: what goes after six months and what stays."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from barnhand_desktop.backup.session_archive import OldSessions, sweep_unfinished
from db.pool import open_pool
from db.repositories.farms import DEFAULT_FARM
from db.repositories.sessions import PostgresSessionRepository
from engine.domain.sessions import (
    Session,
    SessionId,
    SessionKind,
    SessionMode,
    SessionSource,
    SessionState,
)
from engine.sessions.layout import report_path, session_folder, video_path

NOW = datetime(2026, 11, 1, tzinfo=UTC)


def test_the_video_of_an_old_session_goes_and_its_report_stays(
    postgres_dsn: str, tmp_path: Path
) -> None:
    with open_pool(postgres_dsn, 2) as pool:
        sessions = PostgresSessionRepository(pool)

        def stored(days: int, locked: bool = False, here: bool = True) -> SessionId:
            one = SessionId(uuid4())
            sessions.add(
                Session(
                    one, DEFAULT_FARM, "Ride", SessionKind.TRAINING, SessionSource.UPLOAD,
                    SessionMode.PREVIEW, SessionState.DONE, NOW - timedelta(days=days), "Anna",
                    NOW - timedelta(days=days), video=video_path(one, ".mp4"), locked=locked,
                )
            )  # fmt: skip
            if here:
                session_folder(tmp_path, one).mkdir(parents=True)
                for path in (video_path(one, ".mp4"), report_path(one)):
                    (tmp_path / path).write_bytes(b"x")
            return one

        old, young, kept = stored(200), stored(100), stored(400, locked=True)
        elsewhere = stored(300, here=False)
        keeper = OldSessions(sessions, tmp_path)
        assert keeper.archive_due(NOW, lambda: True) == {"sessions": 0}
        assert keeper.archive_due(NOW, lambda: False) == {"sessions": 1}
        left = {one: {p.name for p in session_folder(tmp_path, one).glob("*")} for one in
                (old, young, kept)}  # fmt: skip
        assert left == {
            old: {"report.pdf"}, young: {"video.mp4", "report.pdf"},
            kept: {"video.mp4", "report.pdf"},
        }  # fmt: skip
        assert sessions.get(old).archived_at == NOW and not sessions.get(old).video
        assert all(sessions.get(one).archived_at is None for one in (young, kept, elsewhere))
        changed = sessions.update(replace(sessions.get(kept), locked=False))
        assert not changed.locked
        assert keeper.archive_due(NOW, lambda: False) == {"sessions": 1}


def test_what_was_left_of_a_video_goes_after_a_day(tmp_path: Path) -> None:
    def left(hours: float, name: str) -> Path:
        path = session_folder(tmp_path, SessionId(uuid4())) / name
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
        at_s = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(path, (at_s, at_s))
        return path

    forgotten, growing = left(25, "video.mp4.part"), left(1, "video.mp4.part")
    whole = left(9999, "video.mp4")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_bytes(b"x")
    linked = left(25, "video.mov")
    (linked.parent / "video.mov.part").symlink_to(elsewhere)
    assert sweep_unfinished(tmp_path, NOW, lambda: True) == {"unfinished_videos": 0}
    assert sweep_unfinished(tmp_path, NOW, lambda: False) == {"unfinished_videos": 1}
    assert not forgotten.parent.exists()
    assert all(path.exists() for path in (growing, whole, linked, elsewhere))
    assert sweep_unfinished(tmp_path / "absent", NOW, lambda: False) == {"unfinished_videos": 0}
