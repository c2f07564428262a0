"""Recorded chunks and HLS over the API: who sees what, what addresses open, and for how long."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote
from uuid import uuid4

import httpx
import pytest

from barnhand_desktop.api.media_tokens import MediaClaims, MediaKind, MediaTokens
from barnhand_desktop.api.tokens import load_signing_key
from db.repositories.chunks import PostgresChunkRepository
from engine.domain.ids import StreamId, UserId
from engine.domain.recording import Chunk, ChunkId, ChunkState
from tests.fixtures_api import World, require_problem, run_server
from tests.helpers.recordings import RecordedBarn, write_video

DELAY_S = 10.0


@dataclass
class Tapes:
    """A server with recordings: 12 s of each stream, ended a quarter of a minute ago."""

    world: World
    base: str
    media: Path
    rows: PostgresChunkRepository
    chunks: dict[str, list[Chunk]]

    def get(self, account: str | None, path: str, **headers: str) -> httpx.Response:
        """A request to this server; ``path`` is below the base path or from the root."""
        url = path if path.startswith("/api/") else f"/api/v1{path}"
        sent = {} if account is None else {"Authorization": f"Bearer {self.world.tokens[account]}"}
        return self.world.http.get(self.base + url, headers={**sent, **headers})

    def send(self, account: str, path: str, body: object) -> httpx.Response:
        """A change."""
        sent = {"Authorization": f"Bearer {self.world.tokens[account]}"}
        return self.world.http.post(f"{self.base}/api/v1{path}", json=body, headers=sent)


@pytest.fixture(scope="module")
def tapes(world: World, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tapes]:
    folder = tmp_path_factory.mktemp("tapes")
    media = folder / "media"
    media.mkdir()
    options = {"preset": "ultrafast", "tune": "zerolatency", "g": "25"}
    movie = write_video(folder / "clip.mp4", 300, options=options)
    rows = PostgresChunkRepository(world.pool)
    barn = RecordedBarn(media).start()
    start = datetime.now(UTC) - timedelta(seconds=27)
    chunks: dict[str, list[Chunk]] = {}
    streams = {"granted": world.granted, "hidden": world.hidden, "foreign": world.foreign}
    for name, stream_id in streams.items():
        chunks[name] = []
        for chunk in barn.record_whole(movie):
            assert chunk.first_source_pts_s is not None
            begins = start + timedelta(seconds=chunk.first_source_pts_s)
            ends = begins + timedelta(seconds=chunk.duration_s)
            chunks[name].append(replace(chunk, stream_id=stream_id, start_at=begins, end_at=ends))
            rows.put(chunks[name][-1])
    assert not barn.stop()
    config = world.config.model_copy(update={"media_root": media, "hls_delay_s": DELAY_S})
    for url in run_server(config):
        yield Tapes(world, url, media, rows, chunks)


ACCOUNTS = {
    "viewer": {"granted"},
    "manager": {"granted", "hidden"},
    "stranger": {"foreign"},
    "root": {"granted", "hidden", "foreign"},
}


@pytest.mark.parametrize("account", ACCOUNTS)
def test_each_caller_sees_the_chunks_of_its_streams(tapes: Tapes, account: str) -> None:
    listed = tapes.get(account, "/chunks").json()["items"]
    wanted = [c for name in ACCOUNTS[account] for c in tapes.chunks[name]]
    assert {item["id"] for item in listed} == {str(c.id) for c in wanted}
    for name, chunks in tapes.chunks.items():
        for path in ("", "/video", "/overlay"):
            answer = tapes.get(account, f"/chunks/{chunks[0].id}{path}")
            if name in ACCOUNTS[account]:
                assert answer.status_code == 200, answer.text
            else:
                require_problem(answer, 404, "not_found")


def test_chunks_are_found_by_time_and_page_by_page(tapes: Tapes) -> None:
    one, two, three = tapes.chunks["granted"]
    stream = f"stream_id={one.stream_id}"
    first = tapes.get("viewer", f"/chunks?{stream}&limit=2").json()
    assert [item["id"] for item in first["items"]] == [str(three.id), str(two.id)]
    rest = tapes.get("viewer", f"/chunks?{stream}&limit=2&cursor={first['next_cursor']}").json()
    assert [item["id"] for item in rest["items"]] == [str(one.id)] and not rest["next_cursor"]
    start, end = (quote(at.isoformat()) for at in (two.start_at, two.end_at))
    inside = tapes.get("viewer", f"/chunks?{stream}&start_time={start}&end_time={end}").json()
    assert [item["id"] for item in inside["items"]] == [str(two.id)]
    forged = base64.urlsafe_b64encode(str(tapes.chunks["hidden"][0].id).encode()).decode()
    require_problem(tapes.get("viewer", f"/chunks?cursor={forged}"), 404, "not_found")


def test_a_chunk_is_downloaded_whole_and_that_is_recorded(tapes: Tapes) -> None:
    chunk = tapes.chunks["granted"][0]
    answer = tapes.get("viewer", f"/chunks/{chunk.id}/video")
    assert hashlib.sha256(answer.content).hexdigest() == chunk.sha256
    assert answer.headers["content-type"] == "video/mp4"
    part = tapes.get("viewer", f"/chunks/{chunk.id}/video", Range="bytes=4-7")
    assert (part.status_code, part.content) == (206, b"ftyp")
    (row, *_) = tapes.get("root", "/audit?limit=1").json()["items"]
    assert (row["action"], row["object_id"]) == ("chunk.download", str(chunk.id))


def test_an_overlay_says_what_was_seen(tapes: Tapes) -> None:
    chunk = tapes.chunks["granted"][0]
    overlay = tapes.get("viewer", f"/chunks/{chunk.id}/overlay").json()
    assert overlay["format"] == "barnhand-overlay" and len(overlay["entries"]) > 20
    assert overlay["entries"][0]["tracks"][0]["box"][1] == 20


def test_only_managers_lock(tapes: Tapes) -> None:
    chunk = tapes.chunks["granted"][2]
    path = f"/chunks/{chunk.id}/lock"
    require_problem(tapes.send("viewer", path, {"locked": True}), 403, "forbidden")
    require_problem(tapes.send("stranger", path, {"locked": True}), 404, "not_found")
    assert tapes.send("manager", path, {"locked": True}).json()["locked"] is True
    assert tapes.rows.get(chunk.id).locked
    assert tapes.send("manager", path, {"locked": False}).json()["locked"] is False


def addresses(playlist: str) -> tuple[str, str]:
    """The first video and overlay address in a playlist."""
    video = re.search(r'URI="([^"]+)"', playlist)
    overlay = re.search(r'X-OVERLAY="([^"]+)"', playlist)
    assert video and overlay
    return video[1], overlay[1]


def test_the_live_playlist_is_delayed_and_plays(tapes: Tapes) -> None:
    answer = tapes.get("viewer", f"/streams/{tapes.world.granted}/hls/playlist.m3u8")
    assert answer.headers["content-type"].startswith("application/vnd.apple.mpegurl")
    lines = answer.text.splitlines()
    lengths = [float(line[8:-1]) for line in lines if line.startswith("#EXTINF:")]
    assert 4 <= len(lengths) <= 7 and all(1.9 < s < 2.1 for s in lengths)
    assert "#EXT-X-TARGETDURATION:2" in lines and "#EXT-X-ENDLIST" not in lines
    assert lines.count("#EXT-X-DISCONTINUITY") == 2
    last = [line for line in lines if line.startswith("#EXT-X-PROGRAM-DATE-TIME:")][-1]
    begins = datetime.fromisoformat(last.split(":", 1)[1])
    assert begins <= datetime.now(UTC) - timedelta(seconds=DELAY_S)
    video, overlay = addresses(answer.text)
    ranges = [line.split(":")[1].split("@") for line in lines if "#EXT-X-BYTERANGE" in line]
    size, offset = (int(text) for text in ranges[0])
    segment = tapes.get(None, video, Range=f"bytes={offset}-{offset + size - 1}")
    assert segment.status_code == 206 and segment.content[4:8] == b"moof"
    assert tapes.get(None, overlay).json()["entries"]


def test_a_segment_keeps_its_number_and_address(tapes: Tapes) -> None:
    def numbered() -> dict[str, int]:
        text = tapes.get("viewer", f"/streams/{tapes.world.granted}/hls/playlist.m3u8").text
        found = re.search(r"MEDIA-SEQUENCE:(\d+)", text)
        assert found
        segments = re.findall(r"BYTERANGE:(\S+)\n(\S+)", text)
        return {f"{r} {uri}": int(found[1]) + n for n, (r, uri) in enumerate(segments)}

    one, two = numbered(), numbered()
    both = one.keys() & two.keys()
    assert len(both) >= len(one) - 1 and all(one[key] == two[key] for key in both)


def test_a_recorded_range_is_played_back(tapes: Tapes) -> None:
    _, two, three = tapes.chunks["granted"]
    begin = quote((two.start_at + timedelta(seconds=2.5)).isoformat())
    end = quote((three.start_at + timedelta(seconds=0.5)).isoformat())
    path = f"/streams/{two.stream_id}/hls/playlist.m3u8?start_time={begin}&end_time={end}"
    text = tapes.get("viewer", path).text
    assert "#EXT-X-PLAYLIST-TYPE:VOD" in text and text.rstrip().endswith("#EXT-X-ENDLIST")
    assert len(re.findall("#EXTINF", text)) == 2
    require_problem(tapes.get("viewer", path.split("&")[0]), 422, "range_refused")
    long = quote((two.start_at + timedelta(hours=5)).isoformat())
    require_problem(
        tapes.get("viewer", path.split("&")[0] + f"&end_time={long}"), 422, "range_refused"
    )
    then = quote((two.start_at - timedelta(days=1)).isoformat())
    before = quote((two.start_at - timedelta(hours=23)).isoformat())
    require_problem(
        tapes.get("viewer", f"{path.split('?')[0]}?start_time={then}&end_time={before}"),
        404,
        "nothing_recorded",
    )


def test_a_link_plays_without_log_in_as_long_as_its_holder_may_see(tapes: Tapes) -> None:
    world = tapes.world
    link = tapes.get("viewer", f"/streams/{world.granted}/hls/link").json()["url"]
    assert tapes.get(None, link).status_code == 200
    video, _ = addresses(tapes.get(None, link).text)
    users = world.request("root", "GET", "/users").json()["items"]
    viewer = next(user["id"] for user in users if user["username"] == "viewer")
    grants = f"/users/{viewer}/grants"
    world.request("root", "PUT", grants, {"stream_ids": []})
    try:
        for address in (link, video):
            require_problem(tapes.get(None, address), 403, "media_token_refused")
    finally:
        world.request("root", "PUT", grants, {"stream_ids": [str(world.granted)]})
    assert tapes.get(None, link).status_code == 200


def test_forged_and_old_tokens_open_nothing(tapes: Tapes) -> None:
    world, chunk = tapes.world, tapes.chunks["granted"][0]
    text = tapes.get("viewer", f"/streams/{world.granted}/hls/playlist.m3u8").text
    good = addresses(text)[0].split("/")[-2]
    tokens = MediaTokens(load_signing_key(world.config.secret_path))
    now_s = datetime.now(UTC).timestamp()
    claims = tokens.read(good, MediaKind.VIDEO, now_s)
    raw = bytearray(base64.urlsafe_b64decode(good + "=="))
    raw[40] ^= 1
    wrong = [
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
        tokens.issue(replace(claims, expires_s=int(now_s) - 1)),
        tokens.issue(replace(claims, kind=MediaKind.OVERLAY)),
        tokens.issue(replace(claims, stream_id=world.hidden)),
        tokens.issue(replace(claims, chunk_id=tapes.chunks["hidden"][0].id)),
        tokens.issue(replace(claims, user_id=UserId(uuid4()))),
        MediaTokens(b"another key of another server...").issue(claims),
        "x", "%00", "..%2f..%2fsigning.key", "A" * 96,
    ]  # fmt: skip
    for token in wrong:
        answer = tapes.get(None, f"/hls/{token}/video.mp4")
        assert answer.status_code in (403, 404), (token, answer.status_code)
        assert b"ftyp" not in answer.content
    own = MediaClaims(MediaKind.VIDEO, claims.user_id, chunk.stream_id, chunk.id, int(now_s) + 60)
    assert tapes.get(None, f"/hls/{tokens.issue(own)}/video.mp4").status_code == 200


@pytest.mark.parametrize("path", ["../signing.key", "/etc/passwd", "recordings/link.mp4"])
def test_nothing_outside_the_media_folder_is_served(tapes: Tapes, path: str) -> None:
    link = tapes.media / "recordings" / "link.mp4"
    if not link.is_symlink():
        link.symlink_to("/etc/passwd")
    stream_id = StreamId(tapes.world.granted)
    chunk = replace(
        tapes.chunks["granted"][0],
        id=ChunkId(uuid4()),
        path=path,
        start_at=datetime(2020, 1, 1, tzinfo=UTC),
        end_at=datetime(2020, 1, 1, 0, 0, 9, tzinfo=UTC),
    )
    tapes.rows.put(chunk)
    try:
        answer = tapes.get("viewer", f"/chunks/{chunk.id}/video")
        require_problem(answer, 404, "not_found")
        day = "start_time=2020-01-01T00:00:00Z&end_time=2020-01-01T00:00:09Z"
        playlist = tapes.get("viewer", f"/streams/{stream_id}/hls/playlist.m3u8?{day}")
        require_problem(playlist, 404, "nothing_recorded")
    finally:
        tapes.rows.remove([chunk.id])


def test_a_file_that_retention_took_is_not_found(tapes: Tapes) -> None:
    chunk = replace(
        tapes.chunks["granted"][0],
        id=ChunkId(uuid4()),
        path="recordings/gone/2020-01-01/x.mp4",
        state=ChunkState.COMPLETE,
        start_at=datetime(2020, 1, 1, tzinfo=UTC),
        end_at=datetime(2020, 1, 1, 0, 0, 9, tzinfo=UTC),
    )
    tapes.rows.put(chunk)
    try:
        for path in ("video", "overlay"):
            answer = tapes.get("viewer", f"/chunks/{chunk.id}/{path}")
            require_problem(answer, 404, "not_found")
    finally:
        tapes.rows.remove([chunk.id])


def test_each_camera_has_its_own_choice(tapes: Tapes) -> None:
    path = "/streams"
    body = {"name": "tape camera", "address": "rtsp://127.0.0.1:1/x", "record": "motion"}
    made = tapes.send("manager", path, body).json()
    assert made["record"] == "motion"
    change = {**body, "record": None, "version": made["version"]}
    changed = tapes.world.request("manager", "PUT", f"/streams/{made['id']}", change).json()
    assert changed["record"] is None
    require_problem(
        tapes.send("manager", path, {**body, "name": "other", "record": "sometimes"}),
        422,
        "validation_failed",
    )
    tapes.world.request("manager", "DELETE", f"/streams/{made['id']}")
