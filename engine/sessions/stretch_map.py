"""Where a horse was before one camera, from stored detections."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from engine.domain.geometry import FloatArray
from engine.domain.ids import HorseId, StreamId
from engine.domain.sessions import HeatMap, HeatMapUnit
from engine.motion.calibration import read_ground
from engine.reanalysis.stored import DELETED, StoredStretch
from engine.sessions.facts import standing_for
from engine.sessions.heat_map import heat_map
from engine.sessions.stretch import STORED_LONGEST_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def map_of_camera(
    stream_id: StreamId, stretches: Iterable[StoredStretch], horse_id: HorseId,
    extra: Mapping[str, object], size_px: tuple[int, int],
) -> HeatMap | None:  # fmt: skip
    """Where a horse was before one camera; None where that did not see it. ``stretches``: what is
    stored of the camera, part after part. ``extra``: ``Stream.extra``; size_px: width and height
    of its pictures."""
    seen = [_rows_of(horse_id, stretch) for stretch in stretches]
    at_us = np.concatenate([part[0] for part in seen]) if seen else np.zeros(0, np.int64)
    if not len(at_us):
        return None
    boxes = np.concatenate([part[1] for part in seen])
    feet = np.stack(
        [(boxes[:, 0] + boxes[:, 2]) / 2 / size_px[0], boxes[:, 3] / size_px[1]], axis=1
    ).astype(np.float32)
    seconds = standing_for((at_us - at_us[0]).astype(np.float64) / 1e6, STORED_LONGEST_S)
    ground = read_ground(extra)
    if ground is not None and ground.calibration is not None:
        return heat_map(ground.place_m(feet), seconds, HeatMapUnit.METRES, stream_id)
    return heat_map(feet, seconds, HeatMapUnit.SHARES, stream_id)


def _rows_of(horse_id: HorseId, stretch: StoredStretch) -> tuple[NDArray[np.int64], FloatArray]:
    """Instants and boxes of a horse's rows, without deleted ones."""
    rows = stretch.rows
    number = {track.id: index for index, track in enumerate(stretch.tracks)}
    mine = np.zeros(len(rows), np.bool_)
    for owner in stretch.owners:
        if owner.horse_id == horse_id:
            since_us, until_us = ((at - _EPOCH) // _MICROSECOND for at in (owner.start, owner.end))
            in_time = (rows.at_us >= since_us) & (rows.at_us < until_us)
            mine |= in_time & (rows.tracks == number.get(owner.track_id, -1))
    mine &= (rows.flags & DELETED) == 0
    return rows.at_us[mine], rows.boxes_xyxy_px[mine]
