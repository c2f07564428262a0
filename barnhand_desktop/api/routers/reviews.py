"""What the engine is not sure of, for a person to decide."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api import identity_schemas as bodies
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_review
from barnhand_desktop.api.routers.tracking import command_out
from barnhand_desktop.api.schemas import Page
from engine.domain.identity import Review, ReviewId


def list_reviews(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 50,
) -> Page[bodies.ReviewOut]:
    """Open questions, those put off last."""
    found = services.identity.reviews(own_farm(services, caller, farm_id), limit)
    return Page(items=[_out(review) for review in found])


def decide(
    review_id: UUID,
    body: bodies.VerdictIn,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.VerdictOut:
    """Answer one: same, different, or later."""
    own_review(services, caller, review_id)
    record = services.identity.decide(ReviewId(review_id), body.verdict, caller.username)
    services.audit.record(
        caller, "tracking.review", "review", review_id, address, {"verdict": body.verdict.value}
    )
    if record is not None:
        services.announcer.corrected(record, "applied")
    return bodies.VerdictOut(command=None if record is None else command_out(record))


def _out(review: Review) -> bodies.ReviewOut:
    return bodies.ReviewOut(
        id=review.id,
        kind=review.kind.value,
        track_id=review.track_id,
        other_track_id=review.other_track_id,
        horse_id=review.horse_id,
        similarity=review.similarity,
        at=review.at,
        stream_id=review.stream_id,
        deferred=review.deferred,
    )
