"""Encoded packets on their way from a source to the recorder, beside the decoded pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Protocol, runtime_checkable


@dataclass(frozen=True, slots=True)
class VideoCoding:
    """How a source's packets are coded.

    ``codec`` is FFmpeg's name (h264, hevc, mjpeg ...). ``parameters``: the decoder's set-up data as
    the container keeps it (avcC, hvcC or Annex B parameter sets; may be empty when the packets
    carry them). Times of packets count in ``time_base`` seconds. ``fps`` None where unstated.
    """

    codec: str
    parameters: bytes = field(repr=False)
    width_px: int
    height_px: int
    time_base: Fraction
    fps: float | None


@dataclass(frozen=True, slots=True)
class EncodedPacket:
    """One packet, in decoding order. ``pts``, ``dts`` and ``duration`` count in the coding's time
    base. ``pts_s`` is the presentation time that the picture's stamp will state, before a
    recording's loops are added to it."""

    payload: bytes = field(repr=False)
    pts: int | None
    dts: int | None
    duration: int
    is_key: bool
    pts_s: float | None


@runtime_checkable
class PacketSource(Protocol):
    """A FrameSource that can hand over copies of its packets."""

    @property
    def coding(self) -> VideoCoding | None:
        """How packets are coded; None where they cannot stand for the pictures (they lack times,
        or pictures are turned after decoding)."""
        ...

    def tap(self, sink: Callable[[EncodedPacket], None] | None) -> None:
        """Call ``sink`` with each packet from now on, on the thread that reads, before the packet
        is decoded; None calls nothing any more."""
        ...
