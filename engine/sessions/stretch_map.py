"""Where a horse was before one camera, from stored detections."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta

import numpy as np

from engine.domain.ids import HorseId, StreamId
from engine.domain.sessions import HeatMap, HeatMapUnit
from engine.motion.calibration import read_ground
from engine.reanalysis.stored import DELETED, StoredStretch
from engine.sessions.facts import standing_for
from engine.sessions.heat_map import heat_map
from engine.sessions.stretch import STORED_LONGEST_S

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def map_of_camera(
    stream_id: StreamId, stretch: StoredStretch, horse_id: HorseId,
    extra: Mapping[str, object], size_px: tuple[int, int],
) -> HeatMap | None:  # fmt: skip
    """Where a horse was before one camera; None where that did not see it. ``extra``:
    ``Stream.extra``; size_px: width and height of its pictures."""
    rows = stretch.rows
    at = [_EPOCH + timedelta(microseconds=int(us)) for us in rows.at_us]
    mine = np.zeros(len(rows), np.bool_)
    for row in np.flatnonzero((rows.flags & DELETED) == 0).tolist():
        owner = stretch.owner(stretch.tracks[int(rows.tracks[row])].id, at[row])
        mine[row] = owner is not None and owner.horse_id == horse_id
    if not mine.any():
        return None
    boxes, at_us = rows.boxes_xyxy_px[mine], rows.at_us[mine]
    feet = np.stack(
        [(boxes[:, 0] + boxes[:, 2]) / 2 / size_px[0], boxes[:, 3] / size_px[1]], axis=1
    ).astype(np.float32)
    seconds = standing_for((at_us - at_us[0]).astype(np.float64) / 1e6, STORED_LONGEST_S)
    ground = read_ground(extra)
    if ground is not None and ground.calibration is not None:
        return heat_map(ground.place_m(feet), seconds, HeatMapUnit.METRES, stream_id)
    return heat_map(feet, seconds, HeatMapUnit.SHARES, stream_id)
