"""Background jobs: list, one, cancel; and analysing a recording again."""

from __future__ import annotations

from typing import Annotated
from uuid import UUID

from fastapi import Query

from barnhand_desktop.api.access import Caller
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.job_schemas import JobOut, job_out
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.routers.chunks import own_chunk
from barnhand_desktop.api.schemas import Page
from barnhand_desktop.api.services import Services
from engine.domain.errors import NotFound
from engine.domain.recording import Job, JobId, JobKind, JobState


def list_jobs(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    active_only: bool = False,
    kind: Annotated[list[JobKind] | None, Query(max_length=len(JobKind))] = None,
    state: Annotated[list[JobState] | None, Query(max_length=len(JobState))] = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
) -> Page[JobOut]:
    """The newest jobs of the caller's farm, newest first; of these kinds and in these states where
    any are named (each as often as wanted)."""
    farm = own_farm(services, caller, farm_id)
    found = services.background.jobs.list(
        farm, active_only, limit, kind or tuple(JobKind), state or tuple(JobState)
    )
    return Page(items=[job_out(job) for job in found])


def get_job(job_id: UUID, caller: CallerHere, services: ServicesHere) -> JobOut:
    """One job."""
    return job_out(own_job(services, caller, job_id))


def cancel_job(
    job_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> JobOut:
    """End a job: a queued one at once, a running one soon; one that is over stays as it is."""
    job = own_job(services, caller, job_id)
    cancelled = services.background.jobs.cancel(job.id, caller.username)
    services.audit.record(caller, "job.cancel", "job", job.id, address, {"title": job.title})
    return job_out(cancelled)


def reprocess(
    chunk_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> JobOut:
    """Analyse a recording again, every picture, with people's edits; answers with the job."""
    chunk = own_chunk(services, caller, chunk_id)
    job = services.background.jobs.submit(
        JobKind.REANALYSE,
        f"Analysis of {chunk.start_at:%Y-%m-%d %H:%M:%S} UTC again",
        {"chunk_id": str(chunk.id)},
        caller.username,
        services.background.farm_of(chunk.stream_id),
    )
    services.audit.record(
        caller, "chunk.reprocess", "chunk", chunk.id, address, {"job": str(job.id)}
    )
    return job_out(job)


def own_job(services: Services, caller: Caller, job_id: UUID) -> Job:
    """The job if it is of the caller's farm; Problem 404 otherwise."""
    try:
        job = services.background.jobs.get(JobId(job_id))
    except NotFound:
        raise Problem(404, "not_found", "There is no such job.") from None
    if caller.farm_id is not None and job.farm_id != caller.farm_id:
        raise Problem(404, "not_found", "There is no such job.")
    return job
