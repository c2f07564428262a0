"""Fields for numbers and times that look like the other fields."""

from __future__ import annotations

from typing import TypeVar

from PySide6.QtWidgets import QAbstractSpinBox

INSET_PX = 8
Field = TypeVar("Field", bound=QAbstractSpinBox)


def inset(field: Field) -> Field:
    """Move the text in from the edge: style sheets do not reach the text of these fields."""
    field.lineEdit().setTextMargins(INSET_PX, 0, 0, 0)
    return field
