"""Cursors of pages that go on after a text."""

from __future__ import annotations

from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.schemas import decode_cursor


def text_position(cursor: str | None) -> str:
    """The text a page goes on after, empty for the first page; Problem 422 for a cursor that is
    none of ours."""
    try:
        return "" if cursor is None else decode_cursor(cursor)
    except ValueError:
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.") from None
