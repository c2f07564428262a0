"""What people type as a camera's address."""

from __future__ import annotations

from pathlib import Path

import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.streams import SourceKind
from ui.live.address import kind_words, read_address


@pytest.mark.parametrize(
    ("typed", "kind", "address"),
    [
        ("rtsp://10.0.0.2:554/stream1", SourceKind.RTSP, "rtsp://10.0.0.2:554/stream1"),
        ("RTSP://cam.local/ch0?x=1", SourceKind.RTSP, "rtsp://cam.local/ch0?x=1"),
        ("rtmp://server/live/a", SourceKind.RTMP, "rtmp://server/live/a"),
        ("https://barn.example/mjpeg", SourceKind.HTTP, "https://barn.example/mjpeg"),
        ("192.168.1.20/stream1", SourceKind.RTSP, "rtsp://192.168.1.20/stream1"),
        ("cam.local", SourceKind.RTSP, "rtsp://cam.local"),
        ("rtsp://[fe80::1]:554/a", SourceKind.RTSP, "rtsp://[fe80::1]:554/a"),
        ("https://youtu.be/a", SourceKind.WEB_VIDEO, "https://youtu.be/a"),
        ("www.youtube.com/watch?v=a", SourceKind.WEB_VIDEO, "https://www.youtube.com/watch?v=a"),
        ("twitch.tv/barn", SourceKind.WEB_VIDEO, "https://twitch.tv/barn"),
        ("web:http://stud.example/1", SourceKind.WEB_VIDEO, "web:http://stud.example/1"),
        ("rtmp-listen:", SourceKind.RTMP_PUSH, "rtmp-listen://127.0.0.1:1935/barn"),
        ("usb:1", SourceKind.USB, "usb:1"),
        ("0", SourceKind.USB, "usb:0"),
        ("/dev/video2", SourceKind.USB, "usb:2"),
        ("simulated:arena", SourceKind.SIMULATED, "simulated:arena"),
        ("simulated:", SourceKind.SIMULATED, "simulated:paddock"),
        ("walk.mp4", SourceKind.FILE, "walk.mp4"),
        ("/clips/walk.mp4", SourceKind.FILE, "/clips/walk.mp4"),
        ('"/clips/my walk.mp4"', SourceKind.FILE, "/clips/my walk.mp4"),
        (r"C:\clips\walk.mp4", SourceKind.FILE, r"C:\clips\walk.mp4"),
        ("file:///clips/my%20walk.mp4", SourceKind.FILE, "/clips/my walk.mp4"),
    ],
)
def test_addresses_are_understood(typed: str, kind: SourceKind, address: str) -> None:
    read = read_address(typed)
    assert (read.kind, read.address) == (kind, address)
    assert read.suggested_name
    assert kind_words(read.kind)


def test_credentials_leave_the_address() -> None:
    read = read_address("rtsp://admin:p%40ss@10.0.0.2/s")
    assert read.address == "rtsp://10.0.0.2/s"
    assert (read.username, read.password) == ("admin", "p@ss")


def test_a_folder_is_a_folder(tmp_path: Path) -> None:
    assert read_address(str(tmp_path)).kind is SourceKind.FOLDER


@pytest.mark.parametrize(
    "typed",
    [
        "",
        "   ",
        "ftp://x/y",
        "rtsp://",
        "http://a b/c",
        "rtsp://h:x/",
        "web:x",
        "rtmp-listen://a/b",
    ],
)
def test_wrong_addresses_are_told(typed: str) -> None:
    with pytest.raises(OperatorMistake) as caught:
        read_address(typed)
    assert str(caught.value)
