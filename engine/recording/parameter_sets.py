"""H.264 and H.265 packets as the recorder keeps them: Annex B, with their parameter sets known.

Containers carry the same NAL units in two ways: with start codes (Annex B; RTSP, MPEG-TS) or each
behind its length (MP4, Matroska, FLV). Sources: ISO/IEC 14496-15 5.3.3 (avcC) and 8.3.3 (hvcC),
ITU-T H.264 table 7-1, ITU-T H.265 table 7-1.
"""

from __future__ import annotations

import re

_START = b"\x00\x00\x00\x01"
_ANY_START = re.compile(rb"\x00\x00\x01")
_H264_SETS = {7, 8}
_H265_SETS = {32, 33, 34}
COPIED = frozenset({"h264", "hevc"})
"""Codings that are recorded as they come; browsers play the first, some the second."""


class Bitstream:
    """The coding of one source's packets. ``parameters``: as ``VideoCoding.parameters``."""

    def __init__(self, codec: str, parameters: bytes) -> None:
        self._hevc = codec == "hevc"
        self._length_bytes = _length_bytes(parameters, self._hevc)
        found = _stated_sets(parameters, self._hevc) if self._length_bytes else None
        self.sets: tuple[bytes, ...] = self.sets_in(parameters) if found is None else tuple(found)

    def annexb(self, payload: bytes) -> bytes:
        """The packet with start codes. Bytes that end in the middle of a unit are left out."""
        if not self._length_bytes:
            return payload
        return b"".join(_START + unit for unit in self._units(payload))

    def sets_in(self, annexb: bytes) -> tuple[bytes, ...]:
        """The parameter sets inside an Annex B packet, in order, without start codes."""
        sets = []
        for unit in _split(annexb):
            kind = (unit[0] >> 1) & 0x3F if self._hevc else unit[0] & 0x1F
            if kind in (_H265_SETS if self._hevc else _H264_SETS):
                sets.append(unit)
        return tuple(sets)

    def with_sets(self, annexb: bytes) -> bytes:
        """A key packet that a decoder can begin with."""
        if self.sets_in(annexb):
            return annexb
        return b"".join(_START + unit for unit in self.sets) + annexb

    def _units(self, payload: bytes) -> list[bytes]:
        units, at = [], 0
        while at + self._length_bytes <= len(payload):
            begin = at + self._length_bytes
            length = int.from_bytes(payload[at:begin], "big")
            unit = payload[begin : begin + length]
            if len(unit) == length > 0:
                units.append(unit)
            at = begin + length
        return units


def _split(annexb: bytes) -> list[bytes]:
    starts = [found.end() for found in _ANY_START.finditer(annexb)]
    ends = [start - 3 for start in starts[1:]] + [len(annexb)]
    units = [annexb[start:end].rstrip(b"\x00") for start, end in zip(starts, ends, strict=True)]
    return [unit for unit in units if unit]


def _length_bytes(parameters: bytes, hevc: bool) -> int:
    """Bytes of each unit's length; 0 for Annex B."""
    if len(parameters) < 7 or parameters.startswith((b"\x00\x00\x01", _START)):
        return 0
    at = 21 if hevc else 4
    return (parameters[at] & 3) + 1 if len(parameters) > at else 0


def _stated_sets(parameters: bytes, hevc: bool) -> list[bytes]:
    """The sets inside avcC or hvcC; what a damaged one still holds."""
    sets: list[bytes] = []
    at = 23 if hevc else 5
    groups = parameters[22] if hevc and len(parameters) > 22 else 2
    for group in range(groups):
        if hevc:
            count, at = int.from_bytes(parameters[at + 1 : at + 3], "big"), at + 3
        else:
            count = parameters[at] & (0x1F if group == 0 else 0xFF) if at < len(parameters) else 0
            at += 1
        for _ in range(count):
            length = int.from_bytes(parameters[at : at + 2], "big")
            sets.append(parameters[at + 2 : at + 2 + length])
            at += 2 + length
    return [unit for unit in sets if unit]
