"""What the settings say about the console itself, read with defaults: the schema belongs to the
application, and a console on a bench has a smaller one."""

from __future__ import annotations

from dataclasses import dataclass

from pydantic import BaseModel

from ui.settings.schema import value_at
from ui.theme import ThemeName


@dataclass(frozen=True, slots=True)
class ConsoleChoices:
    """Look, scale in percent, least number of places at start, repaints per second, and the
    engine's thresholds that the wall shows."""

    theme: ThemeName = "dark"
    scale_percent: int = 100
    layout: int = 4
    refresh_fps: float = 30.0
    synchronised_overlays: bool = True
    keypoint_confidence: float = 0.3
    confidence: float = 0.35
    analysis_fps: float = 10.0
    similarity_threshold: float = 0.75

    @classmethod
    def of(cls, settings: BaseModel) -> ConsoleChoices:
        """The choices in a settings model."""
        plain = cls()

        def number(path: str, default: float) -> float:
            value = _value(settings, path)
            return float(value) if isinstance(value, (int, float)) else default

        synchronised = _value(settings, "console.synchronised_overlays")
        return cls(
            theme="light" if _value(settings, THEME) == "light" else "dark",
            scale_percent=round(number("console.scale_percent", plain.scale_percent)),
            layout=round(number("console.layout", plain.layout)),
            refresh_fps=number("console.refresh_fps", plain.refresh_fps),
            synchronised_overlays=plain.synchronised_overlays
            if synchronised is None
            else bool(synchronised),
            keypoint_confidence=number(
                "engine.pose.keypoint_confidence", plain.keypoint_confidence
            ),
            confidence=number("engine.detection.confidence", plain.confidence),
            analysis_fps=number("engine.analysis.fps", plain.analysis_fps),
            similarity_threshold=number(
                "engine.tracking.similarity_threshold", plain.similarity_threshold
            ),
        )


THEME = "console.theme"
"""The setting that holds the look."""


def _value(settings: BaseModel, path: str) -> object:
    try:
        return value_at(settings, path)
    except AttributeError:
        return None
