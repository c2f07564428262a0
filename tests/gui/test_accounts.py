"""Accounts in the settings, over the real stores: added, changed, given cameras, switched off."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest
from PySide6.QtCore import Qt
from PySide6.QtGui import QGuiApplication
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from barnhand_desktop.api.passwords import Passwords
from db.credentials import CredentialBox
from db.repositories.farms import DEFAULT_FARM
from db.repositories.streams import PostgresStreamRepository
from db.repositories.users import Role
from tests.gui.open_doors import OpenDoors, open_doors
from tests.gui.stored_barn import StoredBarn
from ui.requests import RequestRunner
from ui.settings.accounts_section import AccountsSection
from ui.widgets import scroll

LEFT = Qt.MouseButton.LeftButton
LONG_MS = 20_000


@pytest.fixture
def doors(tmp_path: Path, postgres_dsn: str, valkey_url: str) -> Iterator[OpenDoors]:
    with open_doors(tmp_path, postgres_dsn, valkey_url) as doors:
        yield doors


@pytest.fixture
def section(
    doors: OpenDoors, barn: StoredBarn, dressed: QApplication, qtbot: QtBot
) -> Iterator[AccountsSection]:
    for name in ("Aisle", "Yard"):
        barn.camera(name)
    requests = RequestRunner()
    streams = PostgresStreamRepository(barn.pool, CredentialBox.new_key())
    section = AccountsSection(doors.accounts, streams, requests)
    page = scroll(section)
    qtbot.addWidget(page)
    page.resize(940, 760)
    page.show()
    qtbot.waitUntil(lambda: section.table.rowCount() == 1, timeout=LONG_MS)
    yield section
    page.hide()
    assert requests.close(10.0) == ()


def add(section: AccountsSection, name: str, role: Role, qtbot: QtBot) -> str:
    section.name.setText(name)
    section.role.setCurrentIndex(section.role.findData(role))
    QTest.mouseClick(section.add, LEFT)
    qtbot.waitUntil(section.once.isVisible, timeout=LONG_MS)
    qtbot.waitUntil(lambda: name in [one.username for one in section.accounts], timeout=LONG_MS)
    return section.once.password.text()


def cells(section: AccountsSection, name: str) -> list[str]:
    table = section.table
    row = [one.username for one in section.accounts].index(name)
    model = table.model()
    return [str(model.index(row, column).data()) for column in range(table.columnCount())]


def said(section: AccountsSection, words: str) -> bool:
    return words in section.said.text()


def last_act(doors: OpenDoors) -> tuple[str, str]:
    entry = doors.audit.list()[0].entry
    assert entry.user_id is None and entry.address == "console" and "console" in entry.username
    return entry.action, entry.object_kind


def test_a_new_account_gets_a_password_that_is_shown_once(
    section: AccountsSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    assert cells(section, "admin")[1:4] == [
        "Administrator",
        "every farm",
        "has a one-time password",
    ]
    password = add(section, "anna", Role.VIEWER, qtbot)
    stored = doors.users.find("anna")
    assert stored is not None and stored.must_change_password
    assert (stored.role, stored.farm_id) == (Role.VIEWER, DEFAULT_FARM)
    assert Passwords().check(stored.password_hash, password)
    assert last_act(doors) == ("user.add", "user")
    assert password not in str([row.entry for row in doors.audit.list()])
    QTest.mouseClick(section.once.copy, LEFT)
    assert QGuiApplication.clipboard().text() == password
    QTest.mouseClick(section.once.noted, LEFT)
    assert not section.once.isVisible() and section.once.password.text() == ""


def test_a_name_that_is_taken_or_none_is_refused_in_words(
    section: AccountsSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    for name, words in (("admin", "exists"), ("Dr. Berg", "lower-case letters")):
        section.name.setText(name)
        QTest.mouseClick(section.add, LEFT)
        qtbot.waitUntil(partial(said, section, words), timeout=LONG_MS)
        qtbot.waitUntil(section.add.isEnabled, timeout=LONG_MS)
    assert len(doors.users.list(None)) == 1 and not section.once.isVisible()


def test_a_viewer_sees_the_cameras_that_are_ticked(
    section: AccountsSection, doors: OpenDoors, barn: StoredBarn, qtbot: QtBot
) -> None:
    add(section, "anna", Role.VIEWER, qtbot)
    cameras = section.editor.cameras
    qtbot.waitUntil(lambda: cameras.count() == 2, timeout=LONG_MS)
    assert [cameras.item(row).text() for row in range(2)] == ["Aisle", "Yard"]
    assert not section.editor.save.isEnabled()
    cameras.item(1).setCheckState(Qt.CheckState.Checked)
    QTest.mouseClick(section.editor.save, LEFT)
    anna = doors.users.find("anna")
    assert anna is not None
    yard = [barn.cameras["Yard"].id]
    account = next(one for one in doors.accounts.list() if one.id == anna.id)
    qtbot.waitUntil(lambda: list(doors.accounts.grants(account)) == yard, timeout=LONG_MS)
    qtbot.waitUntil(lambda: not section.busy and not section.editor.save.isEnabled())
    qtbot.waitUntil(lambda: section.editor.ticked() == frozenset(yard), timeout=LONG_MS)
    assert last_act(doors) == ("user.grant", "user")


def test_an_account_is_switched_off_and_its_logins_end(
    section: AccountsSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    add(section, "anna", Role.MANAGER, qtbot)
    assert not section.editor.cameras.isVisible(), "a manager sees all of its farm"
    QTest.mouseClick(section.editor.switch, LEFT)
    qtbot.waitUntil(lambda: cells(section, "anna")[3] == "switched off", timeout=LONG_MS)
    anna = doors.users.find("anna")
    assert anna is not None and not anna.enabled
    assert last_act(doors) == ("user.change", "user")
    qtbot.waitUntil(lambda: section.editor.switch.text() == "Switch on", timeout=LONG_MS)


def test_the_last_administrator_stays_and_a_forgotten_password_is_replaced(
    section: AccountsSection, doors: OpenDoors, qtbot: QtBot
) -> None:
    section.table.selectRow(0)
    QTest.mouseClick(section.editor.switch, LEFT)
    qtbot.waitUntil(lambda: "without an administrator" in section.said.text(), timeout=LONG_MS)
    qtbot.waitUntil(section.editor.isEnabled, timeout=LONG_MS)
    QTest.mouseClick(section.editor.password, LEFT)
    qtbot.waitUntil(section.once.isVisible, timeout=LONG_MS)
    admin = doors.users.find("admin")
    assert admin is not None and admin.enabled and admin.must_change_password
    assert Passwords().check(admin.password_hash, section.once.password.text())
    assert not Passwords().check(admin.password_hash, doors.first_password)
    assert last_act(doors) == ("user.password", "user")
