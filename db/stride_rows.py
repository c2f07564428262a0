"""Strides and their columns, which the tables of tracks and of sessions share."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from engine.domain.ids import StreamId, TrackId
from engine.domain.motion import Asymmetry, Gait, Lead, Stride, StrideId


def stride_fields(stride: Stride) -> dict[str, Any]:
    """Columns of a stride."""
    asymmetry = stride.asymmetry
    return {
        "id": stride.id,
        "track_id": stride.track_id,
        "stream_id": stride.stream_id,
        "start_at": stride.start_at,
        "end_at": stride.end_at,
        "stride_hz": stride.stride_hz,
        "length_m": stride.length_m,
        "speed_mps": stride.speed_mps,
        "symmetry": stride.symmetry,
        "hd_min_mm": asymmetry.hd_min_mm,
        "hd_max_mm": asymmetry.hd_max_mm,
        "pd_min_mm": asymmetry.pd_min_mm,
        "pd_max_mm": asymmetry.pd_max_mm,
        "quality": stride.quality,
        "gait": int(stride.gait),
        "lead": int(stride.lead),
        "straight": stride.straight,
        "provisional": stride.provisional,
        "duty": list(stride.duty),
        "phases": list(stride.phases),
        "dissociation": list(stride.dissociation),
    }


def stride_of(row: Mapping[str, Any]) -> Stride:
    """A stride from its row."""
    return Stride(
        id=StrideId(row["id"]),
        track_id=TrackId(row["track_id"]),
        stream_id=StreamId(row["stream_id"]),
        start_at=row["start_at"],
        end_at=row["end_at"],
        gait=Gait(row["gait"]),
        lead=Lead(row["lead"]),
        stride_hz=row["stride_hz"],
        length_m=row["length_m"],
        speed_mps=row["speed_mps"],
        duty=(row["duty"][0], row["duty"][1], row["duty"][2], row["duty"][3]),
        phases=(row["phases"][0], row["phases"][1], row["phases"][2], row["phases"][3]),
        dissociation=(row["dissociation"][0], row["dissociation"][1]),
        symmetry=row["symmetry"],
        asymmetry=Asymmetry(row["hd_min_mm"], row["hd_max_mm"], row["pd_min_mm"], row["pd_max_mm"]),
        straight=row["straight"],
        quality=row["quality"],
        provisional=row["provisional"],
    )
