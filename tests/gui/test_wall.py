"""The wall as a person uses it: real mouse and keys, pictures of the simulated barn."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from PySide6.QtCore import QEvent, QMimeData, QPoint, QPointF, Qt, QUrl
from PySide6.QtGui import QColor, QDropEvent, QImage, QMouseEvent
from PySide6.QtTest import QTest
from PySide6.QtWidgets import QApplication, QWidget
from pytestqt.qtbot import QtBot

from engine.domain.detections import SubjectClass
from engine.domain.motion import Action, Gait, Posture
from engine.domain.streams import StreamState
from tests.gui.console_bench import FPS, Bench, BenchCamera, Scene
from tests.gui.moving_horses import motion_of
from ui.live.arrangement import Layout
from ui.live.overlay_match import overlay_for
from ui.live.overlay_paint import Switch, row_label
from ui.live.wall import Wall
from ui.live.wall_pointer import HorseHit
from ui.theme import load_theme
from ui.wording import offline_lines

Show = Callable[[QWidget, int, int], QWidget]
NAMES = ("Yard", "Paddock", "Arena", "Stall 4")


@pytest.fixture
def cameras(bench: Bench) -> list[BenchCamera]:
    return [bench.engine.add(name) for name in NAMES]


STILL_MONO_S = 1000.0
"""The wall's time: it stands, so that no picture grows old while a test runs."""


@pytest.fixture
def wall(bench: Bench, cameras: list[BenchCamera], shown: Show) -> Wall:
    result = Wall(bench.engine, load_theme("dark"), mono_s=lambda: STILL_MONO_S)
    result.set_streams(bench.engine.streams())
    result.set_health(bench.engine.report().streams)
    result.set_layout(Layout.FOUR)
    shown(result, 960, 560)
    return result


def middle(wall: Wall, position: int) -> QPoint:
    rect = wall.rects[position]
    return QPoint(rect.x + rect.width // 2, rect.y + rect.height // 2)


def names(wall: Wall) -> list[str]:
    tiles = (wall.tile_at(p) for p in sorted(wall.rects))
    return [tile.stream.name if tile else "" for tile in tiles]


def play(wall: Wall, camera: BenchCamera, place: str = "stall", seed: int = 0) -> None:
    camera.frames.clear()
    camera.results.clear()
    Scene(place, seed, horses=1).play(
        camera, 6.0, 8, every=1, latency_s=0.0, began_mono_s=STILL_MONO_S - 8 / FPS
    )
    wall.tick()


def drag(wall: Wall, start: QPoint, end: QPoint) -> None:
    """Press, move in steps as a hand does, release."""
    QTest.mousePress(wall, Qt.MouseButton.LeftButton, pos=start)
    for step in range(1, 6):
        at = start + (end - start) * step / 5
        event_at = QPointF(at)
        move = _move_event(wall, event_at)
        QApplication.sendEvent(wall, move)
    QTest.mouseRelease(wall, Qt.MouseButton.LeftButton, pos=end)


def _move_event(wall: Wall, at: QPointF) -> QMouseEvent:
    return QMouseEvent(
        QEvent.Type.MouseMove,
        at,
        QPointF(wall.mapToGlobal(at.toPoint())),
        Qt.MouseButton.NoButton,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )


def colours_of(wall: Wall, colour: str) -> int:
    """How many pixels of the wall have a colour."""
    image = wall.grab().toImage().convertToFormat(QImage.Format.Format_RGB32)
    pixels = np.frombuffer(image.constBits(), np.uint32).reshape(image.height(), -1)
    return int((pixels == QColor(colour).rgb()).sum())


# --- pictures -----------------------------------------------------------------------------------


def test_every_visible_camera_is_asked_for_the_size_of_its_tile(
    wall: Wall, cameras: list[BenchCamera]
) -> None:
    rect = wall.rects[0]
    for camera in cameras:
        assert camera.size_px is not None
        assert abs(camera.size_px[0] - rect.width) <= 1
        assert abs(camera.size_px[0] / camera.size_px[1] - 960 / 540) < 0.02


def test_a_hidden_wall_asks_for_no_pictures(wall: Wall, cameras: list[BenchCamera]) -> None:
    wall.hide()
    assert [c.size_px for c in cameras] == [None] * 4


def test_cameras_on_another_page_are_not_scaled(bench: Bench, wall: Wall) -> None:
    wall.set_layout(Layout.ONE)
    asked = [c.size_px for c in bench.engine.cameras.values()]
    assert sum(size is not None for size in asked) == 1


def test_the_picture_lies_one_to_one_on_the_screen(wall: Wall, cameras: list[BenchCamera]) -> None:
    play(wall, cameras[0])
    tile = wall.tile_at(0)
    assert tile is not None and tile.frame is not None
    placement = tile.placement(wall.devicePixelRatioF())
    assert placement is not None
    image = wall.grab().toImage()
    bgra = tile.frame.bgra
    x, y = bgra.shape[1] // 2, bgra.shape[0] - 12
    blue, green, red = (int(v) for v in bgra[y, x, :3])
    shown = image.pixelColor(round(placement.x) + x, round(placement.y) + y)
    assert (shown.red(), shown.green(), shown.blue()) == (red, green, blue)


def test_only_a_tile_with_a_new_picture_is_painted_again(
    wall: Wall, cameras: list[BenchCamera], qtbot: QtBot
) -> None:
    play(wall, cameras[0])
    QApplication.processEvents()
    tile = wall.tile_at(0)
    assert tile is not None
    assert not tile.update(wall._bridge, wall._mono_s(), False, False)


# --- overlays -----------------------------------------------------------------------------------


def test_boxes_of_horses_are_drawn_in_their_colour_and_can_be_switched_off(
    wall: Wall, cameras: list[BenchCamera]
) -> None:
    wall.set_switches({Switch.BOXES})
    play(wall, cameras[0])
    overlay = wall.tile_at(0).overlay
    assert overlay is not None and len(overlay) == 1
    colour = load_theme("dark").track_colour(int(overlay.colours[0])).name()
    assert colours_of(wall, colour) > 200
    wall.set_switches(())
    assert colours_of(wall, colour) < 20


def test_joints_are_goldenrod_and_bones_dark_green(wall: Wall, cameras: list[BenchCamera]) -> None:
    wall.set_switches({Switch.SKELETON})
    play(wall, cameras[0])
    assert colours_of(wall, "#DAA520") > 100
    assert colours_of(wall, "#006400") > 100


def test_motion_boxes_say_that_they_are_only_motion(wall: Wall, cameras: list[BenchCamera]) -> None:
    play(wall, cameras[0])
    overlay = wall.tile_at(0).overlay
    assert overlay is not None
    motion = replace(overlay, class_ids=overlay.class_ids * 0 + SubjectClass.MOTION)
    assert row_label(motion, 0, ()) == "motion"
    assert row_label(motion, 0, {Switch.CONFIDENCE}).startswith("motion 0.")
    assert row_label(overlay, 0, {Switch.IDS, Switch.CONFIDENCE}).startswith("#")


@pytest.mark.parametrize(
    ("does", "word"),
    [
        ({"gait": Gait.WALK, "action": Action.WALKING, "speed_mps": 1.62}, "walk 1.6 m/s"),
        ({"gait": Gait.UNKNOWN, "action": Action.WALKING, "speed_mps": 1.2}, "walking 1.2 m/s"),
        ({"gait": Gait.TROT, "action": Action.RUNNING, "speed_mps": np.nan}, "trot"),
        ({"gait": Gait.WALK, "action": Action.GRAZING, "speed_mps": 0.5}, "grazing"),
        ({"action": Action.RESTING, "posture": Posture.LATERAL}, "lying flat"),
        ({"action": Action.RESTING, "posture": Posture.UPRIGHT}, "resting"),
        ({"action": Action.STANDING, "posture": Posture.CHANGING}, "getting down or up"),
        ({"action": Action.ALERT, "sure": 0.3}, "alert?"),
        ({"action": Action.UNKNOWN}, ""),
    ],
)
def test_tiles_say_what_a_horse_does(
    wall: Wall, cameras: list[BenchCamera], does: dict[str, Any], word: str
) -> None:
    play(wall, cameras[0])
    cameras[0].results[:] = [replace(r, motion=motion_of(r, **does)) for r in cameras[0].results]
    wall.tick()
    overlay = overlay_for(cameras[0].frames[-1].stamp, cameras[0].results)
    assert overlay is not None
    assert row_label(overlay, 0, {Switch.ACTION}) == word
    number = row_label(overlay, 0, {Switch.IDS})
    assert row_label(overlay, 0, {Switch.IDS, Switch.ACTION}) == " · ".join(
        filter(None, (number, word))
    )


def test_smoothed_skeletons_are_drawn_where_there_are_some(
    wall: Wall, cameras: list[BenchCamera]
) -> None:
    play(wall, cameras[0])
    result = cameras[0].results[-1]
    assert result.poses is not None
    moved = replace(result.poses, keypoints_px=result.poses.keypoints_px + 7.0)
    analysed = replace(result, motion=replace(motion_of(result), poses=moved))
    overlay = overlay_for(result.stamp, [analysed])
    assert overlay is not None and overlay.keypoints_px is not None
    assert np.allclose(overlay.keypoints_px, moved.keypoints_px)
    raw = overlay_for(result.stamp, [result])
    assert raw is not None and raw.keypoints_px is not None
    assert np.allclose(raw.keypoints_px, result.poses.keypoints_px)


# --- cameras without a picture ------------------------------------------------------------------


def test_an_offline_camera_loses_its_picture_and_says_why(
    wall: Wall, cameras: list[BenchCamera], bench: Bench
) -> None:
    play(wall, cameras[0])
    assert wall.tile_at(0).has_picture
    cameras[0].health = replace(
        cameras[0].health,
        state=StreamState.OFFLINE,
        reason="no answer from camera",
        last_frame_age_s=134.0,
        retry_in_s=10.0,
    )
    wall.set_health(bench.engine.report().streams)
    assert not wall.tile_at(0).has_picture
    assert offline_lines(cameras[0].health) == (
        "OFFLINE · last picture 2 min 14 s ago",
        "no answer from camera, trying again in 10 s",
    )


def test_a_picture_that_stays_the_same_is_never_shown_as_live(
    bench: Bench, cameras: list[BenchCamera], shown: Show
) -> None:
    now = [1000.0]
    wall = Wall(bench.engine, load_theme("dark"), mono_s=lambda: now[0])
    wall.set_streams(bench.engine.streams())
    wall.set_health(bench.engine.report().streams)
    shown(wall, 960, 560)
    Scene("stall").play(cameras[0], 6.0, 2, began_mono_s=now[0])
    wall.tick()
    tile = wall.tile_at(0)
    assert tile.has_picture and not tile.stale
    now[0] += 2.0
    wall.tick()
    assert tile.has_picture and tile.stale
    now[0] += 4.0
    wall.tick()
    assert not tile.has_picture


def test_a_stopped_camera_offers_to_start(
    wall: Wall, cameras: list[BenchCamera], bench: Bench, qtbot: QtBot
) -> None:
    cameras[1].health = replace(cameras[1].health, state=StreamState.INACTIVE)
    wall.set_health(bench.engine.report().streams)
    with qtbot.waitSignal(wall.start_requested) as caught:
        link = wall._painter.link_rect(wall.rects[1], True).center()
        QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=link)
    assert caught.args[0].name == "Paddock"


def test_the_first_empty_place_asks_for_a_camera(wall: Wall, qtbot: QtBot) -> None:
    wall.set_layout(Layout.NINE)
    with qtbot.waitSignal(wall.add_requested):
        QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=middle(wall, 4))
    with qtbot.assertNotEmitted(wall.add_requested):
        QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=middle(wall, 7))


# --- mouse --------------------------------------------------------------------------------------


def test_dragging_a_tile_onto_another_exchanges_them(wall: Wall, qtbot: QtBot) -> None:
    with qtbot.waitSignal(wall.arranged) as caught:
        drag(wall, middle(wall, 0), middle(wall, 3))
    assert names(wall) == ["Stall 4", "Paddock", "Arena", "Yard"]
    before, after = caught.args
    assert before != after
    assert wall.selected_stream.name == "Yard"


def test_escape_during_a_drag_puts_everything_back(wall: Wall, qtbot: QtBot) -> None:
    start, end = middle(wall, 0), middle(wall, 3)
    QTest.mousePress(wall, Qt.MouseButton.LeftButton, pos=start)
    QApplication.sendEvent(wall, _move_event(wall, QPointF(end)))
    QTest.keyClick(wall, Qt.Key.Key_Escape)
    with qtbot.assertNotEmitted(wall.arranged):
        QTest.mouseRelease(wall, Qt.MouseButton.LeftButton, pos=end)
    assert names(wall) == list(NAMES)


def test_a_small_movement_is_a_click_not_a_drag(wall: Wall, qtbot: QtBot) -> None:
    with qtbot.assertNotEmitted(wall.arranged):
        drag(wall, middle(wall, 0), middle(wall, 0) + QPoint(2, 1))
    assert wall.selection == 0


def test_double_click_maximises_and_goes_back(wall: Wall) -> None:
    QTest.mouseDClick(wall, Qt.MouseButton.LeftButton, pos=middle(wall, 2))
    assert names(wall) == ["Arena"]
    assert wall.rects[2].width > 900
    QTest.mouseDClick(wall, Qt.MouseButton.LeftButton, pos=middle(wall, 2))
    assert names(wall) == list(NAMES)


def test_a_click_on_a_horse_tells_which(
    wall: Wall, cameras: list[BenchCamera], qtbot: QtBot
) -> None:
    play(wall, cameras[0])
    tile = wall.tile_at(0)
    box = tile.placement(1.0).box(tile.overlay.boxes_xyxy_px[0].tolist())
    with qtbot.waitSignal(wall.horse_clicked) as caught:
        QTest.mouseClick(wall, Qt.MouseButton.LeftButton, pos=box.center().toPoint())
    hit = caught.args[0]
    assert isinstance(hit, HorseHit)
    assert (hit.stream.name, hit.row) == ("Yard", 0)


def test_files_can_be_dropped(wall: Wall, qtbot: QtBot) -> None:
    data = QMimeData()
    data.setUrls([QUrl.fromLocalFile("/clips/walk.mp4"), QUrl("https://x/y")])
    event = QDropEvent(
        QPointF(10, 10),
        Qt.DropAction.CopyAction,
        data,
        Qt.MouseButton.LeftButton,
        Qt.KeyboardModifier.NoModifier,
    )
    with qtbot.waitSignal(wall.files_dropped) as caught:
        wall.dropEvent(event)
    assert caught.args[0] == ["/clips/walk.mp4"]


def test_free_places_are_moved_and_sized_by_dragging(wall: Wall, qtbot: QtBot) -> None:
    wall.set_layout(Layout.FREE)
    before = wall.arrangement.free[1]
    drag(wall, middle(wall, 1), middle(wall, 1) + QPoint(-160, 92))
    moved = wall.arrangement.free[1]
    assert (moved.width, moved.height) == (before.width, before.height)
    assert moved.x < before.x and moved.y > before.y
    rect = wall.rects[1]
    corner = QPoint(rect.x + rect.width - 5, rect.y + rect.height - 5)
    drag(wall, corner, corner + QPoint(120, 70))
    sized = wall.arrangement.free[1]
    assert sized.width > moved.width and sized.height > moved.height
    assert (sized.x, sized.y) == (moved.x, moved.y)


# --- keyboard -----------------------------------------------------------------------------------


def test_digits_select_and_again_maximise(wall: Wall) -> None:
    QTest.keyClick(wall, Qt.Key.Key_3)
    assert wall.selected_stream.name == "Arena"
    QTest.keyClick(wall, Qt.Key.Key_3)
    assert names(wall) == ["Arena"]
    QTest.keyClick(wall, Qt.Key.Key_2)
    assert names(wall) == ["Paddock"]
    QTest.keyClick(wall, Qt.Key.Key_Escape)
    assert names(wall) == list(NAMES)


def test_arrows_move_the_selection_and_with_shift_the_camera(wall: Wall) -> None:
    QTest.keyClick(wall, Qt.Key.Key_Right)
    assert wall.selection == 0
    QTest.keyClick(wall, Qt.Key.Key_Right)
    QTest.keyClick(wall, Qt.Key.Key_Down)
    assert wall.selection == 3
    QTest.keyClick(wall, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    assert names(wall) == ["Yard", "Paddock", "Stall 4", "Arena"]
    assert wall.selected_stream.name == "Stall 4"


def test_enter_maximises_and_escape_goes_back_then_deselects(wall: Wall) -> None:
    QTest.keyClick(wall, Qt.Key.Key_1)
    QTest.keyClick(wall, Qt.Key.Key_Return)
    assert names(wall) == ["Yard"]
    QTest.keyClick(wall, Qt.Key.Key_Escape)
    assert names(wall) == list(NAMES)
    assert wall.selection == 0
    QTest.keyClick(wall, Qt.Key.Key_Escape)
    assert wall.selection is None


def test_page_keys_turn_pages(wall: Wall) -> None:
    wall.set_layout(Layout.ONE)
    QTest.keyClick(wall, Qt.Key.Key_PageDown)
    assert names(wall) == ["Paddock"]
    QTest.keyClick(wall, Qt.Key.Key_PageUp)
    assert names(wall) == ["Yard"]


def test_keys_that_mean_nothing_are_left_to_others(wall: Wall) -> None:
    QTest.keyClick(wall, Qt.Key.Key_Q)
    QTest.keyClick(wall, Qt.Key.Key_MediaPlay)
    assert names(wall) == list(NAMES)


def test_free_places_are_moved_by_keys(wall: Wall) -> None:
    wall.set_layout(Layout.FREE)
    wall.select(1)
    before = wall.arrangement.free[1]
    QTest.keyClick(wall, Qt.Key.Key_Left, Qt.KeyboardModifier.ShiftModifier)
    QTest.keyClick(wall, Qt.Key.Key_Down, Qt.KeyboardModifier.ControlModifier)
    after = wall.arrangement.free[1]
    assert (after.x, after.width, after.height) == (
        before.x - 1,
        before.width,
        before.height + 1,
    )
