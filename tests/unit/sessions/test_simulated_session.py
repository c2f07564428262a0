"""A session from exact poses of the simulated farm against what really happened there."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import numpy as np
import pytest

from engine.domain.detections import SubjectClass
from engine.domain.frames import FrameStamp
from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Gait
from engine.domain.poses import PoseBatch
from engine.domain.sessions import ScaleKind
from engine.domain.skeletons import EQUINE26
from engine.reanalysis.columns import columns_of, without_gaps
from engine.reanalysis.sightings import Sighting
from engine.sessions.facts import SessionFacts
from engine.sessions.joining import one_horse, tracklets_of
from engine.sessions.metrics import measured
from engine.sessions.one_horse import facts_of, posed
from engine.sessions.scales import scale_of
from engine.settings import MotionSettings
from engine.simulation.cameras import SimulatedCamera
from engine.simulation.farm import SimulatedFarm
from engine.simulation.scenarios import trot_in_hand

FPS = 50.0
SECONDS = 40.0
START = datetime(2026, 1, 1, tzinfo=UTC)
STREAM = StreamId(uuid4())


def sightings_of(farm: SimulatedFarm, camera: SimulatedCamera) -> list[Sighting]:
    """What a perfect detector and pose model would see; a new track each time the horse comes."""
    times = np.arange(0.0, SECONDS, 1.0 / FPS)
    rows = farm.sightings(camera, times)
    shown = rows.visibility >= 0.8
    number, last = 0, -10
    found = []
    for index, t_s in enumerate(times.tolist()):
        mine = np.flatnonzero((rows.time_index == index) & shown)
        if len(mine):
            number += int(index - last > 1)
            last = index
        count = len(mine)
        poses = PoseBatch(
            rows.keypoints_px[mine].astype(np.float32),
            rows.visible[mine].astype(np.float32),
            EQUINE26,
        )
        stamp = FrameStamp(STREAM, index, START + timedelta(seconds=t_s), t_s, t_s)
        found.append(
            Sighting(
                stamp, camera.width_px, camera.height_px, np.full(count, number, np.int64),
                np.full(count, SubjectClass.HORSE, np.int16),
                rows.boxes_xyxy_px[mine].astype(np.float32), np.ones(count, np.float32),
                np.ones(count, np.float32), np.ones(count, np.bool_), poses,
            )
        )  # fmt: skip
    return found


@pytest.fixture(scope="module")
def farm() -> SimulatedFarm:
    return trot_in_hand(5, asymmetry_mm=(20.0, 0.0, 0.0, 0.0))


@pytest.fixture(scope="module")
def seen(farm: SimulatedFarm) -> list[Sighting]:
    return sightings_of(farm, farm.camera("arena"))


@pytest.fixture(scope="module")
def facts(farm: SimulatedFarm, seen: Sequence[Sighting]) -> SessionFacts:
    times_s = np.array([s.stamp.captured_mono_s for s in seen])
    chosen = one_horse(tracklets_of(seen), times_s)
    assert len(chosen) >= 3, "it comes into view several times, and all of them are the horse"
    names = [np.where(np.isin(s.numbers, chosen), 0, -1) for s in seen]
    horse, _ = without_gaps(columns_of(seen, names)[0], times_s)
    height_m = 1.6 * farm.horses[0].build.size
    found = posed(seen, horse, EQUINE26, MotionSettings(), None, height_m)
    scale = scale_of(found.series.scales_px_m, False, height_m, 1.6)
    made, followed = facts_of(found, TrackId(uuid4()), STREAM, START, SECONDS, scale, False)
    assert not followed
    return made


def test_it_trots_all_the_time_it_is_seen(facts: SessionFacts) -> None:
    values = measured(facts)
    assert values["share_trot"].value == pytest.approx(1.0, abs=0.02)
    assert values["speed_walk"].value is None and values["speed_walk"].reason
    told = sum(s.duration_s for s in facts.gaits if s.gait is Gait.TROT)
    assert told == pytest.approx(facts.seen_s, rel=0.1)


def test_speed_and_way_are_those_of_the_scene(
    farm: SimulatedFarm, seen: Sequence[Sighting], facts: SessionFacts
) -> None:
    rows = farm.sightings("arena", facts.t_s, keypoints=False)
    speed = float(np.median(rows.speed_mps))
    values = measured(facts)
    assert facts.scale.kind is ScaleKind.BODY and facts.scale.uncertainty is not None
    sure = facts.scale.uncertainty
    assert values["speed_trot"].value == pytest.approx(speed, rel=sure)
    known = float(facts.dt_s[np.isfinite(facts.speeds_mps)].sum())
    assert known > 0.8 * facts.seen_s
    assert values["distance"].value == pytest.approx(speed * known, rel=sure)
    assert values["speed_max"].value == pytest.approx(speed, rel=0.1)
    assert values["body_lengths"].value == pytest.approx(
        speed / (1.6 * farm.horses[0].build.size), rel=sure
    )


def test_strides_are_counted_and_timed(farm: SimulatedFarm, facts: SessionFacts) -> None:
    strides = farm.truth_between(0.0, SECONDS).strides
    whole = [
        (start, end)
        for start, end in zip(strides.start_s.tolist(), strides.end_s.tolist(), strict=True)
        if np.isin(np.round(np.arange(start, end, 0.1), 1), np.round(facts.t_s, 1)).all()
    ]
    values = measured(facts)
    assert values["strides"].value == pytest.approx(len(whole), abs=0.15 * len(whole))
    hz = 1.0 / np.median([end - start for start, end in whole])
    assert values["stride_rate_trot"].value == pytest.approx(hz, rel=0.01)


def test_the_asymmetry_of_the_scene_is_told_with_its_side(
    farm: SimulatedFarm, facts: SessionFacts
) -> None:
    values = measured(facts)
    strides = farm.truth_between(0.0, SECONDS).strides
    true_mm = float(np.nanmean(strides.asymmetry_mm[:, 0]))
    hd_min = values["hd_min"]
    assert hd_min.count >= 10 and hd_min.spread is not None
    assert hd_min.value == pytest.approx(true_mm, abs=4.0)
    assert abs(values["pd_min"].value or 0.0) < 3.0
