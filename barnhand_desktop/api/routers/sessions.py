"""Sessions: videos and stretches of recordings analysed as the work of one horse."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated
from uuid import UUID, uuid4

from fastapi import Header, Query, Request
from starlette.concurrency import run_in_threadpool

from barnhand_desktop.api import session_schemas as bodies
from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.file_answers import FileAnswer
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.ownership import own_horse, own_stream
from barnhand_desktop.api.paging import text_position
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.schemas import Page, UtcInstant, encode_cursor
from barnhand_desktop.api.services import Services
from barnhand_desktop.api.session_uploads import (
    ReceivedVideo,
    ending_of,
    keep,
    make_room,
    received_video,
)
from barnhand_desktop.exports.names import slug
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import NotFound
from engine.domain.ids import FarmId, HorseId, StreamId
from engine.domain.sessions import (
    LONGEST_STRETCH_S,
    Session,
    SessionId,
    SessionMode,
    SessionSource,
    SessionState,
)
from engine.sessions.comparison import compare
from engine.sessions.layout import ENDINGS, remove_files

MEDIA_TYPES = tuple(dict.fromkeys(ENDINGS.values()))


def list_sessions(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    horse_id: UUID | None = None,
    start_time: UtcInstant | None = None,
    end_time: UtcInstant | None = None,
    state: SessionState | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
    cursor: Annotated[str | None, Query(max_length=200)] = None,
) -> Page[bodies.SessionOut]:
    """Sessions that began in the interval, newest first."""
    farm = own_farm(services, caller, farm_id)
    horse = None if horse_id is None else own_horse(services, caller, horse_id)
    after = _after(services, caller, cursor)
    found = services.sessions.sessions.list(
        farm, horse, start_time, end_time, () if state is None else (state,), limit + 1, after
    )
    more = len(found) > limit
    return Page(
        items=[bodies.session_out(session) for session in found[:limit]],
        next_cursor=encode_cursor(str(found[limit - 1].id)) if more else None,
    )


def add_session(
    body: bodies.NewSession, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.SessionOut:
    """A session of recordings: a stretch is queued for analysis at once, a live one begins now."""
    streams = tuple(StreamId(one) for one in dict.fromkeys(body.stream_ids))
    for stream_id in streams:
        own_stream(services, caller, stream_id)
    now = services.clock.now()
    start, end = body.start_time or now, body.end_time
    if end is not None and (end - start).total_seconds() > LONGEST_STRETCH_S:
        raise Problem(422, "time_refused", "A session is at most 12 hours long.")
    live = body.source == "live"
    session = Session(
        id=SessionId(uuid4()),
        farm_id=_farm(services, caller, body.farm_id),
        title=body.title,
        kind=body.kind,
        source=SessionSource.LIVE if live else SessionSource.STRETCH,
        mode=SessionMode.TRAINING,
        state=SessionState.OPEN if live else SessionState.QUEUED,
        start_at=start,
        created_by=caller.username,
        created_at=now,
        end_at=end,
        horse_id=_horse(services, caller, body.horse_id),
        stream_ids=streams,
        note=body.note,
    )
    stored = services.sessions.sessions.add(session)
    details = {"title": stored.title, "source": stored.source.value}
    services.audit.record(caller, "session.add", "session", stored.id, address, details)
    if not live:
        stored = services.sessions.analyse(stored, caller.username)
    return bodies.session_out(stored)


async def upload_session(
    request: Request, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.SessionOut:
    """A session of a video: a form with the JSON part ``description`` and the part ``file``. It is
    queued for analysis at once; a file that is no video fails there, with the reason."""
    desk = services.sessions
    media = await run_in_threadpool(desk.folder_for_uploads)
    folder = await run_in_threadpool(make_room, request, media, desk.limit_bytes)
    async with received_video(request, folder, desk.limit_bytes) as upload:
        return await run_in_threadpool(_take_in, upload, caller, services, address)


def get_session(session_id: UUID, caller: CallerHere, services: ServicesHere) -> bodies.SessionOut:
    """One session, with where its analysis stands."""
    return bodies.session_out(own_session(services, caller, session_id))


def change_session(
    session_id: UUID,
    body: bodies.SessionChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> bodies.SessionOut:
    """Change what is said of a session. A null ``horse_id`` that is sent takes the horse away."""
    session = own_session(services, caller, session_id)
    said = body.model_dump(exclude={"version", "horse_id"}, exclude_none=True)
    changed = replace(session, version=body.version, **said)
    if "horse_id" in body.model_fields_set:
        if body.horse_id is None and session.state is SessionState.OPEN:
            raise Problem(422, "refused", "A live session needs its horse.")
        changed = replace(changed, horse_id=_horse(services, caller, body.horse_id))
    stored = services.sessions.sessions.update(changed)
    details = {name: str(value) for name, value in said.items() if name != "note"}
    services.audit.record(caller, "session.change", "session", stored.id, address, details)
    return bodies.session_out(stored)


def remove_session(
    session_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove a session with its video, report and figures; its analysis is cancelled. A locked one
    stays."""
    session = own_session(services, caller, session_id)
    services.sessions.remove(session, caller.username)
    services.audit.record(
        caller, "session.remove", "session", session.id, address, {"title": session.title}
    )


def stop_session(
    session_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.SessionStopped:
    """End a live session: what the live analysis says of it now; its recordings are analysed."""
    session = own_session(services, caller, session_id)
    stopped = services.sessions.stop(session, services.clock.now(), caller.username)
    services.audit.record(caller, "session.stop", "session", stopped.id, address)
    summary = services.sessions.sessions.metrics(stopped.id)
    return bodies.SessionStopped(
        session=bodies.session_out(stopped),
        summary=None if summary is None else bodies.metrics_out(summary),
    )


def analyse_session(
    session_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> bodies.SessionOut:
    """Analyse a session again; what was found stays until it is done."""
    session = own_session(services, caller, session_id)
    queued = services.sessions.analyse(session, caller.username)
    services.audit.record(caller, "session.analyse", "session", session.id, address)
    return bodies.session_out(queued)


def session_metrics(
    session_id: UUID, caller: CallerHere, services: ServicesHere
) -> bodies.SessionMetricsOut:
    """The figures of a session: of a live one, as the live analysis has them up to now."""
    session = own_session(services, caller, session_id)
    desk = services.sessions
    if session.state is SessionState.OPEN:
        found = desk.so_far(session, services.clock.now())
    else:
        found = desk.sessions.metrics(session.id)
    if found is None:
        raise Problem(404, "not_found", "Nothing was found yet.")
    return bodies.metrics_out(found)


def session_strides(
    session_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    limit: Annotated[int, Query(ge=1, le=20_000)] = 10_000,
) -> bodies.SessionStrides:
    """The stride table, by time; empty once the session is archived."""
    session = own_session(services, caller, session_id)
    found = services.sessions.sessions.strides(session.id, limit)
    return bodies.SessionStrides(
        session_id=session.id, strides=[bodies.stride_out(stride) for stride in found]
    )


def session_heat_map(
    session_id: UUID, caller: CallerHere, services: ServicesHere
) -> bodies.HeatMaps:
    """Where the horse was, seconds by cell, one map a camera."""
    session = own_session(services, caller, session_id)
    found = services.sessions.sessions.heat_maps(session.id)
    return bodies.HeatMaps(session_id=session.id, maps=[bodies.heat_map_out(one) for one in found])


def session_report(
    session_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> FileAnswer:
    """The report as PDF. Who took it is recorded."""
    session = own_session(services, caller, session_id)
    file = services.sessions.file(session, session.report)
    services.audit.record(caller, "session.report", "session", session.id, address)
    name = f"{slug(session.title)}_{session.start_at:%Y%m%d}.pdf"
    return FileAnswer(file, media_type="application/pdf", filename=name)


def session_video(
    session_id: UUID,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
    range_: Annotated[str | None, Header(alias="Range")] = None,
) -> FileAnswer:
    """The video that was uploaded; byte ranges are answered. Who took it is recorded."""
    session = own_session(services, caller, session_id)
    file = services.sessions.file(session, session.video)
    if range_ is None or range_.replace(" ", "").startswith("bytes=0-"):
        services.audit.record(
            caller, "session.download", "session", session.id, address, {"sha256": session.sha256}
        )
    name = f"{slug(session.title)}_{session.start_at:%Y%m%d}{file.suffix}"
    return FileAnswer(file, media_type=ENDINGS[file.suffix], filename=name)


def compare_sessions(
    a: UUID, b: UUID, caller: CallerHere, services: ServicesHere
) -> bodies.ComparisonOut:
    """Two sessions side by side: b minus a, with a verdict only where both have enough strides."""
    stored = services.sessions.sessions
    found = [stored.metrics(own_session(services, caller, one).id) for one in (a, b)]
    if found[0] is None or found[1] is None:
        raise Problem(404, "not_found", "Nothing was found in one of them yet.")
    return bodies.comparison_out(compare(found[0], found[1]))


def own_session(services: Services, caller: Caller, session_id: UUID) -> Session:
    """The session if it is of the caller's farm; Problem 404 otherwise."""
    try:
        session = services.sessions.sessions.get(SessionId(session_id))
    except NotFound:
        raise Problem(404, "not_found", "There is no such session.") from None
    if caller.farm_id is not None and session.farm_id != caller.farm_id:
        raise Problem(404, "not_found", "There is no such session.")
    return session


# --- inside --------------------------------------------------------------------------------------


def _take_in(
    upload: ReceivedVideo, caller: Caller, services: Services, address: str
) -> bodies.SessionOut:
    said, desk, now = upload.description, services.sessions, services.clock.now()
    ending = ending_of(upload.file_name)
    if upload.size_bytes == 0:
        raise Problem(422, "session_file_type", "The file is empty.")
    camera = own_stream(services, caller, said.stream_id)
    session = Session(
        id=SessionId(uuid4()),
        farm_id=_farm(services, caller, said.farm_id),
        title=said.title,
        kind=said.kind,
        source=SessionSource.UPLOAD,
        mode=said.mode,
        state=SessionState.QUEUED,
        start_at=said.recorded_at or now,
        created_by=caller.username,
        created_at=now,
        horse_id=_horse(services, caller, said.horse_id),
        stream_ids=() if camera is None else (camera,),
        note=said.note,
        video_name=f"{slug(upload.file_name.rpartition('.')[0])}{ending}",
    )
    media = desk.folder()
    path = keep(upload, media, session.id, ending)
    kept = replace(session, video=path, size_bytes=upload.size_bytes, sha256=upload.sha256)
    try:
        stored = desk.sessions.add(kept)
    except BaseException:
        remove_files(media, session.id)
        raise
    details = {"title": stored.title, "sha256": stored.sha256, "size_bytes": stored.size_bytes}
    services.audit.record(caller, "session.upload", "session", stored.id, address, details)
    return bodies.session_out(desk.analyse(stored, caller.username))


def _farm(services: Services, caller: Caller, farm_id: UUID | None) -> FarmId:
    return FarmId(own_farm(services, caller, farm_id) or DEFAULT_FARM)


def _horse(services: Services, caller: Caller, horse_id: UUID | None) -> HorseId | None:
    return None if horse_id is None else own_horse(services, caller, horse_id)


def _after(services: Services, caller: Caller, cursor: str | None) -> SessionId | None:
    text = text_position(cursor)
    if not text:
        return None
    try:
        return own_session(services, caller, UUID(text)).id
    except ValueError:
        raise Problem(422, "cursor_refused", "The cursor is not one of ours.") from None
