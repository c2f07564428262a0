"""Lists that come in pages, as one iterator.

::

    for detection in barn.detections.list(stream_id=stream.id):   # fetches page by page
        ...
    newest = list(islice(barn.chunks.list(), 20))
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

from pydantic import BaseModel

AnswerT = TypeVar("AnswerT", bound=BaseModel)


class PageOf(BaseModel):
    """One page as it comes; its items are read by ``each``."""

    items: list[dict[str, Any]]
    next_cursor: str | None = None


def each(fetch: Callable[[str | None], PageOf], kind: type[AnswerT]) -> Iterator[AnswerT]:
    """Every item of every page; the next page is fetched when the last item of one was taken."""
    cursor: str | None = None
    while True:
        page = fetch(cursor)
        for item in page.items:
            yield kind.model_validate(item)
        if page.next_cursor is None:
            return
        cursor = page.next_cursor
