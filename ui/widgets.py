"""Small building blocks the console's pages share: labelled text, lines, icon buttons."""

from __future__ import annotations

from PySide6.QtCore import QLocale, QSize, Qt
from PySide6.QtGui import QAction, QFontMetricsF
from PySide6.QtWidgets import (
    QFrame,
    QLabel,
    QPushButton,
    QScrollArea,
    QSizePolicy,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ui.theme import Theme, icon, icon_pixmap


def label(text: str = "", role: str = "", *, wrap: bool = False) -> QLabel:
    """Plain text in one of the style sheet's roles (muted, small, strong, large, title, ...)."""
    result = QLabel(text)
    result.setTextFormat(Qt.TextFormat.PlainText)
    result.setWordWrap(wrap)
    if role:
        result.setProperty("role", role)
    return result


def line(upright: bool = False) -> QFrame:
    """A hairline between parts."""
    result = QFrame()
    result.setProperty("role", "upright" if upright else "line")
    return result


def button(text: str, role: str = "") -> QPushButton:
    """A push button; roles: primary, link, danger."""
    result = QPushButton(text)
    if role:
        result.setProperty("role", role)
    if role == "link":
        result.setCursor(Qt.CursorShape.PointingHandCursor)
    result.setAutoDefault(False)
    return result


def tool(action: QAction, size_px: int = 20, *, text: bool = False) -> QToolButton:
    """A tool button for an action, icon only unless ``text``."""
    result = QToolButton()
    result.setDefaultAction(action)
    result.setIconSize(QSize(size_px, size_px))
    style = Qt.ToolButtonStyle.ToolButtonTextBesideIcon if text else None
    result.setToolButtonStyle(style or Qt.ToolButtonStyle.ToolButtonIconOnly)
    result.setFocusPolicy(Qt.FocusPolicy.TabFocus)
    result.setAccessibleName(action.text())
    return result


def icon_button(name: str, theme: Theme, tip: str) -> QToolButton:
    """A tool button with an icon and a tooltip."""
    result = QToolButton()
    result.setIcon(icon(name, theme))
    result.setIconSize(QSize(16, 16))
    result.setToolTip(tip)
    result.setAccessibleName(tip)
    return result


def weekday_chip(day: int) -> QToolButton:
    """A chip to switch a weekday on and off, 0 Monday; on at first."""
    result = QToolButton()
    result.setText(QLocale().dayName(day + 1, QLocale.FormatType.ShortFormat))
    result.setAccessibleName(QLocale().dayName(day + 1))
    result.setProperty("role", "chip")
    result.setCheckable(True)
    result.setChecked(True)
    return result


def icon_label(name: str, theme: Theme, colour: str, size_px: int = 16) -> QLabel:
    """An icon that only shows something."""
    result = QLabel()
    set_icon(result, name, theme, colour, size_px)
    return result


def set_icon(target: QLabel, name: str, theme: Theme, colour: str, size_px: int = 16) -> None:
    """Show a line icon on a label."""
    ratio = target.devicePixelRatioF()
    target.setPixmap(icon_pixmap(name, theme.colour(colour), size_px, ratio))
    target.setFixedSize(size_px, size_px)


def steady(target: QLabel, widest: str) -> QLabel:
    """Reserve the width of ``widest`` so that changing numbers never move what is beside them."""
    metrics = QFontMetricsF(target.font())
    target.setMinimumWidth(round(metrics.horizontalAdvance(widest)) + 2)
    return target


def spacer() -> QWidget:
    """Takes all the room that is left in a row."""
    result = QWidget()
    result.setSizePolicy(QSizePolicy.Policy.Expanding, QSizePolicy.Policy.Preferred)
    result.setAttribute(Qt.WidgetAttribute.WA_TransparentForMouseEvents)
    return result


def headed_column(page: QWidget, title: str, words: str) -> QVBoxLayout:
    """The column of a page: its title, a sentence about it and a line below them."""
    column = QVBoxLayout(page)
    column.setContentsMargins(24, 20, 24, 20)
    column.setSpacing(8)
    column.addWidget(label(title, "title"))
    column.addWidget(label(words, "muted", wrap=True))
    column.addSpacing(8)
    column.addWidget(line())
    return column


def scroll(content: QWidget) -> QScrollArea:
    """A frameless scroll area that follows its content's width."""
    result = QScrollArea()
    result.setWidget(content)
    result.setWidgetResizable(True)
    result.setHorizontalScrollBarPolicy(Qt.ScrollBarPolicy.ScrollBarAlwaysOff)
    result.setFocusPolicy(Qt.FocusPolicy.NoFocus)
    return result


def restyle(target: QWidget, name: str, value: object) -> None:
    """Set a dynamic property and let the style sheet see it."""
    if target.property(name) == value:
        return
    target.setProperty(name, value)
    target.style().unpolish(target)
    target.style().polish(target)
