"""Cutting a camera's own packets into chunks, without decoding them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime

from engine.domain.packets import EncodedPacket, VideoCoding
from engine.recording.open_chunk import Beginning
from engine.recording.parameter_sets import Bitstream
from engine.recording.segment_file import Sample

GAP_S = 2.0
"""A longer hole in a stream's own time ends the chunk: its pictures are not where p says."""
_UNDATED_AT_MOST = 32


@dataclass(frozen=True, slots=True)
class Ending:
    """The running chunk ends here; the next one begins with the next key picture."""


Step = Beginning | Sample | Ending


class CopyTrack:
    """Turns packets into steps: begin a chunk, add a picture, end. Used by one thread.

    Chunks begin with key pictures. Pictures that come after a key picture in decoding order but
    are shown before it (open groups) belong to the chunk before, which gets that key picture too;
    so no chunk lacks one of its pictures. ``measure`` finds the size of the picture in a key
    packet (it is asked when parameter sets change).
    """

    def __init__(
        self,
        coding: VideoCoding,
        offset_s: float,
        segment_s: float,
        now: Callable[[], datetime],
        measure: Callable[[str, bytes], tuple[int, int] | None],
    ) -> None:
        self.coding = coding
        self.segment_s = segment_s
        self.unusable = 0
        self._offset_s = offset_s
        self._now = now
        self._measure = measure
        self._bits = Bitstream(coding.codec, coding.parameters)
        self._size_px = (coding.width_px, coding.height_px)
        self._begun: Beginning | None = None
        self._held: list[Sample] = []
        self._held_begins: Beginning | None = None
        self._undated: list[EncodedPacket] = []
        self._last_dts = 0
        self._last_pts = 0
        self._shift = 0
        self._joining = False

    def reopened(self, coding: VideoCoding, offset_s: float) -> bool:
        """The same recording starts again and its time goes on: True if its packets can go on in
        the same chunk."""
        if self._begun is None or coding != self.coding:
            return False
        self._offset_s = offset_s
        self._joining = True
        return True

    def reset(self) -> None:
        """Forget the running chunk; the next key packet begins one."""
        self._begun = self._held_begins = None
        self._held.clear()
        self._shift = 0

    def flush(self) -> list[Step]:
        """What is held back while looking for the end of a chunk."""
        steps: list[Step] = []
        undated, self._undated = self._undated, []
        for packet in undated:
            steps += self._fed(packet)
        if self._held_begins is not None:
            steps += [*self._leading(), self._held_begins, self._held[0]]
            self._begun, self._held_begins = self._held_begins, None
        self._held.clear()
        return steps

    def feed(self, packet: EncodedPacket) -> list[Step]:
        """The steps of one packet."""
        timed = packet.dts is not None and packet.pts is not None
        if not timed and len(self._undated) < _UNDATED_AT_MOST:
            self._undated.append(packet)
            return []
        steps: list[Step] = []
        for waiting in self._dated(packet):
            steps += self._fed(waiting)
        return [*steps, *self._fed(packet)]

    def _dated(self, packet: EncodedPacket) -> list[EncodedPacket]:
        """The packets before the first one whose times are both known, a picture apart before it:
        Matroska keeps no decoding times, FFmpeg works them out after some packets; over RTSP the
        first packets have no times at all."""
        waiting, self._undated = self._undated, []
        pts, dts, pts_s = packet.pts, packet.dts, packet.pts_s
        if pts is None or dts is None or pts_s is None:
            return waiting
        usual = int(1 / ((self.coding.fps or 25.0) * self.coding.time_base))
        step = max(packet.duration or usual, 1)
        earliest = min([pts, *(one.pts for one in waiting if one.pts is not None)])
        dated: list[EncodedPacket] = []
        for one in reversed(waiting):
            dts -= step
            if one.pts is None:
                earliest -= step
                seconds = pts_s + float((earliest - pts) * self.coding.time_base)
                one = replace(one, pts=earliest, pts_s=seconds)
            dated.append(replace(one, dts=dts))
        return dated[::-1]

    def _fed(self, packet: EncodedPacket) -> list[Step]:
        if packet.pts is None or packet.pts_s is None:
            self.unusable += 1
            return []
        source_s = packet.pts_s + self._offset_s
        steps: list[Step] = []
        if self._joining:
            self._joining = False
            if not self._join(packet, source_s):
                steps = [*self.flush(), Ending()]
                self.reset()
        sample = self._sample(packet, packet.pts)
        if self._begun is not None and self._breaks(sample):
            steps += [*self.flush(), Ending()]
            self.reset()
            sample = self._sample(packet, packet.pts)
        sample, changed = self._with_sets(sample)
        return steps + self._placed(sample, source_s, changed)

    def _sample(self, packet: EncodedPacket, pts: int) -> Sample:
        pts += self._shift
        dts = pts if packet.dts is None else packet.dts + self._shift
        if self._begun is not None and dts <= self._last_dts < pts and not self._goes_back(dts):
            dts = self._last_dts + 1
        payload = self._bits.annexb(packet.payload)
        return Sample(payload, pts, dts, packet.duration, packet.is_key)

    def _goes_back(self, dts: int) -> bool:
        return (self._last_dts - dts) * self.coding.time_base > GAP_S

    def _breaks(self, sample: Sample) -> bool:
        """True if the source's time jumped."""
        ahead_s = float((sample.pts - self._last_pts) * self.coding.time_base)
        return sample.dts <= self._last_dts or abs(ahead_s) > GAP_S + 1.0 / (self.coding.fps or 1.0)

    def _with_sets(self, sample: Sample) -> tuple[Sample, bool]:
        """The sample with what a decoder needs to begin with it, and whether the size changed."""
        if not sample.is_key:
            return sample, False
        sets = self._bits.sets_in(sample.payload)
        changed = bool(sets) and sets != self._bits.sets
        if changed:
            self._bits.sets = sets
            size_px = self._measure(self.coding.codec, sample.payload) or self._size_px
            changed, self._size_px = size_px != self._size_px, size_px
        elif 0 in self._size_px:
            whole = self._bits.with_sets(sample.payload)
            self._size_px = self._measure(self.coding.codec, whole) or self._size_px
        return replace(sample, payload=self._bits.with_sets(sample.payload)), changed

    def _placed(self, sample: Sample, source_s: float, changed: bool) -> list[Step]:
        steps: list[Step] = []
        begun = self._begun
        if begun is None:
            if not sample.is_key or 0 in self._size_px:
                return []
            self._begun = self._beginning(sample, source_s)
            self._followed(sample)
            return [self._begun, sample]
        if self._held_begins is not None:
            if sample.pts < self._held_begins.first_tick:
                self._held.append(sample)
                self._followed(sample)
                return []
            steps = self.flush()
            begun = self._begun
        self._followed(sample)
        assert begun is not None
        if sample.pts < begun.first_tick:
            return steps  # refers to what is not there
        if sample.is_key and (changed or self._is_due(sample, begun)):
            self._held_begins = self._beginning(sample, source_s)
            self._held.append(sample)
            return steps
        return [*steps, sample]

    def _is_due(self, sample: Sample, begun: Beginning) -> bool:
        slack_s = 0.5 / (self.coding.fps or 25.0)
        lasts_s = float((sample.pts - begun.first_tick) * self.coding.time_base)
        return lasts_s >= self.segment_s - slack_s

    def _leading(self) -> list[Step]:
        return list(self._held) if len(self._held) > 1 else []

    def _followed(self, sample: Sample) -> None:
        self._last_dts = sample.dts
        self._last_pts = max(self._last_pts, sample.pts) if self._begun else sample.pts
        if self._begun is not None and sample.pts == self._begun.first_tick:
            self._last_pts = sample.pts

    def _beginning(self, sample: Sample, source_s: float) -> Beginning:
        coding = self.coding
        return Beginning(
            coding.codec, self._size_px, coding.time_base, sample.pts, source_s, self._now()
        )

    def _join(self, packet: EncodedPacket, source_s: float) -> bool:
        """Let ticks go on where they stopped; False if time does not."""
        begun = self._begun
        if begun is None or begun.first_source_s is None or packet.pts is None:
            return False
        since = round((source_s - begun.first_source_s) / float(self.coding.time_base))
        self._shift = begun.first_tick + since - packet.pts
        ahead_s = float((packet.pts + self._shift - self._last_pts) * self.coding.time_base)
        return packet.is_key and 0.0 < ahead_s <= GAP_S
