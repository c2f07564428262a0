"""The registry's views for the manual: gallery, a drag, merge, profile, split, history, review."""

from __future__ import annotations

from collections.abc import Callable

from PySide6.QtCore import QEvent, QPoint, QPointF, Qt
from PySide6.QtGui import QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget

from engine.domain.horses import Horse, HorseStatus
from engine.domain.identity import Merge
from ui.main_window import MainWindow
from ui.registry.merge_panel import MergePanel
from ui.registry.registry_page import RegistryPage

LEFT = Qt.MouseButton.LeftButton
PATIENCE_S = 15.0

Wait = Callable[[Callable[[], bool], float], None]
Save = Callable[[str], None]


def render_registry(window: MainWindow, wait: Wait, save: Save) -> None:
    """Every view of the registry, on the horses that were found so far."""
    page = window.registry
    window.show_page("registry")
    wait(lambda: page.horses.rowCount() >= 2, PATIENCE_S)
    wait(lambda: False, 1.5)
    save("registry")
    window.actions_book["registry.table"].setChecked(True)
    wait(lambda: False, 0.5)
    save("registry-table")
    window.actions_book["registry.table"].setChecked(False)
    pair = mergeable(window)
    if pair is not None:
        _drag_and_merge(page, *pair, wait, save)
    _profile_and_split(page, wait, save)
    page.open_history()
    wait(lambda: bool(page.side.history.model.records), PATIENCE_S)
    wait(lambda: False, 0.5)
    save("registry-history")
    page.side.close_panel()
    page.open_review()
    wait(lambda: page.review.current is not None, 3.0)
    wait(lambda: False, 1.0)
    save("registry-review")
    page.close_review()


def mergeable(window: MainWindow) -> tuple[Horse, Horse] | None:
    """Two horses that may be one (kept, absorbed); else two that may not, which shows why."""
    horses = [h for h in window.directory.horses if h.status is not HorseStatus.MERGED]
    if len(horses) < 2:
        return None
    identity = window.registry.context.services.identity
    for kept in horses:
        for absorbed in horses:
            if kept is not absorbed and not identity.preview(Merge(kept.id, absorbed.id)).forbidden:
                return kept, absorbed
    return horses[0], horses[1]


def _drag_and_merge(
    page: RegistryPage, kept: Horse, absorbed: Horse, wait: Wait, save: Save
) -> None:
    view = page.gallery.viewport()
    start, end = (page.gallery.card_of(h.id).center() for h in (absorbed, kept))
    QTest.mousePress(view, LEFT, pos=start)
    for step in range(1, 9):
        _move(view, start + (end - start) * step / 8)
    save("registry-drag")
    QTest.mouseRelease(view, LEFT, pos=end)
    panel = page.side.correction
    if not isinstance(panel, MergePanel):
        return
    wait(lambda: panel.evidence is not None and panel.effect is not None, PATIENCE_S)
    wait(lambda: False, 1.0)
    save("registry-merge")
    if panel.confirm.isEnabled():
        panel.reason.setText("the same blaze")
        panel.apply()
        wait(lambda: page.side.correction is None, PATIENCE_S)
    else:
        page.side.close_panel()


def _profile_and_split(page: RegistryPage, wait: Wait, save: Save) -> None:
    seen = [h for h in page.directory.horses if h.status is not HorseStatus.MERGED]
    if not seen:
        return
    page.open_profile(max(seen, key=lambda horse: horse.total_detections))
    profile = page.side.profile
    wait(lambda: bool(profile.strips.strips), PATIENCE_S)
    wait(lambda: False, 1.0)
    if not profile.strips.strips:
        return
    longest = max(profile.strips.strips, key=lambda strip: strip.end - strip.start)
    profile.strips.select(longest)
    profile.strips.move_playhead(longest.start + (longest.end - longest.start) / 2)
    save("registry-profile")
    profile.split_here()
    panel = page.side.correction
    wait(lambda: panel is not None and panel.effect is not None, PATIENCE_S)
    wait(lambda: False, 0.8)
    save("registry-split")
    if panel is not None and panel.confirm.isEnabled():
        panel.apply()
        wait(lambda: page.side.correction is None, PATIENCE_S)
    page.side.close_panel()


def _move(view: QWidget, at: QPoint | QPointF) -> None:
    point = QPointF(at)
    move = QMouseEvent(
        QEvent.Type.MouseMove,
        point,
        QPointF(view.mapToGlobal(point)),
        Qt.MouseButton.NoButton,
        LEFT,
        Qt.KeyboardModifier.NoModifier,
    )
    QApplication.sendEvent(view, move)
