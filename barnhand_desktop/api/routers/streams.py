"""Streams: list, make, change, remove, start, stop, status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType
from typing import Annotated, Literal
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Query
from pydantic import SecretStr

from barnhand_desktop.api import schemas
from barnhand_desktop.api.addresses import (
    AddressRefused,
    CameraAddress,
    check_address,
    masked,
    same_place,
)
from barnhand_desktop.api.guard import AddressHere, CallerHere, ServicesHere, own_farm
from barnhand_desktop.api.paging import text_position
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.services import Services
from barnhand_desktop.api.stream_states import LiveStateUnavailable
from engine.domain.commands import EngineCommand, StartStream, StopStream, StreamsChanged
from engine.domain.ids import StreamId, new_stream_id
from engine.domain.networks import PINNED
from engine.domain.push import new_push_key, read_push_address, require_push_key
from engine.domain.streams import SourceKind, Stream, StreamState


def list_streams(
    caller: CallerHere,
    services: ServicesHere,
    farm_id: UUID | None = None,
    status: StreamState | Literal["unknown"] | None = None,
    limit: Annotated[int, Query(ge=1, le=1000)] = 100,
    cursor: Annotated[str | None, Query(max_length=500)] = None,
) -> schemas.Page[schemas.StreamOut]:
    """The streams the caller sees, by name, with their status where the engine tells it."""
    wanted_farm = own_farm(services, caller, farm_id)
    after = text_position(cursor)
    visible = services.visible_to(caller)
    streams = sorted(
        (
            stream
            for stream in services.streams.list(wanted_farm)
            if stream.id in visible and _place(stream) > after
        ),
        key=_place,
    )
    statuses = _statuses(services, streams, required=status is not None)
    if status is not None:
        streams = [stream for stream in streams if statuses[stream.id].state == status]
    return schemas.Page(
        items=[_out(stream, statuses.get(stream.id)) for stream in streams[:limit]],
        next_cursor=(
            schemas.encode_cursor(_place(streams[limit - 1])) if len(streams) > limit else None
        ),
    )


def add_stream(
    body: schemas.StreamIn, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> schemas.StreamChanged:
    """Make a stream. The address is checked; credentials in it are split off. For a camera that is
    to push (``rtmp-listen:``) a port and a stream key are chosen where none are given."""
    checked = check_address(body.address, services.address_rules)
    farm_id = own_farm(services, caller, body.farm_id)
    password = body.password.get_secret_value() or checked.password
    made_key = None
    if checked.kind is SourceKind.RTMP_PUSH:
        checked = _at_free_port(body.address, checked, services)
        made_key = None if password else new_push_key()
        password = made_key or require_push_key(password)
    stream = services.streams.add(
        Stream(
            id=new_stream_id(),
            name=body.name,
            kind=checked.kind,
            address=checked.address,
            username=body.username.get_secret_value() or checked.username,
            password=password,
            enabled=body.enabled,
            analysis_fps=body.analysis_fps,
            confidence=body.confidence,
            loop=body.loop,
            realtime=body.realtime,
            extra=_extra({}, checked, body.record),
        ),
        farm_id,
    )
    services.audit.record(caller, "stream.add", "stream", stream.id, address, _audited(stream))
    return _changed(services, stream, made_key)


def get_stream(stream_id: UUID, caller: CallerHere, services: ServicesHere) -> schemas.StreamOut:
    """One stream."""
    stream = services.streams.get(StreamId(stream_id))
    statuses = _statuses(services, [stream], required=False)
    return _out(stream, statuses.get(stream.id))


def change_stream(
    stream_id: UUID,
    body: schemas.StreamChange,
    caller: CallerHere,
    services: ServicesHere,
    address: AddressHere,
) -> schemas.StreamChanged:
    """Change a stream. An address as it was answered keeps what was masked in it."""
    stored = services.streams.get(StreamId(stream_id))
    checked = _readdressed(stored, body.address, services)
    if checked.kind is SourceKind.RTMP_PUSH and checked.address != stored.address:
        checked = _at_free_port(body.address, checked, services, stored.id)
    keeps = same_place(stored.address, checked.address)
    password = _credential(body.password, checked.password, stored.password, keeps)
    made_key = None
    if checked.kind is SourceKind.RTMP_PUSH:
        made_key = None if password else new_push_key()
        password = made_key or require_push_key(password)
    stream = services.streams.update(
        replace(
            stored,
            name=body.name,
            kind=checked.kind,
            address=checked.address,
            username=_credential(body.username, checked.username, stored.username, keeps),
            password=password,
            enabled=body.enabled,
            analysis_fps=body.analysis_fps,
            confidence=body.confidence,
            loop=body.loop,
            realtime=body.realtime,
            version=body.version,
            extra=_extra(stored.extra, checked, body.record),
        )
    )
    services.audit.record(caller, "stream.change", "stream", stream.id, address, _audited(stream))
    return _changed(services, stream, made_key)


def remove_stream(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> None:
    """Remove a stream; its stored detections stay."""
    stream = services.streams.get(StreamId(stream_id))
    services.streams.remove(stream.id)
    services.audit.record(
        caller, "stream.remove", "stream", stream.id, address, {"name": stream.name}
    )
    services.tell_engine(StreamsChanged())


def start_stream(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> schemas.CommandAccepted:
    """Ask the engine to start capture and analysis."""
    _send(services, StartStream(StreamId(stream_id)))
    services.audit.record(caller, "stream.start", "stream", stream_id, address)
    return schemas.CommandAccepted(stream_id=stream_id, command="start")


def stop_stream(
    stream_id: UUID, caller: CallerHere, services: ServicesHere, address: AddressHere
) -> schemas.CommandAccepted:
    """Ask the engine to stop capture and analysis."""
    _send(services, StopStream(StreamId(stream_id)))
    services.audit.record(caller, "stream.stop", "stream", stream_id, address)
    return schemas.CommandAccepted(stream_id=stream_id, command="stop")


def stream_status(
    stream_id: UUID, caller: CallerHere, services: ServicesHere
) -> schemas.StreamStatusOut:
    """How the stream is doing."""
    status = services.states.read([StreamId(stream_id)])[StreamId(stream_id)]
    held = services.leases.list().holder(StreamId(stream_id))
    return status.model_copy(update={"watched_by": None if held is None else held.node_name})


def _send(services: Services, command: EngineCommand) -> None:
    if not services.tell_engine(command):
        raise Problem(503, "engine_unreachable", "No engine can be reached now.")


def _statuses(
    services: Services, streams: list[Stream], required: bool
) -> Mapping[StreamId, schemas.StreamStatusOut]:
    try:
        return services.states.read(stream.id for stream in streams)
    except LiveStateUnavailable:
        if required:
            raise
        return {}


def _readdressed(stored: Stream, address: str, services: Services) -> CameraAddress:
    """The checked new address; the stored one, not looked up again, if it is unchanged."""
    if address in (stored.address, masked(stored.address)):
        pinned = stored.extra.get(PINNED)
        return CameraAddress(
            stored.kind,
            stored.address,
            pinned=tuple(map(str, pinned)) if isinstance(pinned, list | tuple) else (),
        )
    return check_address(address, services.address_rules)


def _credential(given: SecretStr | None, in_address: str, stored: str, keeps: bool) -> str:
    """The new value: as given, as in the new address, else the stored one if the camera is the
    same. Credentials never follow an address to another host."""
    if given is not None:
        return given.get_secret_value()
    return in_address or (stored if keeps else "")


def _extra(
    extra: Mapping[str, object], checked: CameraAddress, record: str | None
) -> Mapping[str, object]:
    kept = {name: value for name, value in extra.items() if name not in (PINNED, "record")}
    if checked.pinned:
        kept[PINNED] = list(checked.pinned)
    if record is not None:
        kept["record"] = record
    return MappingProxyType(kept)


def _audited(stream: Stream) -> Mapping[str, object]:
    return {"name": stream.name, "address": masked(stream.address), "version": stream.version}


def _place(stream: Stream) -> str:
    return f"{stream.name}\x1f{stream.id}"


def _out(stream: Stream, status: schemas.StreamStatusOut | None) -> schemas.StreamOut:
    return schemas.StreamOut(
        id=stream.id,
        name=stream.name,
        kind=stream.kind,
        address=masked(stream.address),
        has_credentials=bool(stream.username or stream.password),
        enabled=stream.enabled,
        analysis_fps=stream.analysis_fps,
        confidence=stream.confidence,
        loop=stream.loop,
        realtime=stream.realtime,
        record=record if isinstance(record := stream.extra.get("record"), str) else None,
        version=stream.version,
        status=status,
    )


def _changed(
    services: Services, stream: Stream, made_key: str | None = None
) -> schemas.StreamChanged:
    notified = services.tell_engine(StreamsChanged())
    url = None
    if stream.kind is SourceKind.RTMP_PUSH:
        url = read_push_address(stream.address)[0].url()
    return schemas.StreamChanged(
        **_out(stream, None).model_dump(),
        engine_notified=notified,
        push_url=url,
        push_key=made_key,
    )


def _at_free_port(
    text: str, checked: CameraAddress, services: Services, own: StreamId | None = None
) -> CameraAddress:
    """The push address at a port of its own: as given, else the first that no stream has."""
    address, _ = read_push_address(checked.address)
    taken = {
        read_push_address(stream.address)[0].port
        for stream in services.streams.list(None)
        if stream.kind is SourceKind.RTMP_PUSH and stream.id != own
    }
    if address.port in taken and urlsplit(text).port is not None:
        raise AddressRefused(
            f"Port {address.port} belongs to another camera.", "Leave the port out for a free one."
        )
    first, last = services.address_rules.push_ports
    free = next((port for port in range(first, last + 1) if port not in taken), None)
    if free is None:
        raise AddressRefused(f"All ports from {first} to {last} belong to other cameras.")
    port = address.port if urlsplit(text).port is not None else free
    return replace(checked, address=str(replace(address, port=port)))
