"""A JPEG of a camera's newest picture, with overlays when asked for."""

from __future__ import annotations

import cv2

from engine.domain.errors import Bug
from engine.domain.ids import StreamId
from engine.facade import Engine

JPEG_QUALITY = 85
OVERLAY_AGE_S = 0.5
"""Overlays of an older result are not drawn (the specification's limit for interpolation)."""
LONGEST_PX = 1920


def snapshot_jpeg(engine: Engine, stream_id: StreamId, overlays: bool) -> bytes | None:
    """The newest picture as JPEG, at most 1920 px wide; None when there is none yet."""
    newest = engine.latest_picture(stream_id)
    if newest is None:
        return None
    stamp, picture = newest
    scale = min(1.0, LONGEST_PX / picture.width_px)
    image = picture.scaled_bgr(round(picture.width_px * scale), round(picture.height_px * scale))
    results = engine.results(stream_id) if overlays else ()
    if results and stamp.captured_mono_s - results[-1].stamp.captured_mono_s <= OVERLAY_AGE_S:
        tracks = results[-1].tracks
        for box, number in zip(tracks.boxes_xyxy_px * scale, tracks.numbers, strict=True):
            x1, y1, x2, y2 = (round(float(v)) for v in box)
            cv2.rectangle(image, (x1, y1), (x2, y2), (0, 0, 0), 4)
            cv2.rectangle(image, (x1, y1), (x2, y2), (255, 191, 0), 2)
            place = (x1 + 4, max(y1 - 6, 14))
            cv2.putText(image, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (0, 0, 0), 4)
            cv2.putText(
                image, str(number), place, cv2.FONT_HERSHEY_SIMPLEX, 0.6, (255, 255, 255), 1
            )
    done, data = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, JPEG_QUALITY])
    if not done:
        raise Bug("a picture could not be encoded as JPEG")
    return bytes(data)
