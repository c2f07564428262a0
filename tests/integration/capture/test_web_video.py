"""Videos on web pages: found by the real yt-dlp in its child process, on a stand-in for a site."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from engine.domain.errors import BarnhandError, OperatorMistake, SourceUnreachable
from engine.domain.streams import Stream, StreamState
from engine.settings import CaptureSettings, WebVideoSettings
from engine.sources.probe import probe
from engine.sources.registry import abandon_opening, open_source
from engine.sources.web_pages import PageFinder
from engine.sources.web_video import WebVideoSource, open_web_video
from tests.helpers.captures import Captures
from tests.helpers.streams import stream_of
from tests.helpers.video_site import VideoSite, http_proxy, video_site, write_site
from tests.helpers.waiting import wait_until

CANARY = "c4n4ry-p4ss"


class Clock:
    """Stands where it is put."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


def settings(**web: object) -> CaptureSettings:
    return CaptureSettings(
        connect_timeout_s=2,
        read_timeout_s=2,
        web_video=WebVideoSettings.model_validate({"find_timeout_s": 40, **web}),
    )


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    write_site(folder)
    return folder


@pytest.fixture
def site(files: Path) -> Iterator[VideoSite]:
    with video_site(files) as site:
        yield site


def opened(stream: Stream, how: CaptureSettings, finder: PageFinder) -> WebVideoSource:
    source = open_web_video(stream, how, finder)
    source.read()
    return source


def test_a_page_is_played_in_a_size_that_is_allowed(site: VideoSite) -> None:
    report = probe(stream_of(site.page("/watch")), settings())
    assert (report.width, report.height, report.codec) == (320, 180, "h264")
    assert not any(path.startswith("/large") for path in site.asked)


def test_a_larger_size_is_taken_where_it_is_allowed(site: VideoSite) -> None:
    stream = stream_of(site.page("/watch"), extra={"max_height_px": 1080})
    assert probe(stream, settings()).height == 1080


def test_a_broadcast_has_no_end(site: VideoSite) -> None:
    source = open_source(stream_of(site.page("/live")), settings())
    assert source.duration_s is None
    assert source.read().picture.width_px == 320
    source.close()


@pytest.mark.parametrize(
    ("page", "family", "words"),
    [
        ("/refused", SourceUnreachable, "refuses to hand out"),
        ("/busy", SourceUnreachable, "asked too often"),
        ("/gone", OperatorMistake, "no longer"),
        ("/broken", SourceUnreachable, "cannot be reached"),
        ("/empty", OperatorMistake, "no video that can be found"),
        ("/large", OperatorMistake, "in no size that is allowed"),
    ],
)
def test_refusals_are_told_in_words_with_advice(
    site: VideoSite, page: str, family: type[BarnhandError], words: str
) -> None:
    with pytest.raises(family, match=words) as caught:
        open_source(stream_of(site.page(page)), settings())
    assert caught.value.advice
    assert "Traceback" not in str(caught.value)


def test_a_found_address_is_used_again_for_a_minute(site: VideoSite) -> None:
    clock = Clock()
    finder, stream = PageFinder(mono_s=clock), stream_of(site.page("/watch"))
    for clock.now_s in (0.0, 30.0, 59.0):
        opened(stream, settings(), finder).close()
    assert site.asked["/watch"] == 1
    clock.now_s = 61.0
    opened(stream, settings(), finder).close()
    assert site.asked["/watch"] == 2


def test_an_address_that_is_refused_is_looked_for_again(site: VideoSite) -> None:
    finder, stream = PageFinder(), stream_of(site.page("/clip"))
    opened(stream, settings(), finder).close()
    site.refuse_media = True
    with pytest.raises(SourceUnreachable, match="handed out an address and then refused it"):
        open_web_video(stream, settings(), finder)
    site.refuse_media = False
    opened(stream, settings(), finder).close()
    assert site.asked["/clip"] == 2


def test_a_capture_looks_again_after_the_site_came_back(
    captures: Captures, site: VideoSite
) -> None:
    site.refuse_media = True
    running = captures.start(site.page("/clip"), settings=settings())
    running.reaches(StreamState.OFFLINE, 40)
    assert "refuse" in running.capture.health().reason
    site.refuse_media = False
    running.reaches(StreamState.ACTIVE, 40)
    assert site.asked["/clip"] >= 2


def test_everything_goes_through_the_proxy(
    site: VideoSite, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    with http_proxy() as proxy:
        proxy.login = f"groom:{CANARY}"
        through = proxy.base.replace("//", f"//groom:{CANARY}@")
        opened(stream_of(site.page("/watch")), settings(proxies=through), PageFinder()).close()
        went = {address.removeprefix(site.base) for address in proxy.asked}
    assert {"/watch", "/master.m3u8", "/small.m3u8", "/small-0.ts"} <= went
    assert sum(site.asked.values()) == len(proxy.asked)
    assert CANARY not in caplog.text


def test_proxies_take_turns(site: VideoSite) -> None:
    clock = Clock()
    finder, stream = PageFinder(mono_s=clock), stream_of(site.page("/clip"))
    with http_proxy() as first, http_proxy() as second:
        how = settings(proxies=f"{first.base}, {second.base}", cache_s=0)
        went = []
        for clock.now_s in (10.0, 299.0, 301.0, 601.0):
            before = len(first.asked), len(second.asked)
            opened(stream, how, finder).close()
            went.append((len(first.asked) > before[0], len(second.asked) > before[1]))
    assert went == [(True, False), (True, False), (False, True), (True, False)]


def test_a_dead_proxy_loses_its_turn(site: VideoSite) -> None:
    finder, stream = PageFinder(), stream_of(site.page("/clip"))
    with http_proxy() as proxy:
        how = settings(proxies=f"http://127.0.0.1:9, {proxy.base}", proxy_turn_s=86_400)
        try:
            opened(stream, how, finder).close()
        except SourceUnreachable as error:
            assert "through the proxy" in str(error)
            opened(stream, how, finder).close()
        assert proxy.asked


def test_cookies_are_sent_and_their_file_is_only_read(site: VideoSite, tmp_path: Path) -> None:
    jar = tmp_path / "cookies.txt"
    jar.write_text(
        "# Netscape HTTP Cookie File\n127.0.0.1\tFALSE\t/\tFALSE\t4102444800\tstable\tpass\n"
    )
    jar.chmod(0o400)
    before = jar.read_bytes()
    stream = stream_of(site.page("/clip"), extra={"cookies_file": str(jar)})
    opened(stream, settings(), PageFinder()).close()
    assert "stable=pass" in site.cookies
    assert jar.read_bytes() == before


def test_a_file_that_holds_no_cookies_is_refused(site: VideoSite, tmp_path: Path) -> None:
    jar = tmp_path / "cookies.txt"
    jar.write_text("{}")
    with pytest.raises(OperatorMistake, match="not in Netscape format"):
        open_source(stream_of(site.page("/clip")), settings(cookies_file=jar))
    assert not site.asked


def test_a_remote_callers_page_stays_in_the_public_internet(site: VideoSite) -> None:
    stream = stream_of(site.page("/clip"), extra={"pinned_addresses": ["203.0.113.9"]})
    with pytest.raises(OperatorMistake, match="outside the public internet"):
        open_source(stream, settings())
    assert not site.asked


def test_a_search_that_takes_too_long_is_ended(site: VideoSite) -> None:
    with pytest.raises(SourceUnreachable, match=r"did not answer in time|cannot be reached"):
        open_source(stream_of(site.page("/slow")), settings(find_timeout_s=5))


def test_a_search_can_be_abandoned(site: VideoSite) -> None:
    stream, ended = stream_of(site.page("/slow")), []

    def look() -> None:
        with pytest.raises(SourceUnreachable, match="was closed") as caught:
            open_source(stream, settings())
        ended.append(caught.value)

    looking = threading.Thread(target=look)
    looking.start()
    wait_until(lambda: site.asked["/slow"] == 1, 30)
    abandon_opening(stream)
    looking.join(10)
    assert ended
