"""Camera addresses from remote callers: what is refused, and that nothing secret is repeated."""

from __future__ import annotations

from pathlib import Path

import pytest

from barnhand_desktop.api.addresses import (
    AddressRefused,
    AddressRules,
    check_address,
    masked,
    require_allowed,
    same_place,
)
from engine.domain.streams import SourceKind

RULES = AddressRules()


@pytest.mark.parametrize(
    ("text", "kind"),
    [
        ("rtsp://192.168.1.20:554/stream1", SourceKind.RTSP),
        ("RTSPS://10.0.0.9/live", SourceKind.RTSP),
        ("rtmp://172.16.4.4/app/key", SourceKind.RTMP),
        ("https://203.0.113.9/cam.m3u8", SourceKind.HTTP),
        ("http://[2001:db8::5]:8080/video", SourceKind.HTTP),
        ("simulated:barn", SourceKind.SIMULATED),
        ("simulated://barn/stall?seed=3", SourceKind.SIMULATED),
    ],
)
def test_cameras_are_accepted(text: str, kind: SourceKind) -> None:
    checked = check_address(text, RULES, lambda host, port: (host,))
    assert checked.kind is kind


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ftp://192.168.1.20/x",
        "gopher://192.168.1.20/",
        "file:///etc/passwd",
        "concat:/etc/passwd|x",
        "data:video/mp4;base64,AAAA",
        "/dev/video0",
        "-i",
        "rtsp:",
        "rtsp:///stream",
        "rtsp://192.168.1.20:99999/",
        "rtsp://[::1",
        "rtsp://192.168.1.20/ -f x",
        "rtsp://192.168.1.20/\r\nHost: x",
        "http://192.168.1.20\\@169.254.169.254/",
        "simulated:../../etc",
        "simulated://barn/../x",
        "usb:0",
        "rtsp://192.168.1.20/" + "x" * 3000,
    ],
)
def test_what_is_no_camera_address_is_refused(text: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(text, RULES, lambda host, port: (host,))


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "fe80::1",
        "fe80::1%eth0",
        "fd00:ec2::254",
        "100.100.100.200",
        "168.63.129.16",
        "0.0.0.0",
        "::",
        "224.0.0.1",
        "255.255.255.255",
        "ff02::1",
        "127.0.0.1",
        "::1",
        "::ffff:169.254.169.254",
        "::ffff:127.0.0.1",
        "64:ff9b::169.254.169.254",
        "2002:a9fe:a9fe::1",
        "::169.254.169.254",
    ],
)
def test_no_name_may_stand_for_a_refused_range(address: str) -> None:
    with pytest.raises(AddressRefused):
        check_address("http://camera.example/", RULES, lambda host, port: (address,))


def test_one_bad_address_among_good_ones_is_enough() -> None:
    with pytest.raises(AddressRefused):
        check_address(
            "http://camera.example/", RULES, lambda host, port: ("192.168.1.9", "169.254.169.254")
        )


@pytest.mark.parametrize(
    "host", ["2852039166", "0xa9fea9fe", "0251.0376.0251.0376", "169.254.43518"]
)
def test_other_spellings_of_the_metadata_address_are_seen_through(host: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(f"http://{host}/latest/meta-data", RULES)


def test_loopback_is_for_servers_without_remote_access() -> None:
    local = AddressRules(loopback=True)
    require_allowed("127.0.0.1", local)
    require_allowed("::1", local)
    with pytest.raises(AddressRefused):
        require_allowed("169.254.169.254", local)


def test_credentials_are_split_off_and_decoded() -> None:
    checked = check_address(
        "rtsp://bar%6Ehand:p%40ss%2Fword@192.168.1.20:554/s1?x=1#frag",
        RULES,
        lambda host, port: (host,),
    )
    assert checked.address == "rtsp://192.168.1.20:554/s1?x=1"
    assert (checked.username, checked.password) == ("barnhand", "p@ss/word")
    assert "p@ss" not in repr(checked)
    assert checked.pinned == ("192.168.1.20",)


def test_a_refusal_repeats_nothing_of_the_address() -> None:
    with pytest.raises(AddressRefused) as caught:
        check_address(
            "http://user:canary-secret@169.254.169.254/", RULES, lambda host, port: (host,)
        )
    assert "canary-secret" not in str(caught.value)


def test_secrets_in_a_query_are_masked() -> None:
    shown = masked("http://10.0.0.2/cgi?user=admin&pwd=canary&channel=2&Token=canary")
    assert "canary" not in shown
    assert "admin" not in shown
    assert "channel=2" in shown
    assert masked("http://a:b@10.0.0.2/x") == "http://10.0.0.2/x"
    assert masked("simulated:barn") == "simulated:barn"
    assert masked("/videos/barn.mp4") == "/videos/barn.mp4"


def test_the_same_place_is_scheme_host_and_port() -> None:
    assert same_place("rtsp://cam:554/a", "rtsp://CAM:554/b?x=1")
    assert not same_place("rtsp://cam:554/a", "rtsp://other:554/a")
    assert not same_place("rtsp://cam:554/a", "rtsp://cam:555/a")
    assert not same_place("rtsp://cam/a", "http://cam/a")


def test_files_stay_below_the_media_root(tmp_path: Path) -> None:
    root = tmp_path / "media"
    root.mkdir()
    (root / "a.mp4").touch()
    (tmp_path / "secret.mp4").touch()
    (root / "link.mp4").symlink_to(tmp_path / "secret.mp4")
    rules = AddressRules(media_root=root)
    assert check_address("file:a.mp4", rules).address == str(root / "a.mp4")
    assert check_address("file:///a.mp4", rules).address == str(root / "a.mp4")
    for text in (
        "file:../secret.mp4",
        "file:%2e%2e/secret.mp4",
        "file:a/../../secret.mp4",
        "file:link.mp4",
        "file:a%00.mp4",
        "file:",
        "file:///",
    ):
        with pytest.raises(AddressRefused):
            check_address(text, rules)


@pytest.mark.parametrize(
    "text",
    ["https://www.youtube.com/watch?v=a", "https://twitch.tv/barn", "web:https://youtu.be/a"],
)
def test_pages_of_known_sites_are_accepted_and_pinned(text: str) -> None:
    checked = check_address(text, RULES, lambda host, port: ("142.250.1.1",))
    assert (checked.kind, checked.address) == (SourceKind.WEB_VIDEO, text)
    assert checked.pinned == ("142.250.1.1",)


@pytest.mark.parametrize(
    "text",
    [
        "web:https://stud.example/live",
        "web:http://127.0.0.1/",
        "web:file:///etc/passwd",
        "web:https://youtube.com@stud.example/",
        "web:https://youtube.com.stud.example/",
        "web:",
        "https://groom:word@youtube.com/watch?v=a",
    ],
)
def test_other_pages_are_refused(text: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(text, RULES, lambda host, port: ("142.250.1.1",))


def test_a_further_site_is_accepted_where_the_operator_says_so() -> None:
    rules = AddressRules(sites=("stud.example",))
    checked = check_address("https://live.stud.example/1", rules, lambda h, p: ("142.250.1.1",))
    assert checked.kind is SourceKind.WEB_VIDEO


@pytest.mark.parametrize("address", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "fd00::1"])
def test_a_known_sites_name_that_leads_inside_is_refused(address: str) -> None:
    local = AddressRules(loopback=True)
    with pytest.raises(AddressRefused, match="public internet"):
        check_address("https://youtube.com/watch?v=a", local, lambda host, port: (address,))


def test_cameras_may_push_to_the_ports_meant_for_them() -> None:
    checked = check_address("rtmp-listen://127.0.0.1:1940/barn/abc-def-ghi-jkl", RULES)
    assert checked.kind is SourceKind.RTMP_PUSH
    assert checked.address == "rtmp-listen://127.0.0.1:1940/barn"
    assert checked.password == "abc-def-ghi-jkl"
    assert "abc-def" not in repr(checked)


@pytest.mark.parametrize(
    "text",
    [
        "rtmp-listen://127.0.0.1:22/barn",
        "rtmp-listen://127.0.0.1:8620/barn",
        "rtmp-listen://0.0.0.0:1935/barn",
        "rtmp-listen://192.168.1.9:1935/barn",
        "rtmp-listen://barn.example:1935/barn",
        "rtmp-listen://127.0.0.1:1935/../x",
    ],
)
def test_other_places_to_push_to_are_refused(text: str) -> None:
    with pytest.raises(AddressRefused):
        check_address(text, RULES)


def test_other_machines_may_push_where_the_settings_say_so() -> None:
    rules = AddressRules(push_remote=True)
    checked = check_address("rtmp-listen://0.0.0.0:1935/barn", rules)
    assert checked.address == "rtmp-listen://0.0.0.0:1935/barn"
