"""Colours, type and icons of the console, from the one token file ``resources/style/tokens.toml``.

``Theme`` is a value: widgets that paint themselves are handed one, everything else is styled by
the sheet generated from it.
"""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Literal

from pydantic import BaseModel, ConfigDict
from PySide6.QtCore import QByteArray, QRectF, Qt
from PySide6.QtGui import QColor, QFont, QFontDatabase, QIcon, QPainter, QPalette, QPixmap
from PySide6.QtSvg import QSvgRenderer
from PySide6.QtWidgets import QApplication

ThemeName = Literal["dark", "light"]
ICON_SIZES_PX = (16, 20, 24)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Measures(_Strict):
    """Sizes in logical pixels; ``motion_ms`` is how long quiet motion lasts."""

    grid: int
    radius: int
    rail: int
    side_panel: int
    font_small: int
    font: int
    font_large: int
    font_title: int
    motion_ms: int


class Type(_Strict):
    """Font families in order of preference."""

    family: str
    fallbacks: tuple[str, ...]
    mono: tuple[str, ...]


class TrackColours(_Strict):
    """The ten horse colours (names in words, ``#RRGGBB``) and the outline under all of them."""

    names: tuple[str, ...]
    hex: tuple[str, ...]
    outline: str


class OverlayColours(_Strict):
    """Everything drawn on pictures; the same in both looks."""

    default_box: str
    joint: str
    bone: str
    bone_halo: str
    joint_radius: int
    box_width: int
    subject: str
    on_light: str
    on_dark: str
    chip: str
    text: str
    muted: str
    live: str
    warning: str
    dim: str


class Colours(_Strict):
    """The named colours of one theme, ``#RRGGBB`` or ``#RRGGBBAA``."""

    background: str
    well: str
    surface: str
    raised: str
    hover: str
    line: str
    text: str
    muted: str
    faint: str
    accent: str
    accent_text: str
    accent_quiet: str
    information: str
    warning: str
    critical: str
    selection: str
    scrim: str


class TimelineColours(_Strict):
    """The lanes of one theme, ``#RRGGBB``: one colour a word, on ``ground``."""

    ground: str
    seen: str
    lying: str
    lateral: str
    changing: str
    resting: str
    standing: str
    grazing: str
    alert: str
    walking: str
    trot: str
    canter: str
    gallop: str
    rolling: str
    person: str
    recorded: str
    locked: str
    no_data: str
    information: str
    warning: str
    critical: str


class _TokenFile(_Strict):
    measures: Measures
    type: Type
    tracks: TrackColours
    overlay: OverlayColours
    dark: Colours
    light: Colours
    timeline_dark: TimelineColours
    timeline_light: TimelineColours


@dataclass(frozen=True)
class Theme:
    """One look: colours by name plus the measures both looks share."""

    name: ThemeName
    colours: Colours
    measures: Measures
    type: Type
    tracks: TrackColours
    overlay: OverlayColours
    timeline: TimelineColours

    def colour(self, name: str) -> QColor:
        """The QColor of a token name of ``Colours``."""
        return qcolor(getattr(self.colours, name))

    def overlay_colour(self, name: str) -> QColor:
        """The QColor of a token name of ``OverlayColours``."""
        return qcolor(getattr(self.overlay, name))

    def timeline_colour(self, name: str) -> QColor:
        """The QColor of a token name of ``TimelineColours``."""
        return qcolor(getattr(self.timeline, name))

    def track_colour(self, index: int) -> QColor:
        """The colour of a track, by its index (taken modulo ten)."""
        return qcolor(self.tracks.hex[index % len(self.tracks.hex)])

    def font(self, size_px: int | None = None, *, bold: bool = False) -> QFont:
        """The bundled face with tabular figures at a pixel size (13 by default)."""
        font = QFont([self.type.family, *self.type.fallbacks])
        font.setPixelSize(size_px or self.measures.font)
        font.setWeight(QFont.Weight.DemiBold if bold else QFont.Weight.Normal)
        font.setFeature(QFont.Tag("tnum"), 1)
        return font

    def stylesheet(self) -> str:
        """The Qt style sheet of this look."""
        text = (files("resources.style") / "console.qss").read_text(encoding="utf-8")
        sizes = {name: f"{value}px" for name, value in self.measures.model_dump().items()}
        colours = {name: _qss_colour(value) for name, value in self.colours.model_dump().items()}
        mono = ", ".join(f'"{family}"' for family in self.type.mono)
        icons = files("resources.icons")
        check = Path(str(icons / f"check-{self.name}.svg")).as_posix()
        down = Path(str(icons / f"down-{self.name}.svg")).as_posix()
        words = {"mono": mono, "check_icon": check, "down_icon": down}
        return Template(text).substitute(sizes | colours | words)


def qcolor(text: str) -> QColor:
    """A colour from ``#RRGGBB`` or ``#RRGGBBAA`` (Qt itself reads ``#AARRGGBB``)."""
    colour = QColor(text[:7])
    if len(text) == 9:
        colour.setAlpha(int(text[7:9], 16))
    return colour


def _qss_colour(text: str) -> str:
    colour = qcolor(text)
    if colour.alpha() == 255:
        return text
    return f"rgba({colour.red()}, {colour.green()}, {colour.blue()}, {colour.alpha()})"


@lru_cache(maxsize=2)
def load_theme(name: ThemeName = "dark") -> Theme:
    """The look of that name from the token file; raises on a damaged file (it ships with us)."""
    text = (files("resources.style") / "tokens.toml").read_text(encoding="utf-8")
    tokens = _TokenFile.model_validate(tomllib.loads(text))
    dark = name == "dark"
    return Theme(
        name,
        tokens.dark if dark else tokens.light,
        tokens.measures,
        tokens.type,
        tokens.tracks,
        tokens.overlay,
        tokens.timeline_dark if dark else tokens.timeline_light,
    )


def load_fonts() -> None:
    """Register the bundled faces with Qt, once per application."""
    for entry in sorted((files("resources.fonts")).iterdir(), key=lambda e: e.name):
        if entry.name.endswith((".otf", ".ttf")):
            QFontDatabase.addApplicationFontFromData(QByteArray(entry.read_bytes()))


def apply_theme(app: QApplication, theme: Theme) -> None:
    """Dress the whole application."""
    if app.style().name() != "fusion":
        app.setStyle("Fusion")
    app.setFont(theme.font())
    palette = QPalette()
    roles = {
        QPalette.ColorRole.Window: "background",
        QPalette.ColorRole.Base: "surface",
        QPalette.ColorRole.AlternateBase: "raised",
        QPalette.ColorRole.Button: "raised",
        QPalette.ColorRole.Text: "text",
        QPalette.ColorRole.WindowText: "text",
        QPalette.ColorRole.ButtonText: "text",
        QPalette.ColorRole.PlaceholderText: "faint",
        QPalette.ColorRole.Highlight: "selection",
        QPalette.ColorRole.HighlightedText: "text",
        QPalette.ColorRole.ToolTipBase: "raised",
        QPalette.ColorRole.ToolTipText: "text",
        QPalette.ColorRole.Link: "accent",
    }
    for role, token in roles.items():
        palette.setColor(role, theme.colour(token))
    for role in (QPalette.ColorRole.Text, QPalette.ColorRole.ButtonText):
        palette.setColor(QPalette.ColorGroup.Disabled, role, theme.colour("faint"))
    app.setPalette(palette)
    app.setStyleSheet(theme.stylesheet())


@lru_cache(maxsize=256)
def _svg(name: str) -> str:
    return (files("resources.icons") / f"{name}.svg").read_text(encoding="utf-8")


def icon_pixmap(name: str, colour: QColor, size_px: int, ratio: float = 1.0) -> QPixmap:
    """A line icon in one colour, ``size_px`` logical pixels square."""
    pixmap = QPixmap(round(size_px * ratio), round(size_px * ratio))
    pixmap.fill(Qt.GlobalColor.transparent)
    svg = _svg(name).replace("currentColor", colour.name())
    painter = QPainter(pixmap)
    renderer = QSvgRenderer(QByteArray(svg.encode()))
    renderer.render(painter, QRectF(0, 0, pixmap.width(), pixmap.height()))
    painter.end()
    pixmap.setDevicePixelRatio(ratio)
    return pixmap


def icon(name: str, theme: Theme, colour: str = "muted", on: str = "accent") -> QIcon:
    """A QIcon of a line icon: ``colour`` when off, ``on`` when checked, faint when disabled."""
    result = QIcon()
    states = (
        (QIcon.Mode.Normal, QIcon.State.Off, colour),
        (QIcon.Mode.Active, QIcon.State.Off, "text" if colour == "muted" else colour),
        (QIcon.Mode.Normal, QIcon.State.On, on),
        (QIcon.Mode.Active, QIcon.State.On, on),
        (QIcon.Mode.Disabled, QIcon.State.Off, "faint"),
        (QIcon.Mode.Disabled, QIcon.State.On, "faint"),
    )
    for mode, state, token in states:
        for size_px in ICON_SIZES_PX:
            for ratio in (1.0, 2.0):
                pixmap = icon_pixmap(name, theme.colour(token), size_px, ratio)
                result.addPixmap(pixmap, mode, state)
    return result
