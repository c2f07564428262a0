"""Exports: asked for as jobs, downloaded when they are done."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Annotated
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.file_answers import FileAnswer
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.job_schemas import ExportIn, JobOut, job_out
from barnhand_desktop.api.ownership import own_horse, own_stream
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.routers.jobs import own_job
from barnhand_desktop.api.schemas import Page
from barnhand_desktop.api.services import Services
from barnhand_desktop.exports.names import export_file
from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import NotFound
from engine.domain.ids import HorseId, StreamId
from engine.domain.job_arguments import export_arguments
from engine.domain.recording import ExportRequest, Job, JobKind, JobState

_TYPES = {
    ".mp4": "video/mp4",
    ".csv": "text/csv; charset=utf-8",
    ".json": "application/json",
    ".pdf": "application/pdf",
    ".zip": "application/zip",
    ".parquet": "application/vnd.apache.parquet",
}
MEDIA_TYPES = (*_TYPES.values(), "application/octet-stream")
_LOOKED_AT = 1000


def add_export(
    body: ExportIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> JobOut:
    """Queue an export; answers with its job. Everything it names is checked now."""
    farm = own_farm(services, caller, body.farm_id) or DEFAULT_FARM
    for stream_id in body.stream_ids:
        own_stream(services, caller, stream_id)
    horse = None if body.horse_id is None else own_horse(services, caller, body.horse_id)
    request = ExportRequest(
        body.kind,
        body.start_time,
        body.end_time,
        tuple(StreamId(one) for one in body.stream_ids),
        None if horse is None else HorseId(horse),
        body.overlays,
        tuple(body.tables),
        body.file_name,
    )
    services.background.rows.scope(
        farm, request.stream_ids, request.horse_id, request.start_at, request.end_at
    )
    title = f"Export ({body.kind.value}) of {body.start_time:%Y-%m-%d %H:%M:%S} UTC"
    arguments = export_arguments(request)
    job = services.background.jobs.submit(JobKind.EXPORT, title, arguments, caller.username, farm)
    services.audit.record(caller, "export.ask", "export", job.id, address, arguments)
    return job_out(job)


def list_exports(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    limit: Annotated[int, Query(ge=1, le=500)] = 100,
) -> Page[JobOut]:
    """The newest exports of the caller's farm, newest first, those still in work included."""
    farm = own_farm(services, caller, farm_id)
    jobs = services.background.jobs.list(farm, limit=_LOOKED_AT, kinds=(JobKind.EXPORT,))
    return Page(items=[job_out(job) for job in jobs[:limit]])


def get_export(export_id: UUID, caller: CallerHere, services: ServicesHere) -> JobOut:
    """One export: how far it is, and what it made."""
    return job_out(_own_export(services, caller, export_id))


def remove_export(
    export_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove the file of an export that is over, and its job. Where another workstation has the
    file it is removed there."""
    job = _own_export(services, caller, export_id)
    if job.state in (JobState.QUEUED, JobState.RUNNING):
        raise Problem(409, "export_running", "The export is still being made; cancel its job.")
    if job.result.get("path") is not None:
        elsewhere = services.whereabouts.job(job.id)
        if elsewhere is not None:
            raise elsewhere
        with contextlib.suppress(NotFound, Problem, OSError):
            _file(services, job).unlink()
    services.background.jobs.forget(job.id)
    services.audit.record(
        caller, "export.remove", "export", job.id, address, {"sha256": job.result.get("sha256")}
    )


def _own_export(services: Services, caller: Caller, export_id: UUID) -> Job:
    job = own_job(services, caller, export_id)
    if job.kind is not JobKind.EXPORT:
        raise Problem(404, "not_found", "There is no such export.")
    return job


def _file(services: Services, job: Job) -> Path:
    """What an export made. Problem 404 where it is gone, 409 where another workstation has it."""
    media = services.config.media_root
    try:
        if media is None:
            raise NotFound("This server keeps no exports.")
        return export_file(media, job.result.get("path"))
    except NotFound as missing:
        gone = Problem(404, "not_found", str(missing))
        raise services.whereabouts.job(job.id) or gone from None


def download(
    export_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> FileAnswer:
    """The file of an export that is done. Who took it is recorded."""
    job = _own_export(services, caller, export_id)
    if job.state is not JobState.DONE:
        raise Problem(404, "not_found", "There is no such export, or it is not done.")
    file = _file(services, job)
    services.audit.record(
        caller, "export.download", "export", job.id, address, {"sha256": job.result.get("sha256")}
    )
    return FileAnswer(
        file,
        media_type=_TYPES.get(file.suffix, "application/octet-stream"),
        filename=str(job.result.get("name") or file.name),
    )
