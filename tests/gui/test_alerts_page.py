"""The Alerts page over a real store: what waits, its evidence, acknowledging, and the rules."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from PySide6.QtCore import QPoint, Qt
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication
from pytestqt.qtbot import QtBot

from db.repositories.alerts import PostgresAlertRepository
from db.repositories.farms import DEFAULT_FARM
from engine.behaviour.rule_catalogue import default_rules
from engine.domain.behaviour import Alert, AlertId, AlertRule, RuleKind
from engine.domain.notices import Severity
from tests.gui.console_bench import make_bench
from tests.gui.stored_barn import StoredBarn, plain_picture
from ui.alerts.words import evidence_lines
from ui.main_window import MainWindow
from ui.row_list import VALUE

LEFT = Qt.MouseButton.LeftButton
NOW = datetime.now


@dataclass
class AlertBench:
    """A window over a stored barn, and the store of its alerts."""

    window: MainWindow
    alerts: PostgresAlertRepository
    qtbot: QtBot

    def raised(
        self,
        message: str,
        severity: Severity = Severity.WARNING,
        jpeg: bytes | None = None,
        quiet: bool = False,
        ended_at: datetime | None = None,
    ) -> Alert:
        """An alert as the watch stores it."""
        now = NOW(UTC)
        alert = Alert(
            AlertId(uuid4()), DEFAULT_FARM, None, RuleKind.CAST, severity, message, str(uuid4()),
            now - timedelta(minutes=5), now, evidence={"down_min": 4.2, "struggle_spells": 6},
            picture=jpeg is not None, quiet=quiet, ended_at=ended_at,
        )  # fmt: skip
        assert self.alerts.raise_(alert, jpeg)
        return alert

    def shown(self) -> list[str]:
        """Sentences of the list."""
        model = self.window.alerts.model
        return [model.index(row).data(VALUE).message for row in range(model.rowCount())]

    def read(self, count: int) -> None:
        """Open the page and wait for so many rows."""
        self.window.show_page("alerts")
        self.window.alerts.feed.refresh()
        self.qtbot.waitUntil(lambda: len(self.shown()) == count)


@pytest.fixture
def page(
    barn: StoredBarn, tmp_path: Path, dressed: QApplication, qtbot: QtBot
) -> Iterator[AlertBench]:
    bench = make_bench(tmp_path)
    alerts = PostgresAlertRepository(barn.pool, default_rules)
    services = replace(bench.services, alerts=alerts, farm_id=DEFAULT_FARM)
    window = MainWindow(services)
    window.resize(1440, 900)
    with qtbot.waitActive(window):
        window.show()
        window.activateWindow()
    yield AlertBench(window, alerts, qtbot)
    window.close()
    window.deleteLater()


def test_an_empty_page_says_that_nothing_needs_a_person(page: AlertBench) -> None:
    page.window.show_page("alerts")
    words = page.window.alerts.empty
    page.qtbot.waitUntil(lambda: "Nothing needs a person" in words.text())
    assert page.window.rail._buttons["alerts"].text() == "Alerts"


def test_unacknowledged_come_first_with_their_evidence(page: AlertBench) -> None:
    seen = page.raised("Seen already.")
    page.alerts.acknowledge(seen.id, "Anna", "", NOW(UTC))
    page.raised("Bella may be cast.", Severity.CRITICAL, jpeg=plain_picture(3))
    page.read(2)
    assert page.shown() == ["Bella may be cast.", "Seen already."]
    assert page.window.rail._buttons["alerts"].text() == "Alerts (1)"
    page.window.show_page("live")  # a button takes its words from its action again then
    assert page.window.rail._buttons["alerts"].text() == "Alerts (1)"
    page.window.show_page("alerts")
    detail = page.window.alerts.detail
    page.qtbot.waitUntil(lambda: not detail.picture.pixmap().isNull())
    assert detail.message.text() == "Bella may be cast." and "Critical" in detail.where.text()
    assert evidence_lines(detail.alert.evidence) == (
        ("Down", "4.2 min"),
        ("Struggle spells", "6"),
    )


def test_acknowledging_keeps_who_and_the_note(page: AlertBench) -> None:
    alert = page.raised("Bella may be cast.", Severity.CRITICAL)
    page.read(1)
    detail = page.window.alerts.detail
    QTest.keyClicks(detail.note, "Helped her up.")
    QTest.mouseClick(detail.acknowledge, LEFT)
    page.qtbot.waitUntil(lambda: page.alerts.get(alert.id).acknowledged_at is not None)
    stored = page.alerts.get(alert.id)
    assert stored.note == "Helped her up." and stored.acknowledged_by
    page.qtbot.waitUntil(lambda: detail.acknowledge.text() == "Add note")
    assert detail.notes.text() == "Helped her up."
    page.qtbot.waitUntil(lambda: page.window.alerts.count.text() == "all acknowledged")


def test_one_key_acknowledges(page: AlertBench) -> None:
    alert = page.raised("Stall has been away.")
    page.read(1)
    page.window.alerts.view.setFocus()
    QTest.keyClick(page.window.alerts.view, Qt.Key.Key_A)
    page.qtbot.waitUntil(lambda: page.alerts.get(alert.id).acknowledged_at is not None)


def test_a_note_that_is_being_written_survives_a_new_alert(page: AlertBench) -> None:
    page.raised("The first.")
    page.read(1)
    detail = page.window.alerts.detail
    QTest.keyClicks(detail.note, "half a sen")
    page.raised("The second.")
    page.read(2)
    assert detail.message.text() == "The first."
    assert detail.note.toPlainText() == "half a sen"


def test_new_alerts_call_somebody_unless_they_are_quiet(page: AlertBench) -> None:
    page.raised("Old.")
    page.read(1)
    told: list[str] = []
    alarm = page.window.alerts.alarm
    alarm.told.connect(lambda alerts: told.extend(alert.message for alert in alerts))
    page.raised("Quiet.", quiet=True)
    page.raised("Loud.")
    page.read(3)
    page.qtbot.waitUntil(lambda: told == ["Loud."])
    assert page.window.toast.text == "Loud."


def test_the_list_is_searched_and_filtered(page: AlertBench) -> None:
    page.raised("Bella may be cast.", Severity.CRITICAL)
    page.raised("Stall has been away.", ended_at=NOW(UTC))
    page.read(2)
    alerts = page.window.alerts
    QTest.keyClicks(alerts.search, "bella")
    assert page.shown() == ["Bella may be cast."]
    QTest.keyClicks(alerts.search, "xx")
    assert page.shown() == [] and "No alert matches" in alerts.empty.text()
    alerts.search.clear()
    alerts.which.setCurrentIndex(alerts.which.findData("lasting"))
    assert page.shown() == ["Bella may be cast."]
    alerts.which.setCurrentIndex(alerts.which.findData(Severity.WARNING))
    assert page.shown() == ["Stall has been away."]


# --- rules ---------------------------------------------------------------------------------------


@pytest.fixture
def rules(page: AlertBench) -> AlertBench:
    page.window.show_page("alerts")
    QTest.mouseClick(page.window.alerts.tabs.button(1), LEFT)
    panel = page.window.alerts.rules
    assert panel is not None
    page.qtbot.waitUntil(lambda: panel.list.count() == len(RuleKind))
    return page


def stored(page: AlertBench, kind: RuleKind) -> AlertRule:
    return next(r for r in page.alerts.rules(DEFAULT_FARM) if r.kind is kind)


def names(page: AlertBench) -> set[str]:
    return {rule.name for rule in page.alerts.rules(DEFAULT_FARM)}


def test_a_rule_is_changed_in_its_form_and_that_undone(rules: AlertBench) -> None:
    panel = rules.window.alerts.rules
    assert panel is not None
    rule = stored(rules, RuleKind.CAST)
    panel.choose(rule.id)
    assert panel.form.parameters["down_min"].value() == 3.0
    panel.form.parameters["down_min"].setValue(5.0)
    panel.form.quiet.setChecked(True)
    QTest.mouseClick(panel.form.days[6], LEFT)
    QTest.mouseClick(panel.form.save, LEFT)
    rules.qtbot.waitUntil(lambda: stored(rules, RuleKind.CAST).version == 2)
    changed = stored(rules, RuleKind.CAST)
    assert changed.parameters["down_min"] == 5.0
    assert changed.quiet.weekdays == frozenset(range(6)) and changed.quiet.start.hour == 22
    rules.qtbot.waitUntil(rules.window.log.stack.canUndo)
    QTest.keyClick(rules.window, Qt.Key.Key_Z, Qt.KeyboardModifier.ControlModifier)
    rules.qtbot.waitUntil(lambda: stored(rules, RuleKind.CAST).version == 3)
    assert stored(rules, RuleKind.CAST).quiet is None


def test_a_rule_made_silent_calls_nobody_from_then_on(rules: AlertBench) -> None:
    panel, alarm = rules.window.alerts.rules, rules.window.alerts.alarm
    assert panel is not None
    rule = stored(rules, RuleKind.CAST)
    told: list[str] = []
    alarm.told.connect(lambda alerts: told.extend(alert.message for alert in alerts))
    alert = Alert(
        AlertId(uuid4()), DEFAULT_FARM, rule.id, rule.kind, rule.severity, "Cast.", "key",
        NOW(UTC), NOW(UTC),
    )  # fmt: skip
    alarm.tell([alert])
    assert told == ["Cast."]
    panel.choose(rule.id)
    panel.form.sound.setChecked(False)
    panel.form.notify.setChecked(False)

    def silent(read: tuple[AlertRule, ...]) -> bool:
        return not next(one for one in read if one.id == rule.id).sound

    with rules.qtbot.waitSignal(panel.read, check_params_cb=silent):
        QTest.mouseClick(panel.form.save, LEFT)
    alarm.tell([alert])
    assert told == ["Cast."]


def test_a_tick_in_the_list_switches_a_rule(rules: AlertBench) -> None:
    panel = rules.window.alerts.rules
    assert panel is not None
    rule = stored(rules, RuleKind.CAMERA_DOWN)
    row = next(i for i in range(panel.list.count()) if panel.list.item(i).text() == rule.name)
    area = panel.list.visualItemRect(panel.list.item(row))
    QTest.mouseClick(panel.list.viewport(), LEFT, pos=QPoint(area.x() + 14, area.center().y()))
    rules.qtbot.waitUntil(lambda: not stored(rules, RuleKind.CAMERA_DOWN).enabled)


def test_a_rule_that_cannot_work_is_refused_in_words(rules: AlertBench) -> None:
    panel = rules.window.alerts.rules
    assert panel is not None
    panel.choose(stored(rules, RuleKind.FOALING).id)
    panel.form.enabled.setChecked(True)
    QTest.mouseClick(panel.form.save, LEFT)
    rules.qtbot.waitUntil(lambda: "at least one horse" in panel.form.problem.text())
    assert not stored(rules, RuleKind.FOALING).enabled


def test_a_rule_is_added_and_removed(rules: AlertBench) -> None:
    panel = rules.window.alerts.rules
    assert panel is not None
    panel.begin(RuleKind.MISSING)
    panel.form.name.setText("Yearlings missing")
    QTest.mouseClick(panel.form.save, LEFT)
    rules.qtbot.waitUntil(lambda: panel.list.count() == len(RuleKind) + 1)
    assert "Yearlings missing" in names(rules)
    rules.qtbot.waitUntil(lambda: panel.form.rule.name == "Yearlings missing")
    QTest.mouseClick(panel.form.remove, LEFT)
    rules.qtbot.waitUntil(lambda: "Yearlings missing" not in names(rules))
