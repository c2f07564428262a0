"""What the doctor says about web videos and cameras that push."""

from __future__ import annotations

import importlib.metadata
from datetime import date, timedelta
from pathlib import Path

import pytest

from barnhand_desktop.doctor import Patient, State
from barnhand_desktop.doctor.sources import OLD_AFTER_DAYS, pushing, web_videos
from barnhand_desktop.settings.folders import Folders
from barnhand_desktop.settings.schema import Settings


def patient(folder: Path, **capture: object) -> Patient:
    settings = Settings.model_validate({"engine": {"capture": capture}})
    return Patient(settings, Folders(folder, folder), {"PATH": ""}, folder / "manifest.toml")


def published() -> date:
    year, month, day = importlib.metadata.version("yt-dlp").split(".")[:3]
    return date(int(year), int(month), int(day))


def test_a_new_yt_dlp_is_well(tmp_path: Path) -> None:
    found = web_videos(patient(tmp_path), published() + timedelta(days=OLD_AFTER_DAYS))
    assert found.state is State.OK
    assert "without Deno" in found.found
    quiet = patient(tmp_path, web_video={"javascript": False})
    assert "Deno" not in web_videos(quiet, published()).found


def test_an_old_yt_dlp_is_told_with_what_to_do(tmp_path: Path) -> None:
    found = web_videos(patient(tmp_path), published() + timedelta(days=OLD_AFTER_DAYS + 1))
    assert found.state is State.WARN
    assert f"{OLD_AFTER_DAYS + 1} days old" in found.found
    assert "pip install --upgrade yt-dlp" in found.advice


def test_a_missing_yt_dlp_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "version", missing)
    assert web_videos(patient(tmp_path)).state is State.WARN


def test_cookies_that_are_gone_are_told(tmp_path: Path) -> None:
    gone = patient(tmp_path, web_video={"cookies_file": str(tmp_path / "cookies.txt")})
    found = web_videos(gone, published())
    assert found.state is State.WARN
    assert "cookies.txt" in found.found


def test_where_cameras_push_is_told(tmp_path: Path) -> None:
    assert "from this machine only" in pushing(patient(tmp_path)).found
    assert "from any" in pushing(patient(tmp_path, push={"remote": True})).found
