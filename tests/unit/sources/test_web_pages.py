"""What web addresses name, what yt-dlp's messages mean, and what the settings take."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from engine.domain.errors import OperatorMistake, SourceUnreachable
from engine.domain.networks import holds_no_camera, is_public
from engine.domain.streams import SourceKind
from engine.domain.web_sites import is_known_site, page_of
from engine.settings import CaptureSettings, WebVideoSettings, proxy_addresses
from engine.sources.addresses import kind_of
from engine.sources.web_pages import failure
from engine.sources.web_resolver import kind_of_failure
from engine.sources.web_video import question_of
from tests.helpers.streams import stream_of


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("https://www.youtube.com/watch?v=abc", SourceKind.WEB_VIDEO),
        ("https://youtu.be/abc", SourceKind.WEB_VIDEO),
        ("https://m.twitch.tv/barn", SourceKind.WEB_VIDEO),
        ("web:http://camera.example/stall", SourceKind.WEB_VIDEO),
        ("https://notyoutube.com/watch", SourceKind.HTTP),
        ("https://youtube.com.evil.example/", SourceKind.HTTP),
        ("http://192.168.1.9/mjpeg", SourceKind.HTTP),
    ],
)
def test_pages_are_told_from_cameras(address: str, kind: SourceKind) -> None:
    assert kind_of(address) is kind


def test_further_sites_can_be_named() -> None:
    assert not is_known_site("live.stud.example")
    assert is_known_site("live.stud.example", ["Stud.example"])


@pytest.mark.parametrize("address", ["web:", "web:file:///etc/passwd", "web:ftp://x/", "youtube"])
def test_what_is_no_page_is_refused(address: str) -> None:
    with pytest.raises(OperatorMistake, match="names no page"):
        page_of(address)


@pytest.mark.parametrize(
    ("message", "kind"),
    [
        ("[youtube] x: Sign in to confirm you’re not a bot. Use --cookies", "bot"),
        ("[youtube] x: Private video. Sign in if you've been granted access", "private"),
        ("[youtube] x: Sign in to confirm your age", "login"),
        ("[youtube] x: Join this channel to get access to members-only content", "login"),
        ("[youtube] x: Video unavailable. This video has been removed by the uploader", "removed"),
        ("[youtube] x: Video unavailable. The uploader has not made this video available in your"
         " country", "geo"),
        ("[youtube] x: This live event will begin in 3 hours.", "not_live"),
        ("[youtube] x: Premieres in 20 minutes", "not_live"),
        ("[twitch:stream] barn: The channel is not currently live", "not_live"),
        ("[vimeo] 1: The web client only works when logged-in", "login"),
        ("[generic] Unable to download webpage: HTTP Error 429: Too Many Requests", "rate"),
        ("[generic] Unable to download webpage: HTTP Error 403: Forbidden", "refused"),
        ("[generic] Unable to download webpage: HTTP Error 404: Not Found", "removed"),
        ("[x] y: This video is DRM protected", "drm"),
        ("[youtube] x: Requested format is not available. Use --list-formats", "quality"),
        ("Unsupported URL: https://x/", "unsupported"),
        ("Unable to download webpage: [Errno -2] Name or service not known", "network"),
        ("[youtube] x: Failed to extract any player response", "other"),
    ],
)  # fmt: skip
def test_messages_are_understood(message: str, kind: str) -> None:
    assert kind_of_failure(message) == kind


def test_what_waiting_cannot_cure_is_a_mistake() -> None:
    for kind in ("private", "login", "removed", "geo", "unsupported", "quality"):
        assert isinstance(failure(kind, "x"), OperatorMistake)
    for kind in ("rate", "not_live", "network", "refused", "bot", "other", "timeout", "proxy"):
        error = failure(kind, "x")
        assert isinstance(error, SourceUnreachable)
        assert error.advice


@pytest.mark.parametrize("proxies", ["socks5://h:1", "http://h", "h:80", "http://h:1,ftp://h:2"])
def test_proxies_that_cannot_be_used_are_refused(proxies: str) -> None:
    with pytest.raises(ValidationError, match="http://host:port"):
        WebVideoSettings.model_validate({"proxies": proxies})


def test_proxies_are_hidden_and_read_in_order() -> None:
    given = WebVideoSettings.model_validate({"proxies": "http://u:canary@a:1 , http://b:2"})
    assert "canary" not in repr(given) + str(given.model_dump())
    assert proxy_addresses(given.proxies) == ("http://u:canary@a:1", "http://b:2")


def test_a_remote_callers_stream_is_asked_for_more_narrowly() -> None:
    known = "https://www.youtube.com/watch?v=a"
    own = question_of(stream_of(known), CaptureSettings())
    remote = question_of(stream_of(known, extra={"pinned_addresses": []}), CaptureSettings())
    assert (own.public_only, own.generic) == (False, True)
    assert (remote.public_only, remote.generic) == (True, False)
    assert own.max_height_px == 720


@pytest.mark.parametrize("height", [0, True, 5000, "720"])
def test_a_height_must_make_sense(height: object) -> None:
    stream = stream_of("https://youtu.be/a", extra={"max_height_px": height})
    with pytest.raises(OperatorMistake, match="max_height_px"):
        question_of(stream, CaptureSettings())


@pytest.mark.parametrize(
    ("address", "public"),
    [
        ("142.250.1.1", True),
        ("2a00:1450::1", True),
        ("10.0.0.1", False),
        ("192.168.1.1", False),
        ("127.0.0.1", False),
        ("169.254.169.254", False),
        ("100.100.100.200", False),
        ("::ffff:10.0.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("fe80::1%eth0", False),
        ("224.0.0.5", False),
    ],
)
def test_the_public_internet_is_told_apart(address: str, public: bool) -> None:
    assert is_public(address) is public
    assert not (public and holds_no_camera(address))
