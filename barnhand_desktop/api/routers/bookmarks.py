"""Bookmarks: stretches of time to find again, and the recordings they keep."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Query

from barnhand_desktop.api import job_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_horse, own_stream
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.schemas import Page, UtcInstant
from barnhand_desktop.api.services import Services
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId, StreamId
from engine.domain.recording import Bookmark, BookmarkId


def list_bookmarks(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    start_time: UtcInstant | None = None,
    end_time: UtcInstant | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 500,
) -> Page[bodies.BookmarkOut]:
    """Bookmarks that reach into the interval, newest first."""
    farm = own_farm(services, caller, farm_id)
    found = services.background.bookmarks.list(farm, start_time, end_time, limit)
    return Page(items=[bodies.bookmark_out(bookmark) for bookmark in found])


def add_bookmark(
    body: bodies.NewBookmark, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.BookmarkOut:
    """Make a bookmark."""
    farm = own_farm(services, caller, body.farm_id) or DEFAULT_FARM
    made = _bookmark(body, caller, services, BookmarkId(uuid4()), FarmId(farm))
    return _saved(made, "bookmark.add", caller, services, address)


def get_bookmark(
    bookmark_id: UUID, caller: CallerHere, services: ServicesHere
) -> bodies.BookmarkOut:
    """One bookmark."""
    return bodies.bookmark_out(_own(services, caller, bookmark_id))


def change_bookmark(
    bookmark_id: UUID,
    body: bodies.BookmarkIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.BookmarkOut:
    """Change a bookmark; who made it stays."""
    before = _own(services, caller, bookmark_id)
    changed = _bookmark(body, caller, services, before.id, before.farm_id)
    return _saved(changed, "bookmark.change", caller, services, address)


def remove_bookmark(
    bookmark_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove a bookmark; recordings that nothing else keeps may go with age."""
    bookmark = _own(services, caller, bookmark_id)
    services.background.bookmarks.remove(bookmark.id)
    services.audit.record(
        caller, "bookmark.remove", "bookmark", bookmark.id, address, {"title": bookmark.title}
    )


def _bookmark(
    body: bodies.BookmarkIn, caller: Caller, services: Services, bookmark_id: BookmarkId,
    farm_id: FarmId,
) -> Bookmark:  # fmt: skip
    for stream_id in body.stream_ids:
        own_stream(services, caller, stream_id)
    horse = None if body.horse_id is None else own_horse(services, caller, body.horse_id)
    return Bookmark(
        bookmark_id,
        farm_id,
        body.title,
        body.start_time,
        body.end_time,
        caller.username,
        services.clock.now(),
        tuple(StreamId(one) for one in body.stream_ids),
        horse,
        body.note,
        body.locked,
    )


def _saved(
    bookmark: Bookmark, action: str, caller: Caller, services: Services, address: str
) -> bodies.BookmarkOut:
    services.background.bookmarks.save(bookmark)
    details = {"title": bookmark.title, "locked": bookmark.locked}
    services.audit.record(caller, action, "bookmark", bookmark.id, address, details)
    return bodies.bookmark_out(services.background.bookmarks.get(bookmark.id))


def _own(services: Services, caller: Caller, bookmark_id: UUID) -> Bookmark:
    try:
        bookmark = services.background.bookmarks.get(BookmarkId(bookmark_id))
    except NotFound:
        raise Problem(404, "not_found", "There is no such bookmark.") from None
    if caller.farm_id is not None and bookmark.farm_id != caller.farm_id:
        raise Problem(404, "not_found", "There is no such bookmark.")
    return bookmark
