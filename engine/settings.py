"""The engine's settings with units and limits; the application's schema includes them.

Each field's ``unit`` and ``description`` are shown by the settings dialog, which is made from
this schema.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal, Self
from urllib.parse import urlsplit

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    JsonValue,
    SecretStr,
    field_validator,
    model_validator,
)


class Section(BaseModel):
    """Base of every settings section: unknown keys are errors, values are frozen."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def _unit(unit: str) -> dict[str, JsonValue]:
    return {"unit": unit}


class WebVideoSettings(Section):
    """Pictures from YouTube, Twitch and other sites, found by yt-dlp."""

    max_height_px: int = Field(
        720,
        ge=144,
        le=2160,
        description="Take pictures of this height, at most",
        json_schema_extra=_unit("px"),
    )
    find_timeout_s: float = Field(
        45.0,
        ge=5,
        le=300,
        description="Give up looking for a page's video after",
        json_schema_extra=_unit("s"),
    )
    cache_s: float = Field(
        60.0,
        ge=0,
        le=3600,
        description="Use a found address again for",
        json_schema_extra=_unit("s"),
    )
    cookies_file: Path | None = Field(
        None, description="Cookies of a log-in for these sites (Netscape format); only read"
    )
    proxies: SecretStr = Field(
        SecretStr(""),
        description="Proxies to go through in turn: http://user:password@host:port, …",
    )
    proxy_turn_s: float = Field(
        300.0,
        ge=10,
        le=86_400,
        description="Change to the next proxy every",
        json_schema_extra=_unit("s"),
    )
    sites: tuple[str, ...] = Field(
        (), description="Further sites that remote callers may add cameras from (host names)"
    )
    javascript: bool = Field(
        True, description="Let yt-dlp run a site's scripts in Deno, without files or network"
    )

    @field_validator("proxies")
    @classmethod
    def _proxies_are_http(cls, proxies: SecretStr) -> SecretStr:
        for proxy in proxy_addresses(proxies):
            try:
                parts = urlsplit(proxy)
                usable = parts.scheme == "http" and parts.hostname and parts.port
            except ValueError:
                usable = False
            if not usable:
                raise ValueError("every proxy is written http://host:port, separated by commas")
        return proxies


def proxy_addresses(proxies: SecretStr) -> tuple[str, ...]:
    """The proxies of the setting, in order."""
    return tuple(p.strip() for p in proxies.get_secret_value().split(",") if p.strip())


class PushSettings(Section):
    """Cameras and programs that send their pictures here over RTMP."""

    remote: bool = Field(
        False, description="Let other machines push; off: only programs on this machine"
    )
    first_port: int = Field(1935, ge=1024, le=65535, description="First port for pushing cameras")
    last_port: int = Field(1966, ge=1024, le=65535, description="Last port for pushing cameras")

    @model_validator(mode="after")
    def _ports_are_a_range(self) -> Self:
        if self.last_port < self.first_port:
            raise ValueError("last_port must not be below first_port")
        return self


class CaptureSettings(Section):
    """Fetching pictures from cameras."""

    connect_timeout_s: float = Field(
        5.0,
        ge=0.5,
        le=60,
        description="Give up opening a camera after",
        json_schema_extra=_unit("s"),
    )
    read_timeout_s: float = Field(
        3.0,
        ge=0.5,
        le=60,
        description="Give up waiting for a packet after",
        json_schema_extra=_unit("s"),
    )
    offline_after_s: float = Field(
        5.0,
        ge=1,
        le=120,
        description="Show a camera as offline after its last picture",
        json_schema_extra=_unit("s"),
    )
    hardware_decode: bool = Field(
        False, description="Decode on the graphics card where possible, else in software"
    )
    wall_fps: float = Field(
        25.0,
        ge=1,
        le=60,
        description="Pictures shown on the wall, at most",
        json_schema_extra=_unit("fps"),
    )
    web_video: WebVideoSettings = WebVideoSettings()
    push: PushSettings = PushSettings()


class AnalysisSettings(Section):
    """What is analysed and how often."""

    fps: float = Field(
        10.0,
        gt=0,
        le=120,
        description="Pictures analysed per camera",
        json_schema_extra=_unit("fps"),
    )
    batch_size: int = Field(8, ge=1, le=64, description="Pictures in one detector batch, at most")
    batch_wait_ms: float = Field(
        20.0,
        ge=0,
        le=500,
        description="Wait this long for a batch to fill",
        json_schema_extra=_unit("ms"),
    )
    device: Literal["auto", "cpu", "cuda"] = Field("auto", description="Where models run")
    threads: int = Field(
        0, ge=0, le=128, description="CPU threads of a model; 0 leaves one core to the rest"
    )
    still_interval_s: float = Field(
        2.0,
        ge=0.1,
        le=60,
        description="Re-detect a still scene every",
        json_schema_extra=_unit("s"),
    )
    motion_gate: bool = Field(True, description="Analyse still scenes less often")


class DetectionSettings(Section):
    """The detector."""

    model: str = Field("auto", description="Detector model; auto takes the best available")
    confidence: float = Field(0.35, ge=0.01, le=0.99, description="Accept detections from")
    nms_iou: float = Field(0.5, ge=0.1, le=0.95, description="Merge boxes that overlap more than")
    minimum_box_px: float = Field(
        24.0, ge=1, le=1000, description="Ignore boxes smaller than", json_schema_extra=_unit("px")
    )
    verify: bool = Field(
        True, description="Look at every animal again with a second model that knows horses"
    )
    lookalikes_are_horses: bool = Field(
        True, description="Count cows and sheep of weak models as horse candidates"
    )
    dog_height_share: float = Field(
        0.4,
        ge=0.1,
        le=1.0,
        description="So too a dog at least this tall, as a share of the picture; 1 for never",
    )


class TrackingSettings(Section):
    """The tracker (specification: engine, Tracking)."""

    iou_weight: float = Field(0.3, ge=0, le=1, description="Weight of box overlap in the cost")
    appearance_weight: float = Field(
        0.7, ge=0, le=1, description="Weight of appearance in the cost"
    )
    tentative_hits: int = Field(3, ge=1, le=20, description="Detections before a track counts")
    lost_after_s: float = Field(
        10.0, ge=0.5, le=120, description="Close a lost track after", json_schema_extra=_unit("s")
    )
    weak_confidence: float = Field(
        0.1, ge=0.01, le=0.9, description="Second pass: keep known tracks with detections from"
    )
    embedder: str = Field("auto", description="Appearance model; auto takes the best available")
    similarity_threshold: float = Field(
        0.75, ge=0, le=1, description="Accept the same horse from this similarity"
    )


class PoseSettings(Section):
    """Keypoint estimation."""

    model: str = Field("auto", description="Pose model; auto takes the best available")
    enabled: bool = Field(True, description="Estimate skeletons")
    keypoint_confidence: float = Field(0.3, ge=0, le=1, description="Draw and use keypoints from")


class SkeletonLimits(Section):
    """What one skeleton's poses may look like.

    Ratios are lengths in the picture. Joint angles run from 0 to 360 degrees at the middle of three
    landmarks, as a horse that faces right shows them: 180 is straight; a carpus bends above 180, a
    hock below. They are asked of horses seen from the side only.
    """

    confidence: float = Field(0.3, ge=0, le=1, description="Believe landmarks from")
    spine_share: float = Field(
        0.1, ge=0, le=1, description="A spine shorter than this share of the box is suspect"
    )
    front_leg: tuple[float, float] = Field(
        (0.5, 2.2), description="Carpus to hoof over elbow to carpus, least and most"
    )
    hind_leg: tuple[float, float] = Field(
        (0.5, 2.6), description="Hock to hoof over stifle to hock, least and most"
    )
    neck_spine: tuple[float, float] = Field(
        (0.2, 1.6), description="Head to withers over withers to tail, least and most"
    )
    shoulder_deg: tuple[float, float] = Field(
        (60.0, 300.0),
        description="Joint range of the shoulder",
        json_schema_extra=_unit("degrees"),
    )
    elbow_deg: tuple[float, float] = Field(
        (120.0, 345.0), description="Joint range of the elbow", json_schema_extra=_unit("degrees")
    )
    hip_deg: tuple[float, float] = Field(
        (120.0, 345.0), description="Joint range of the hip", json_schema_extra=_unit("degrees")
    )
    knee_deg: tuple[float, float] = Field(
        (15.0, 215.0), description="Joint range of the knee", json_schema_extra=_unit("degrees")
    )


class MotionSettings(Section):
    """Poses over time: what is believed, how it is smoothed, how pixels become metres."""

    outlier_z: float = Field(
        3.0, ge=1.5, le=10, description="A landmark this many deviations off is an error"
    )
    correct: bool = Field(True, description="Correct impossible landmarks by prediction")
    smoothing_cutoff_hz: float = Field(
        2.0,
        ge=0.2,
        le=20,
        description="Smoothing of a resting landmark; lower is smoother",
        json_schema_extra=_unit("Hz"),
    )
    smoothing_speed: float = Field(
        20.0, ge=0, le=100, description="How far smoothing gives way to a landmark that moves"
    )
    reset_after_s: float = Field(
        1.0,
        ge=0.2,
        le=10,
        description="Forget what was predicted after a gap of",
        json_schema_extra=_unit("s"),
    )
    speed_window_s: float = Field(
        0.8,
        ge=0.2,
        le=5,
        description="Measure speed over",
        json_schema_extra=_unit("s"),
    )
    withers_height_m: float = Field(
        1.60,
        ge=0.5,
        le=2.2,
        description="Height at the withers of horses of which it is not stated",
        json_schema_extra=_unit("m"),
    )
    focal_widths: float = Field(
        0.8,
        ge=0.2,
        le=10,
        description="Focal length of uncalibrated cameras, in picture widths",
    )
    ap10k: SkeletonLimits = SkeletonLimits()
    equine26: SkeletonLimits = SkeletonLimits()
    gait28: SkeletonLimits = SkeletonLimits(
        shoulder_deg=(130.0, 295.0),
        elbow_deg=(70.0, 215.0),
        hip_deg=(70.0, 260.0),
        knee_deg=(140.0, 300.0),
    )

    def limits_of(self, skeleton: str) -> SkeletonLimits:
        """The limits of a skeleton by name; the general ones for one without its own."""
        known = {"ap10k": self.ap10k, "equine26": self.equine26, "gait28": self.gait28}
        return known.get(skeleton, SkeletonLimits())


class PtzSettings(Section):
    """Camera control."""

    rest_s: float = Field(
        30.0,
        ge=5,
        le=600,
        description="Who steers a camera lets go after this rest",
        json_schema_extra=_unit("s"),
    )
    renewal_s: float = Field(
        1.0,
        ge=0.3,
        le=5,
        description="Stop a camera when its movement is not renewed for",
        json_schema_extra=_unit("s"),
    )
    settle_s: float = Field(
        1.0,
        ge=0,
        le=10,
        description="After a stop, wait for a still picture",
        json_schema_extra=_unit("s"),
    )
    preset_settle_s: float = Field(
        5.0,
        ge=0,
        le=30,
        description="A camera reaches a preset within",
        json_schema_extra=_unit("s"),
    )
    stop_at_start: bool = Field(True, description="Stop every camera when the program starts")
    guardian: bool = Field(
        True, description="Let a second process stop moving cameras when this one dies"
    )
    dialects_file: str = Field("", description="File with further dialects of cameras")


class RecordingSettings(Section):
    """Keeping what cameras show on disk. A camera's own choice, when it has one, goes first."""

    enabled: bool = Field(True, description="Record cameras")
    mode: Literal["always", "motion", "off"] = Field(
        "always", description="Keep everything, or only where a horse or movement was seen"
    )
    segment_s: float = Field(
        10.0, ge=4, le=60, description="Length of one file", json_schema_extra=_unit("s")
    )
    retention_days: float = Field(
        7.0,
        ge=0.01,
        le=3650,
        description="Keep recordings for; locked ones stay",
        json_schema_extra=_unit("days"),
    )
    max_gb: float = Field(
        50.0,
        ge=0.001,
        le=1_000_000,
        description="Room for recordings, at most",
        json_schema_extra=_unit("GB"),
    )
    min_free_gb: float = Field(
        2.0,
        ge=0.0,
        le=100_000,
        description="Leave free on the disk",
        json_schema_extra=_unit("GB"),
    )
    hls_delay_s: float = Field(
        20.0,
        ge=10,
        le=30,
        description="Remote viewers see recordings delayed by",
        json_schema_extra=_unit("s"),
    )
    encode_fps: float = Field(
        12.5,
        ge=1,
        le=60,
        description="Pictures kept of cameras that send no H.264 or H.265",
        json_schema_extra=_unit("fps"),
    )
    encode_height_px: int = Field(
        720,
        ge=120,
        le=2160,
        description="Their height, at most",
        json_schema_extra=_unit("px"),
    )


class EngineSettings(Section):
    """Everything the engine can be told."""

    capture: CaptureSettings = CaptureSettings()
    analysis: AnalysisSettings = AnalysisSettings()
    detection: DetectionSettings = DetectionSettings()
    tracking: TrackingSettings = TrackingSettings()
    pose: PoseSettings = PoseSettings()
    motion: MotionSettings = MotionSettings()
    ptz: PtzSettings = PtzSettings()
    recording: RecordingSettings = RecordingSettings()
