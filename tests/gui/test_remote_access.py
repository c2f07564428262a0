"""Remote access in the settings: a real API process, its certificate, and the switch."""

from __future__ import annotations

import ssl
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QPushButton, QWidget
from pytestqt.qtbot import QtBot

from barnhand_desktop.api.certificate import ensure_certificate, fingerprint_of
from barnhand_desktop.installation import Installation
from barnhand_desktop.remote_desk import served_fingerprint
from barnhand_desktop.servers.supervisor import ServerState
from tests.gui.open_doors import OpenDoors, open_doors
from ui.requests import RequestRunner
from ui.settings.remote_section import RemoteSection
from ui.widgets import scroll

LEFT = Qt.MouseButton.LeftButton
LONG_MS = 30_000
PASSWORD = "seven grey mares"


@pytest.fixture
def doors(tmp_path: Path, postgres_dsn: str, valkey_url: str) -> Iterator[OpenDoors]:
    with open_doors(tmp_path, postgres_dsn, valkey_url) as doors:
        yield doors


@pytest.fixture
def running(doors: OpenDoors) -> OpenDoors:
    """With the API started and watched, as the program has it."""
    doors.api.start()
    doors.supervisor.start()
    return doors


@pytest.fixture
def section(doors: OpenDoors, dressed: QApplication, qtbot: QtBot) -> Iterator[RemoteSection]:
    requests = RequestRunner()
    section = RemoteSection(doors.remote, doors.accounts, requests)
    page = scroll(section)
    qtbot.addWidget(page)
    page.resize(900, 820)
    page.show()
    qtbot.waitUntil(lambda: section.access is not None, timeout=LONG_MS)
    yield section
    page.hide()
    assert requests.close(10.0) == ()


def own_password(section: RemoteSection, qtbot: QtBot) -> None:
    QTest.keyClicks(section.password.first, PASSWORD)
    QTest.keyClicks(section.password.second, PASSWORD)
    QTest.mouseClick(section.password.set, LEFT)
    qtbot.waitUntil(section.on.isEnabled, timeout=LONG_MS)


def act(section: RemoteSection, widget: QWidget, qtbot: QtBot) -> None:
    with qtbot.waitSignal(section.changed, timeout=LONG_MS):
        QTest.mouseClick(widget, LEFT)


def seen(section: RemoteSection, qtbot: QtBot, on: bool, restart: bool) -> None:
    def holds() -> bool:
        section.look()
        access = section.access
        return access is not None and (access.on, access.restart_needed) == (on, restart)

    qtbot.waitUntil(holds, timeout=LONG_MS)


def test_the_one_time_password_keeps_the_door_shut_until_it_is_changed_here(
    running: OpenDoors, section: RemoteSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    assert section.state.text() == "Off, and cannot be switched on yet."
    assert "“admin” still has the one-time password" in section.password.words.text()
    assert section.password.isVisible() and not section.on.isEnabled()
    QTest.keyClicks(section.password.first, "short")
    QTest.keyClicks(section.password.second, "short")
    QTest.mouseClick(section.password.set, LEFT)
    qtbot.waitUntil(lambda: "12 to 256" in section.password.problem.text(), timeout=LONG_MS)
    section.password.first.clear()
    section.password.second.clear()
    own_password(section, qtbot)
    assert not section.password.isVisible()
    assert section.state.text() == "Off: only this machine reaches the API."
    login = {"username": "admin", "password": PASSWORD}
    answer = httpx.post(f"{doors.api.url}/api/v1/auth/login", json=login)
    assert answer.status_code == 200 and not answer.json()["user"]["must_change_password"]
    row = doors.audit.list()[-1].entry
    assert (row.action, row.address, row.user_id) == ("user.password", "console", None)
    assert PASSWORD not in str(row)


def test_it_is_switched_on_restarted_served_over_tls_and_switched_off(
    running: OpenDoors, section: RemoteSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    own_password(section, qtbot)
    section.names.setText("barn.example, 192.168.7.20")
    before, pid = doors.api.url, doors.api.pid
    act(section, section.on, qtbot)
    seen(section, qtbot, on=True, restart=True)
    assert section.state.text() == "Switched on, and not in effect yet."
    assert section.restart_words.isVisible() and "Restart it" in section.restart_words.text()
    assert doors.api.pid == pid and before.startswith("http://127.0.0.1")
    stored = Installation.read(doors.place.settings_path).settings.api
    assert stored.remote_access and stored.host == "0.0.0.0" and stored.tls_certificate is not None
    act(section, section.restart, qtbot)
    seen(section, qtbot, on=True, restart=False)
    assert doors.api.pid not in (None, pid), "another process"
    assert not section.restart.isVisible()
    assert section.state.text() == "On: other machines reach this barn."
    assert [s.state for s in doors.told if s.state is not ServerState.RUNNING] == [], "no alarm"
    url = doors.api.url
    assert url.startswith("https://") and url.rpartition(":")[2] == before.rpartition(":")[2]
    trusting = ssl.create_default_context(cafile=str(stored.tls_certificate))
    assert httpx.get(f"{url}/healthz", verify=trusting).is_success
    print_of = fingerprint_of(stored.tls_certificate)
    assert served_fingerprint(url) == print_of
    shown = {one.accessibleName(): one for one in section.findChildren(QPushButton)}
    address = f"https://barn.example:{url.rpartition(':')[2]}/docs"
    QTest.mouseClick(shown[f"Copy {address}"], LEFT)
    assert QGuiApplication.clipboard().text() == address
    QTest.mouseClick(shown[f"Copy {print_of}"], LEFT)
    assert QGuiApplication.clipboard().text() == print_of
    act(section, section.off, qtbot)
    seen(section, qtbot, on=False, restart=True)
    assert "until the restart" in section.state.text()
    act(section, section.restart, qtbot)
    seen(section, qtbot, on=False, restart=False)
    assert doors.api.url.startswith("https://127.0.0.1") and doors.api.config.host == "127.0.0.1"
    actions = [row.entry.action for row in doors.audit.list()]
    assert actions[:2] == ["remote.off", "remote.on"]


def test_files_of_ones_own_are_checked_before_anything_is_stored(
    section: RemoteSection, doors: OpenDoors, tmp_path: Path, qtbot: QtBot
) -> None:
    own_password(section, qtbot)
    certificate, key = ensure_certificate(tmp_path / "one", ["barn.example"])
    _other, strange = ensure_certificate(tmp_path / "two")
    section.own.setChecked(True)
    section.certificate_file.setText(str(certificate))
    QTest.mouseClick(section.on, LEFT)
    assert "Name the certificate and its private key" in section.said.text()
    section.key_file.setText(str(strange))
    QTest.mouseClick(section.on, LEFT)
    qtbot.waitUntil(lambda: "no certificate with its key" in section.said.text(), timeout=LONG_MS)
    assert not Installation.read(doors.place.settings_path).settings.api.remote_access
    section.key_file.setText(str(key))
    act(section, section.on, qtbot)
    seen(section, qtbot, on=True, restart=True)
    access = section.access
    assert access is not None and access.certificate is not None and access.certificate.own
    assert access.certificate.sha256 == fingerprint_of(certificate)


def test_a_name_that_is_none_is_refused_in_words(
    section: RemoteSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    own_password(section, qtbot)
    section.names.setText("our barn")
    QTest.mouseClick(section.on, LEFT)
    qtbot.waitUntil(lambda: "is no host name" in section.said.text(), timeout=LONG_MS)
    assert not doors.place.settings.api.remote_access


def test_an_api_that_cannot_start_says_why_and_is_tried_again(
    section: RemoteSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    own_password(section, qtbot)
    act(section, section.on, qtbot)
    certificate = doors.place.settings.api.tls_certificate
    assert certificate is not None
    kept = certificate.read_bytes()
    certificate.write_text("nonsense")
    QTest.mouseClick(section.restart, LEFT)
    qtbot.waitUntil(lambda: "API" in section.said.text() and not section.busy, timeout=LONG_MS)
    assert doors.supervisor.status()[0].state is not ServerState.RUNNING
    certificate.write_bytes(kept)
    act(section, section.restart, qtbot)
    seen(section, qtbot, on=True, restart=False)
    assert doors.supervisor.status()[0].state is ServerState.RUNNING


def test_a_console_without_the_api_says_so(dressed: QApplication, qtbot: QtBot) -> None:
    requests = RequestRunner()
    section = RemoteSection(None, None, requests)
    qtbot.addWidget(section)
    section.show()
    assert "without the API" in section.state.text() and not section.on.isVisible()
    section.hide()
    requests.close()
