"""The plots under the lanes: curves of the selected horse, in step with the window above."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial

import numpy as np
from PySide6.QtCore import QTimer
from PySide6.QtWidgets import QVBoxLayout, QWidget

from engine.domain.ids import HorseId
from engine.motion.asymmetry import LEAST_STRIDES
from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.theme import Theme
from ui.timeline.cursor import TimeCursor, instant
from ui.timeline.plot_kinds import ASYMMETRY, PLOTS, PlotKind, key_words, plot_word
from ui.timeline.plot_row import PlotRow, joined
from ui.timeline.series_tiles import (
    AsymmetryTile,
    Curve,
    SeriesTile,
    read_asymmetry,
    read_series,
)
from ui.timeline.tile_grid import TileKey, beside, covering, level_for
from ui.timeline.tile_loader import Piece, TileLoader
from ui.timeline.time_view import TimeView

ASYMMETRY_CURVES = {"hd_min_mm": "information", "pd_min_mm": "trot"}
"""What the plot of asymmetry shows: head and pelvis, lowest points, right minus left."""
ZOOM_STEP = 0.8
FIT_MS = 120
ROOM = 0.75
"""So much of a window is drawn ahead on both sides."""


class PlotStack(QWidget):
    """One row a kind. It shows nothing of cameras: choose a horse."""

    def __init__(
        self,
        services: ConsoleServices,
        requests: RequestRunner,
        view: TimeView,
        head: TimeCursor,
        theme: Theme,
        parent: QWidget | None = None,
    ) -> None:
        super().__init__(parent)
        self._services = services
        self._theme = theme
        self._view, self._head = view, head
        self._horse: HorseId | None = None
        self._title = ""
        self._choose = ""
        self._shown = {kind.id for kind in PLOTS if kind.shown}
        self._origin_us = view.start_us
        self.series: TileLoader[SeriesTile] = TileLoader(
            requests, "pose metrics", self._read_series, parent=self, at_once=1
        )
        self.strides: TileLoader[AsymmetryTile] = TileLoader(
            requests, "asymmetry", self._read_asymmetry, parent=self, at_once=1
        )
        self._column = QVBoxLayout(self)
        self._column.setContentsMargins(0, 0, 0, 4)
        self._column.setSpacing(0)
        self.rows: dict[str, PlotRow] = {}
        self._values: dict[str, Curve] = {}
        self._fit_soon = QTimer(self, interval=FIT_MS, singleShot=True)
        self._fit_soon.timeout.connect(self._fit)
        view.changed.connect(self._on_view)
        head.moved.connect(lambda _at: self._show_cursor())
        self.series.arrived.connect(self._show)
        self.strides.arrived.connect(self._show)
        self._arrange()

    # --- what is shown --------------------------------------------------------------------------

    def know(self, any_horse: bool) -> None:
        """Whether there is a horse to choose."""
        self._choose = (
            self.tr("Choose a horse's lane to see its curves.")
            if any_horse
            else self.tr("No horse is known yet. Curves begin with the first one that is met.")
        )
        if self._horse is None:
            self._say_refusals([])

    def set_horse(self, horse_id: HorseId | None, title: str) -> None:
        """Show another horse's curves; None: nobody's."""
        if horse_id != self._horse:
            self._horse, self._title = horse_id, title
            self.series.reset(forget=True)
            self.strides.reset(forget=True)
            self._values = {}
        self._show()

    def show_plot(self, plot_id: str, on: bool) -> None:
        """Show or hide a kind."""
        if on == (plot_id in self._shown):
            return
        self._shown = self._shown | {plot_id} if on else self._shown - {plot_id}
        self._arrange()
        self.series.reset()
        self._show()

    @property
    def shown(self) -> int:
        """How many plots are on."""
        return len(self._shown)

    @property
    def empty(self) -> bool:
        """Whether no plot is on."""
        return not self._shown

    def set_theme(self, theme: Theme) -> None:
        """Draw in another look."""
        self._theme = theme
        for row in self.rows.values():
            row.set_theme(theme)
        self._show()

    def _arrange(self) -> None:
        for kind in PLOTS:
            row = self.rows.get(kind.id)
            if kind.id in self._shown and row is None:
                row = self._made(kind)
                self.rows[kind.id] = row
            if row is not None:
                row.setVisible(kind.id in self._shown)
        for row in self.rows.values():
            self._column.removeWidget(row)
        for kind in PLOTS:
            if kind.id in self.rows:
                self._column.addWidget(self.rows[kind.id], 1)

    def _made(self, kind: PlotKind) -> PlotRow:
        colours = ASYMMETRY_CURVES if kind is ASYMMETRY else kind.series
        title = plot_word(kind)
        row = PlotRow(title, kind.unit, colours, self._theme, kind.floor, key_words(kind), self)
        row.turned.connect(self._on_turned)
        row.dragged.connect(lambda share: self._view.pan(-round(share * self._view.span_us)))
        row.pressed.connect(lambda share: self._head.move_to(instant(self._at(share))))
        return row

    def _at(self, share: float) -> int:
        return self._view.start_us + round(share * self._view.span_us)

    def _on_turned(self, notches: float, share: float) -> None:
        self._view.zoom(ZOOM_STEP**notches, self._at(share))

    # --- reading --------------------------------------------------------------------------------

    def want(self, us_per_px: float) -> None:
        """Ask for what the window shows."""
        if self._horse is None or self.empty or self._services.motion is None:
            self.series.want([])
            self.strides.want([])
            return
        level = level_for(us_per_px)
        keys = covering(level, self._view.start_us, self._view.end_us)
        self.series.want([*keys, *beside(keys)] if self._names() else [])
        self.strides.want(keys if ASYMMETRY.id in self._shown else [])

    def refresh(self, start_us: int, end_us: int, older_than_s: float) -> None:
        """Read a span again if it was read longer ago than this."""
        self.series.refresh(start_us, end_us, older_than_s)
        self.strides.refresh(start_us, end_us, older_than_s)

    def reset(self) -> None:
        """The store changed."""
        self.series.reset()
        self.strides.reset()

    def _names(self) -> tuple[str, ...]:
        return tuple(n for kind in PLOTS if kind.id in self._shown for n in kind.series)

    def _read_series(self, key: TileKey) -> Callable[[], SeriesTile] | None:
        motion, horse = self._services.motion, self._horse
        if motion is None or horse is None:
            return None
        return partial(read_series, motion, horse, self._names(), key)

    def _read_asymmetry(self, key: TileKey) -> Callable[[], AsymmetryTile] | None:
        motion, horse = self._services.motion, self._horse
        if motion is None or horse is None:
            return None
        return partial(read_asymmetry, motion, horse, key)

    # --- drawing --------------------------------------------------------------------------------

    def _on_view(self) -> None:
        start_s = (self._view.start_us - self._origin_us) / 1e6
        end_s = (self._view.end_us - self._origin_us) / 1e6
        if self._far_from_origin() or self._missing():
            self._show()
            return
        for kind_id in self._shown:
            self.rows[kind_id].show_window(start_s, end_s)
        self._fit_soon.start()

    def _far_from_origin(self) -> bool:
        """Whether seconds from the origin are no longer fine enough for the zoom."""
        return abs(self._view.start_us - self._origin_us) > 200_000 * self._view.span_us

    def _missing(self) -> bool:
        """Whether what was drawn does not cover the window."""
        drawn = self._drawn
        return (
            self._view.start_us < drawn[0]
            or self._view.end_us > drawn[1]
            or (drawn[2] != level_for(self._us_per_px()))
        )

    _drawn: tuple[int, int, int] = (0, 0, -1)

    def _us_per_px(self) -> float:
        return self._view.span_us / max(self.width() - 180, 1)

    def _show(self) -> None:
        """Hand the curves of the window and a little around it to the rows."""
        view = self._view
        level = level_for(self._us_per_px())
        room = round(view.span_us * ROOM)
        start_us, end_us = view.start_us - room, view.end_us + room
        self._drawn = (start_us, end_us, level)
        self._origin_us = view.start_us
        series = self.series.pieces(level, start_us, end_us) if self._horse else []
        strides = self.strides.pieces(level, start_us, end_us) if self._horse else []
        for kind in PLOTS:
            if kind.id in self._shown:
                pieces = strides if kind is ASYMMETRY else series
                self._show_row(kind, pieces)
        start_s = (view.start_us - self._origin_us) / 1e6
        for kind_id in self._shown:
            self.rows[kind_id].show_window(start_s, start_s + view.span_us / 1e6)
        self._say_refusals(strides)
        self._fit()
        self._show_cursor()

    def _show_row(
        self, kind: PlotKind, pieces: Iterable[Piece[SeriesTile] | Piece[AsymmetryTile]]
    ) -> None:
        names: Mapping[str, str] = ASYMMETRY_CURVES if kind is ASYMMETRY else kind.series
        held = list(pieces)
        for name in names:
            parts = [
                (p.value.curves[name], p.start_us, p.end_us) for p in held if name in p.value.curves
            ]
            curve = joined(parts)
            if curve is None:
                self._values.pop(name, None)
            else:
                self._values[name] = curve
        self.rows[kind.id].show_curves(
            self._origin_us, {n: self._values[n] for n in names if n in self._values}
        )

    def _say_refusals(self, strides: list[Piece[AsymmetryTile]]) -> None:
        """Where a row is empty, why, and what to do."""
        start_us, end_us = self._view.start_us, self._view.end_us
        count = sum(
            int(((p.value.starts_us >= start_us) & (p.value.starts_us < end_us)).sum())
            for p in strides
        )
        for kind in PLOTS:
            if kind.id not in self._shown:
                continue
            row = self.rows[kind.id]
            if self._services.motion is None:
                row.say(self.tr("This console was started without stored motion."))
            elif self._horse is None:
                row.say(self._choose)
            elif self._anything(kind):
                row.say("")
            elif self.series.busy or self.strides.busy:
                row.say(self.tr("Reading…"))
            elif kind is ASYMMETRY:
                row.say(
                    self.tr(
                        "Too few strides: {0} good ones of straight trot within the window, {1} "
                        "within a stretch are needed. Zoom out, or look where it trots."
                    ).format(count, LEAST_STRIDES)
                )
            else:
                row.say(self.tr("Nothing was measured of {0} in this window.").format(self._title))

    def _within(self, curve: Curve) -> slice:
        bounds = np.searchsorted(curve.at_us, [self._view.start_us, self._view.end_us])
        return slice(max(int(bounds[0]) - 1, 0), int(bounds[1]))

    def _names_of(self, kind: PlotKind) -> tuple[str, ...]:
        return tuple(ASYMMETRY_CURVES if kind is ASYMMETRY else kind.series)

    def _anything(self, kind: PlotKind) -> bool:
        curves = (self._values.get(name) for name in self._names_of(kind))
        return any(c is not None and np.isfinite(c.mean[self._within(c)]).any() for c in curves)

    def _fit(self) -> None:
        """Let the values of the window fill the rows."""
        for kind in PLOTS:
            if kind.id not in self._shown:
                continue
            known = [self._values[n] for n in self._names_of(kind) if n in self._values]
            parts = [side[self._within(c)] for c in known for side in (c.low, c.high, c.mean)]
            values = np.concatenate(parts) if parts else np.zeros(0)
            values = values[np.isfinite(values)]
            if len(values):
                self.rows[kind.id].fit(float(values.min()), float(values.max()))
        if self._horse is not None:
            self._say_refusals(self.strides.pieces(*self._window()))

    def _window(self) -> tuple[int, int, int]:
        return level_for(self._us_per_px()), self._view.start_us, self._view.end_us

    def _show_cursor(self) -> None:
        at_us = self._head.at_us
        for kind in PLOTS:
            if kind.id in self._shown:
                words = self._value_words(kind, at_us)
                self.rows[kind.id].show_cursor((at_us - self._origin_us) / 1e6, *words)

    def value_at(self, plot_id: str, at_us: int) -> str:
        """A plot's value at an instant, in words."""
        kind = next(kind for kind in PLOTS if kind.id == plot_id)
        return self._value_words(kind, at_us)[0]

    def _value_words(self, kind: PlotKind, at_us: int) -> tuple[str, str]:
        """``1.62`` and ``1.40…1.91`` at the cursor; of both sides where there are two."""
        values, bands = [], []
        digits = 1 if kind.unit in ("mm", "°") else 2
        for name in self._names_of(kind):
            curve = self._values.get(name)
            if curve is None or not len(curve.at_us):
                continue
            index = int(np.searchsorted(curve.at_us, at_us, "right")) - 1
            step = int(np.median(np.diff(curve.at_us))) if len(curve.at_us) > 1 else 0
            if index < 0 or at_us - curve.at_us[index] > 2 * step + 1:
                continue
            mean, low, high = (float(c[index]) for c in (curve.mean, curve.low, curve.high))
            if np.isfinite(mean):
                values.append(f"{mean:.{digits}f}")
                bands.append(f"{low:.{digits}f}…{high:.{digits}f}")
        return " | ".join(values) or "–", " | ".join(bands)
