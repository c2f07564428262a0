"""A rendered clip of one horse that walks past the arena's camera, with its exact truth."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np

from engine.simulation.barn import SimulatedBarn
from engine.simulation.farm import SimulatedFarm
from engine.simulation.gaits import Gait
from engine.simulation.itineraries import Itinerary
from engine.simulation.looks import herd

FPS = 25


@dataclass(frozen=True, slots=True)
class ClipTruth:
    """What the clip shows: seconds, the horse's height at the withers, its speed, the way it goes
    while half of it or more is in the picture, and strides that begin and end in that time."""

    seconds: float
    height_m: float
    speed_mps: float
    seen_s: float
    way_m: float
    strides: int


def passing_farm(gait: Gait = Gait.WALK, seed: int = 3) -> SimulatedFarm:
    """One horse that goes from west to east, 9 m in front of the arena's camera, and on."""
    horse = herd(seed, 1)[0]
    way = Itinerary((43.5, -5.0), 0.0, horse.pace, horse.build.size)
    way.place = "arena"
    way.go([(64.0, -5.0)], gait)
    return SimulatedFarm([horse], [way.timeline()])


def passing_clip(path: Path, seconds: float, gait: Gait = Gait.WALK, seed: int = 3) -> ClipTruth:
    """Render the clip; the same for the same arguments."""
    farm = passing_farm(gait, seed)
    barn = SimulatedBarn("arena", seed, farm=farm)
    count = round(seconds * FPS)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"preset": "veryfast"})
        stream.width, stream.height = barn.camera.width_px, barn.camera.height_px
        stream.pix_fmt = "yuv420p"
        # Several threads make other bytes of the same pictures each time.
        stream.codec_context.thread_count = 1
        for index in range(count):
            picture = av.VideoFrame.from_ndarray(barn.picture_at(index / FPS), "bgr24")
            container.mux(stream.encode(picture))
        container.mux(stream.encode())
    return truth_of(farm, seconds, barn)


def truth_of(farm: SimulatedFarm, seconds: float, barn: SimulatedBarn) -> ClipTruth:
    """Exact figures of the first seconds."""
    times = np.arange(0.0, seconds, 1.0 / FPS)
    seen = farm.sightings(barn.camera, times, keypoints=False)
    shown = seen.visibility >= 0.5
    first, last = float(seen.t_s[shown][0]), float(seen.t_s[shown][-1])
    strides = farm.truth_between(first, last).strides
    return ClipTruth(
        seconds=seconds,
        height_m=1.6 * farm.horses[0].build.size,
        speed_mps=float(np.median(seen.speed_mps[shown])),
        seen_s=float(shown.sum() / FPS),
        way_m=float((seen.speed_mps[shown] / FPS).sum()),
        strides=len(strides.start_s),
    )
