"""Reading pictures out of whatever FFmpeg opens: files, RTSP, RTMP, HLS."""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

import av
from av.codec.hwaccel import HWAccel, hwdevices_available
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard
from av.video.stream import VideoStream

from engine.domain.errors import BarnhandError, SourceEnded, SourceUnreachable, SourceUnreadable
from engine.domain.packets import EncodedPacket, VideoCoding
from engine.domain.ports import SourcePicture
from engine.domain.streams import SourceKind, Stream
from engine.settings import CaptureSettings
from engine.sources.addresses import redacted, with_credentials
from engine.sources.faults import from_ffmpeg, no_answer, quiet_cause, unknown_codec
from engine.sources.pictures import picture_of
from engine.sources.pinned import FETCHED, Fetcher, PinnedSession, pinned_of
from engine.sources.pinned_relay import PinnedRelay

_HARDWARE = ("cuda", "videotoolbox", "d3d11va", "vaapi")
_STILL_FORMATS = {"image2", "ico", "tty", "xbin", "bin", "adf", "idf"}
_FIRST_PICTURE_WITHIN_S = 15.0
"""Cameras send a key picture every 1 to 10 s; before the first one nothing can be decoded."""
_READ_ERRORS_AT_MOST = 50
_UNTIMED_AT_MOST = 32
"""Over RTSP the first packets state no time, and single ones may lack it later."""
_FPS_AT_MOST = 240.0


@dataclass(frozen=True, slots=True)
class Opening:
    """What to open and how.

    ``url`` may carry credentials and is hidden; ``shown`` names the source in messages. Time-outs
    None wait for ever (local files). ``decode_threads`` above 1 decodes several pictures at once,
    which delays each by that many: for files read as fast as possible only. ``fetcher`` opens
    addresses in FFmpeg's place, ``relay`` carries its connections; both are closed with the source.
    """

    url: str = field(repr=False)
    shown: str
    live: bool
    options: dict[str, str]
    open_timeout_s: float | None = None
    read_timeout_s: float | None = None
    hardware: bool = False
    decode_threads: int = 1
    from_zero: bool = False
    fetcher: Fetcher | None = field(default=None, repr=False)
    relay: PinnedRelay | None = field(default=None, repr=False)


class ContainerSource:
    """A FrameSource over one FFmpeg container; pictures come in presentation order.

    Packets and pictures the decoder refuses are skipped and counted. A size that changes
    mid-stream simply shows in the pictures.
    """

    def __init__(self, opening: Opening) -> None:
        self._opening = opening
        self._busy = threading.Lock()
        self._closing = False
        self._container = _open(opening)
        try:
            self._stream = _video_stream(self._container, opening)
            self._packets = self._container.demux(self._stream)
        except BaseException:
            self._container.close()
            raise
        self._ready: deque[SourcePicture] = deque()
        self._bytes = 0
        self._corrupt = 0
        self._read_errors = 0
        self._pictures = 0
        self._seen_key = not opening.live
        self._first_pts_s = self._stated_start_s()
        self._tap: Callable[[EncodedPacket], None] | None = None
        self._coding = self._stated_coding()
        self._untimed = 0

    @property
    def live(self) -> bool:
        """See ``FrameSource``."""
        return self._opening.live

    @property
    def nominal_fps(self) -> float | None:
        """See ``FrameSource``."""
        rate = self._stream.average_rate or self._stream.guessed_rate
        return float(rate) if rate and 0 < rate <= _FPS_AT_MOST else None

    @property
    def duration_s(self) -> float | None:
        """See ``FrameSource``."""
        ticks = None if self._opening.live or self._closing else self._container.duration
        return ticks / av.time_base if ticks and ticks > 0 else None

    @property
    def codec(self) -> str:
        """Name of the picture coding (h264, hevc, mjpeg ...)."""
        return str(self._stream.codec_context.name)

    @property
    def format(self) -> str:
        """FFmpeg's name of the container format."""
        return str(self._container.format.name)

    @property
    def coding(self) -> VideoCoding | None:
        """See ``PacketSource``."""
        return self._coding

    def tap(self, sink: Callable[[EncodedPacket], None] | None) -> None:
        """See ``PacketSource``."""
        self._tap = sink

    def read(self) -> SourcePicture:
        """See ``FrameSource``."""
        try:
            with self._busy:
                if self._closing or not self._ready:
                    self._advance()
                return self._ready.popleft()
        finally:
            if self._closing:
                self.close()

    def close(self) -> None:
        """See ``FrameSource``. FFmpeg cannot be closed under a thread that reads: then the reader
        closes, within its time-out."""
        self._closing = True
        if self._opening.relay is not None:
            self._opening.relay.close()
        if self._busy.acquire(blocking=False):
            try:
                self._container.close()
                if self._opening.fetcher is not None:
                    self._opening.fetcher.close()
            finally:
                self._busy.release()

    def _advance(self) -> None:
        """Decode packets until a picture is ready, or raise."""
        patience_s = self._patience_s()
        started_s = time.monotonic()
        while self._closing or not self._ready:
            if self._closing:
                raise SourceUnreachable(f"{self._opening.shown} was closed.")
            packet = self._next_packet()
            if packet is not None:
                self._decode(packet)
            if patience_s is not None and time.monotonic() - started_s > patience_s:
                raise SourceUnreachable(
                    f"{self._opening.shown} sends data, but no picture that can be decoded.",
                    "Set it to H.264 or H.265 and a shorter key-picture interval.",
                )

    def _patience_s(self) -> float | None:
        read_timeout_s = self._opening.read_timeout_s
        if not self._opening.live or read_timeout_s is None:
            return None
        return read_timeout_s if self._pictures else max(read_timeout_s, _FIRST_PICTURE_WITHIN_S)

    def _next_packet(self) -> Packet[VideoStream] | None:
        """The next packet; None where damaged data was skipped."""
        try:
            packet = next(self._packets)
        except StopIteration:
            raise self._end() from None
        except (av.FFmpegError, OSError) as error:
            fault = self._fault(error)
            if not isinstance(fault, SourceUnreadable):
                raise fault from quiet_cause(error)
            self._corrupt += 1
            self._read_errors += 1
            if self._read_errors > _READ_ERRORS_AT_MOST:
                raise self._end() from quiet_cause(error)
            self._packets = self._container.demux(self._stream)
            return None
        self._bytes += packet.size
        if self._tap is not None and packet.size:
            self._tap(self._copy(packet))
        return packet

    def _copy(self, packet: Packet[VideoStream]) -> EncodedPacket:
        pts, time_base = packet.pts, packet.time_base or self._stream.time_base
        pts_s = None if pts is None or time_base is None else float(pts * time_base)
        self._untimed = self._untimed + 1 if pts_s is None else 0
        if self._untimed > _UNTIMED_AT_MOST:
            self._coding = None
        if pts_s is not None and self._opening.from_zero:
            if self._first_pts_s is None:  # the first picture decoded will be this one's
                self._first_pts_s = pts_s
            pts_s -= self._first_pts_s
        return EncodedPacket(
            bytes(packet), pts, packet.dts, packet.duration or 0, packet.is_keyframe, pts_s
        )

    def _stated_coding(self) -> VideoCoding | None:
        context, time_base = self._stream.codec_context, self._stream.time_base
        if time_base is None:
            return None
        return VideoCoding(
            self.codec,
            bytes(context.extradata or b""),
            context.width,
            context.height,
            time_base,
            self.nominal_fps,
        )

    def _decode(self, packet: Packet[VideoStream]) -> None:
        self._seen_key = self._seen_key or packet.is_keyframe
        try:
            frames = packet.decode()
        except av.error.EOFError:
            return
        except (av.FFmpegError, OSError):
            self._corrupt += self._seen_key  # joined between key pictures: nothing is wrong
            return
        for frame in frames:
            assert isinstance(frame, av.VideoFrame)
            if frame.is_corrupt:
                self._corrupt += 1
                continue
            self._add(frame)

    def _add(self, frame: av.VideoFrame) -> None:
        picture = picture_of(frame)
        if frame.rotation % 360:
            self._coding = None  # shown turned, packets would lie on their side
        time_base = frame.time_base or self._stream.time_base
        pts_s = None if frame.pts is None or time_base is None else float(frame.pts * time_base)
        if self._opening.from_zero:
            pts_s = self._from_zero(pts_s)
        self._ready.append(SourcePicture(picture, pts_s, self._bytes, self._corrupt))
        self._pictures += 1
        self._bytes = self._corrupt = 0

    def _from_zero(self, pts_s: float | None) -> float:
        """Time since the start of a recording; counted from the rate where none is stated."""
        if pts_s is None:
            return self._pictures / (self.nominal_fps or 25.0)
        if self._first_pts_s is None:
            self._first_pts_s = pts_s
        return pts_s - self._first_pts_s

    def _stated_start_s(self) -> float | None:
        start, time_base = self._stream.start_time, self._stream.time_base
        return None if start is None or time_base is None else float(start * time_base)

    def _end(self) -> BarnhandError:
        shown = self._opening.shown
        if self._opening.live:
            return SourceEnded(f"{shown} ended the stream.", "It is opened again.")
        if not self._pictures:
            return SourceUnreadable(
                f"{shown} holds no picture that can be decoded.", "Copy or convert it again."
            )
        return SourceEnded(f"{shown} has played to its end.")

    def _fault(self, error: Exception) -> BarnhandError:
        if self._closing:
            return SourceUnreachable(f"{self._opening.shown} was closed.")
        timeout_s = self._opening.read_timeout_s or 0.0
        return from_ffmpeg(error, self._opening.shown, timeout_s, self._opening.live)


def _open(opening: Opening) -> InputContainer:
    timeout = None
    if opening.open_timeout_s is not None or opening.read_timeout_s is not None:
        timeout = (opening.open_timeout_s, opening.read_timeout_s)
    began_s = time.monotonic()
    for hwaccel in (*_hardware(opening), None):
        try:
            return av.open(
                opening.url,
                options=opening.options,
                timeout=timeout,
                hwaccel=hwaccel,
                metadata_errors="replace",
                io_open=opening.fetcher,
            )
        except (av.FFmpegError, OSError, ValueError, RuntimeError) as error:
            if hwaccel is None:
                raise _opening_fault(error, opening, began_s) from quiet_cause(error)
    raise AssertionError("the loop ends with software decoding")


def _opening_fault(error: Exception, opening: Opening, began_s: float) -> BarnhandError:
    """What a failed opening means; FFmpeg calls a socket time-out during RTSP's greeting invalid
    data, so the time it took tells them apart."""
    timeout_s = opening.open_timeout_s or 0.0
    if opening.live and isinstance(error, av.error.InvalidDataError):
        read_timeout_s = opening.read_timeout_s
        if read_timeout_s is not None and time.monotonic() - began_s >= 0.95 * read_timeout_s:
            return no_answer(opening.shown, read_timeout_s)
    return from_ffmpeg(error, opening.shown, timeout_s, opening.live)


def _hardware(opening: Opening) -> Iterator[HWAccel]:
    if opening.hardware:
        available = set(hwdevices_available())
        yield from (
            HWAccel(device, allow_software_fallback=True)
            for device in _HARDWARE
            if device in available
        )


def _video_stream(container: InputContainer, opening: Opening) -> VideoStream:
    """The stream to decode, set up; every other stream is discarded inside FFmpeg."""
    name = container.format.name
    if not opening.live and (name in _STILL_FORMATS or name.endswith("_pipe")):
        raise SourceUnreadable(
            f"{opening.shown} is a picture or text, not a video.", "Choose a video."
        )
    if not container.streams.video:
        raise SourceUnreadable(f"{opening.shown} has sound or data, but no pictures.")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise unknown_codec(opening.shown, opening.live)
    for other in container.streams:
        if other is not stream:
            other.discard = Discard.all
    stream.thread_type = "AUTO" if opening.decode_threads > 1 else "SLICE"
    stream.codec_context.thread_count = opening.decode_threads
    return stream


def open_remote(
    stream: Stream, settings: CaptureSettings, options: dict[str, str], *, live: bool
) -> ContainerSource:
    """Open an address on the network; credentials join it here and are shown nowhere.

    Raises what ``ContainerSource`` raises.
    """
    shown = redacted(stream.address)
    address, fetcher, relay = stream.address, None, None
    if pinned_of(stream):
        if stream.kind is SourceKind.HTTP:
            timeout_s = (settings.connect_timeout_s, settings.read_timeout_s)
            fetcher = Fetcher(PinnedSession(stream, shown), timeout_s)
            options = {**options, **FETCHED}
        else:
            relay = PinnedRelay(stream, shown, settings.connect_timeout_s)
            address, options = relay.url, {**options, **relay.options}
    opening = Opening(
        url=with_credentials(address, stream.username, stream.password),
        shown=shown,
        live=live,
        options=options,
        open_timeout_s=settings.connect_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        hardware=settings.hardware_decode,
        fetcher=fetcher,
        relay=relay,
    )
    try:
        return ContainerSource(opening)
    except BaseException as error:
        if fetcher is not None:
            fetcher.close()
        if relay is not None:
            relay.close()
            if isinstance(error, BarnhandError) and relay.refused is not None:
                raise relay.refused from error
        raise
