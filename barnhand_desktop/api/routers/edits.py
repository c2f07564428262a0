"""Edits of what was detected in a recording: preview, apply, history, undo."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from barnhand_desktop.api import job_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere
from barnhand_desktop.api.ownership import own_horse
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.routers.chunks import own_chunk
from barnhand_desktop.api.schemas import Page
from barnhand_desktop.api.services import Services
from engine.domain.errors import NotFound
from engine.domain.recording import Edit, EditId


def list_edits(chunk_id: UUID, caller: CallerHere, services: ServicesHere) -> Page[bodies.EditOut]:
    """Edits of a recording, newest first, undone ones included."""
    chunk = own_chunk(services, caller, chunk_id)
    history = services.background.edits.history(chunk.id)
    return Page(items=[bodies.edit_out(record) for record in history])


def preview_edits(
    chunk_id: UUID, body: bodies.EditsPreview, caller: CallerHere, services: ServicesHere
) -> bodies.EditEffectOut:
    """What edits would change; nothing is changed."""
    chunk = own_chunk(services, caller, chunk_id)
    effect = services.background.edits.preview(chunk.id, _edits(services, caller, body.edits))
    return bodies.EditEffectOut(
        detections=effect.detections,
        tracks=effect.tracks,
        horses=effect.horses,
        refused=dict(effect.refused),
    )


def apply_edits(
    chunk_id: UUID,
    body: bodies.EditsIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.EditOut:
    """Do all edits, or none and say why."""
    chunk = own_chunk(services, caller, chunk_id)
    record = services.background.edits.apply(
        chunk.id, _edits(services, caller, body.edits), caller.username, body.reason
    )
    details = {"edit": str(record.id), "summary": record.summary}
    services.audit.record(caller, "chunk.edit", "chunk", chunk.id, address, details)
    return bodies.edit_out(record)


def undo_edits(
    chunk_id: UUID,
    body: bodies.EditUndo,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.EditOut:
    """Put everything back as it was before an edit."""
    chunk = own_chunk(services, caller, chunk_id)
    edits, edit_id = services.background.edits, EditId(body.edit_id)
    try:
        known = edits.chunk_of(edit_id) == chunk.id
    except NotFound:
        known = False
    if not known:
        raise Problem(404, "not_found", "This recording has no such edit.")
    record = edits.undo(edit_id, caller.username)
    details = {"edit": str(record.id), "summary": record.summary}
    services.audit.record(caller, "chunk.edit.undo", "chunk", chunk.id, address, details)
    return bodies.edit_out(record)


def _edits(services: Services, caller: Caller, given: Sequence[bodies.EditIn]) -> list[Edit]:
    """The edits meant; every horse they name must be the caller's."""
    edits: list[Edit] = []
    for horse_id in {one.horse_id for one in given if one.horse_id is not None}:
        own_horse(services, caller, horse_id)
    for index, one in enumerate(given):
        try:
            edits.append(one.as_edit())
        except ValueError as error:
            raise Problem(422, "validation_failed", f"edits.{index}: {error}.") from None
    return edits
