"""Cursors of pages that go on after a text or an id."""

from __future__ import annotations

from uuid import UUID

from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.schemas import decode_cursor


def id_position(cursor: str | None) -> UUID | None:
    """The object a page goes on after, None for the first page; Problem 422 as below."""
    text = text_position(cursor)
    try:
        return UUID(text) if text else None
    except ValueError:
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.") from None


def text_position(cursor: str | None) -> str:
    """The text a page goes on after, empty for the first page; Problem 422 for a cursor that is
    none of ours."""
    try:
        return "" if cursor is None else decode_cursor(cursor)
    except ValueError:
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.") from None
