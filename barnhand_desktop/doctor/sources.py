"""Checks of what fetches pictures from web sites and takes in cameras that push."""

from __future__ import annotations

import importlib.metadata
import shutil
import socket
from datetime import UTC, date, datetime

from barnhand_desktop.doctor.check import Check, Patient, ok, warn

NAME = "Web videos"
OLD_AFTER_DAYS = 90
"""yt-dlp is published about monthly; sites change so often that older ones stop finding videos."""


def web_videos(patient: Patient, today: date | None = None) -> Check:
    """yt-dlp is new enough, its cookies are there, and sites' scripts can be run."""
    settings = patient.settings.engine.capture.web_video
    try:
        version = importlib.metadata.version("yt-dlp")
    except importlib.metadata.PackageNotFoundError:
        return warn(NAME, "yt-dlp is missing: no YouTube or Twitch", "Run: pip install yt-dlp")
    cookies = settings.cookies_file
    if cookies is not None and not cookies.expanduser().is_file():
        return warn(
            NAME,
            f"the cookies file {cookies} is not there",
            "Export it again, or empty engine.capture.web_video.cookies_file.",
        )
    found = f"yt-dlp {version}"
    age_days = _age_days(version, today or datetime.now(UTC).date())
    if age_days > OLD_AFTER_DAYS:
        return warn(
            NAME,
            f"{found} is {age_days} days old: sites change, and it stops finding their videos",
            "Run: pip install --upgrade yt-dlp",
        )
    deno = shutil.which("deno", path=patient.environment.get("PATH"))
    if settings.javascript and deno is None:
        return ok(NAME, f"{found}; without Deno some videos of YouTube are not found")
    return ok(NAME, f"{found}{', Deno' if settings.javascript else ''}")


def pushing(patient: Patient) -> Check:
    """The first port for cameras that push is free, or ours."""
    push = patient.settings.engine.capture.push
    where = f"cameras push to ports {push.first_port} to {push.last_port}"
    who = "of this machine, from any" if push.remote else "from this machine only"
    host = "" if push.remote else "127.0.0.1"
    try:
        socket.create_server((host, push.first_port)).close()
    except OSError:
        return ok("Pushing", f"{where} {who}; the first is in use")
    return ok("Pushing", f"{where} {who}")


def _age_days(version: str, today: date) -> int:
    """Days since a version that is a date (2026.10.26); 0 if it is none."""
    try:
        year, month, day = (int(part) for part in version.split(".")[:3])
        return (today - date(year, month, day)).days
    except ValueError:
        return 0
