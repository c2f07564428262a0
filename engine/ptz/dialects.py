"""CGI dialects as data: read, checked, and rendered to requests without credentials."""

from __future__ import annotations

import math
import re
import string
import tomllib
from collections.abc import Mapping
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from engine.domain.errors import Bug, OperatorMistake
from engine.domain.ptz import Authentication, Capabilities, Motion

PRESETS = 8
"""People count presets from 1 to this."""
DIAGONAL_RATIO = math.tan(math.radians(22.5))
"""A motion is diagonal when its smaller part is at least this share of the larger: eight equal
sectors of the stick."""
INHERIT = "like"
"""Key of a dialect that takes everything it does not state from another one."""

Act = Literal[
    "left",
    "right",
    "up",
    "down",
    "upleft",
    "upright",
    "downleft",
    "downright",
    "zoomin",
    "zoomout",
    "home",
    "hscan",
    "vscan",
]
_Table = Mapping[str, object]
_SHIPPED = "the shipped dialects"
_PLAIN: tuple[Act, ...] = ("left", "right", "up", "down")
_PLACEHOLDERS = frozenset({"act", "speed", "pan_speed", "tilt_speed", "channel", "number"})


class Dialect(BaseModel):
    """How one family of cameras wants its CGI requests; the data file explains each field."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    title: str
    move: str
    stop: str
    acts: Mapping[Act, str]
    speed_least: int = Field(1, ge=0)
    speed_most: int = Field(63, ge=1)
    preset_go: str = ""
    preset_store: str = ""
    preset_count: int = Field(PRESETS, ge=0, le=PRESETS)
    preset_offset: int = 0
    snapshot: str = ""
    authentication: tuple[Authentication, ...] = (Authentication.BASIC,)
    user_name: str = "usr"
    password_name: str = "pwd"
    failure: str = ""

    @field_validator("move", "stop", "preset_go", "preset_store", "snapshot")
    @classmethod
    def _template(cls, text: str) -> str:
        if not text:
            return text
        if not text.startswith("/") or text.startswith("//"):
            raise ValueError("a template is a path that begins with one slash")
        names = {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
        if unknown := names - _PLACEHOLDERS:
            raise ValueError(f"{{{min(unknown)}}} is no placeholder")
        return text

    @field_validator("acts")
    @classmethod
    def _enough_acts(cls, acts: Mapping[Act, str]) -> Mapping[Act, str]:
        if missing := [act for act in _PLAIN if act not in acts]:
            raise ValueError(f"acts lacks {missing[0]!r}")
        return acts

    @field_validator("failure")
    @classmethod
    def _expression(cls, text: str) -> str:
        try:
            re.compile(text)
        except re.error as error:
            raise ValueError(f"not a regular expression: {error}") from error
        return text

    @property
    def capabilities(self) -> Capabilities:
        """What a camera of this dialect can do."""
        return Capabilities(
            move=True,
            zoom="zoomin" in self.acts and "zoomout" in self.acts,
            diagonals="upleft" in self.acts and "downright" in self.acts,
            presets=self.preset_count if self.preset_go else 0,
            snapshot=bool(self.snapshot),
        )

    def speed(self, share: float) -> int:
        """The camera's number for a share 0..1 of full speed: linear, the slowest at least."""
        return max(round(abs(share) * self.speed_most), self.speed_least)

    def act(self, motion: Motion) -> tuple[Act, float]:
        """The one act that is nearest to a motion, and its share of full speed.

        These cameras do one thing at a time: the larger of zooming and turning wins; without
        diagonals the larger of pan and tilt. Raises OperatorMistake when the camera cannot.
        """
        pan, tilt = motion.pan, motion.tilt
        turning = max(abs(pan), abs(tilt))
        if abs(motion.zoom) > turning:
            return self._known("zoomin" if motion.zoom > 0 else "zoomout"), abs(motion.zoom)
        if turning == 0.0:
            raise Bug("a still motion is a stop, not a move")
        sideways: Act = "right" if pan > 0 else "left"
        upright: Act = "up" if tilt > 0 else "down"
        diagonal = min(abs(pan), abs(tilt)) >= DIAGONAL_RATIO * turning
        if diagonal and self.capabilities.diagonals:
            both: Mapping[tuple[bool, bool], Act] = {
                (True, True): "upright",
                (True, False): "upleft",
                (False, True): "downright",
                (False, False): "downleft",
            }
            return both[tilt > 0, pan > 0], turning
        return (sideways if abs(pan) >= abs(tilt) else upright), turning

    def move_request(self, motion: Motion, channel: int) -> str:
        """Path and query that start a motion."""
        act, share = self.act(motion)
        return self.move.format(
            act=self.acts[act],
            speed=self.speed(share),
            pan_speed=self.speed(motion.pan),
            tilt_speed=self.speed(motion.tilt),
            channel=channel,
        )

    def act_request(self, act: Act, channel: int) -> str:
        """Path and query of an act by its name (home, hscan, vscan) at full speed."""
        full = self.speed_most
        return self.move.format(
            act=self.acts[self._known(act)],
            speed=full,
            pan_speed=full,
            tilt_speed=full,
            channel=channel,
        )

    def stop_request(self, channel: int) -> str:
        """Path and query that end every motion."""
        full = self.speed_most
        return self.stop.format(
            act="stop", speed=full, pan_speed=full, tilt_speed=full, channel=channel
        )

    def preset_request(self, preset: int, channel: int, store: bool) -> str:
        """Path and query that go to a preset (1 to 8) or store the present view as it."""
        template = self.preset_store if store else self.preset_go
        if not template or not 1 <= preset <= self.preset_count:
            raise OperatorMistake(
                f"This camera has no preset {preset}.",
                f"Its dialect knows presets 1 to {self.preset_count}."
                if template
                else "Its dialect knows no presets.",
            )
        return template.format(number=preset + self.preset_offset, channel=channel)

    def snapshot_request(self, channel: int) -> str:
        """Path and query of a JPEG of the present view. Raises OperatorMistake."""
        if not self.snapshot:
            raise OperatorMistake("This camera's dialect knows no snapshots.")
        return self.snapshot.format(channel=channel)

    def refused(self, answer: str) -> bool:
        """An answer of status 200 that says no."""
        return bool(self.failure) and re.match(self.failure, answer.lstrip()) is not None

    def _known(self, act: Act) -> Act:
        if act not in self.acts:
            raise OperatorMistake(
                f"This camera cannot do {act!r}.", "Its dialect does not know it."
            )
        return act


def dialects(further: Path | None = None) -> Mapping[str, Dialect]:
    """The dialects that ship with the program, and those of a person's own file.

    Raises OperatorMistake naming the file, the dialect and the field that is wrong.
    """
    shipped = _resolved(_tables(_shipped_text(), _SHIPPED), {}, _SHIPPED)
    known = _checked(shipped, _SHIPPED)
    if further is None:
        return known
    try:
        text = further.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise OperatorMistake(
            f"The dialect file {further} cannot be read ({type(error).__name__}).",
            "Correct engine.ptz.dialects_file.",
        ) from error
    where = str(further)
    return known | _checked(_resolved(_tables(text, where), shipped, where), where)


@lru_cache(maxsize=1)
def _shipped_text() -> str:
    return (files("resources") / "ptz" / "dialects.toml").read_text(encoding="utf-8")


def _tables(text: str, where: str) -> dict[str, _Table]:
    try:
        read = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise OperatorMistake(f"{where} is not valid TOML: {error}") from error
    for name, table in read.items():
        if not isinstance(table, dict):
            raise OperatorMistake(f"{where}: {name} is not a table of a dialect.")
    return read


def _checked(tables: Mapping[str, _Table], where: str) -> dict[str, Dialect]:
    return {name: _dialect(name, table, where) for name, table in tables.items()}


def _dialect(name: str, table: _Table, where: str) -> Dialect:
    try:
        return Dialect.model_validate(table)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise OperatorMistake(f"{where}: dialect {name}, {field}: {first['msg']}") from error


def _resolved(
    tables: Mapping[str, _Table], base: Mapping[str, _Table], where: str
) -> dict[str, _Table]:
    """Every table with what it takes from the one it is like: of the same file, or of ``base``."""

    def fields(name: str, seen: tuple[str, ...]) -> _Table:
        own = dict(tables[name])
        parent = own.pop(INHERIT, None)
        if parent is None:
            return own
        if isinstance(parent, str) and parent in tables and parent not in seen:
            return {**fields(parent, (*seen, parent)), **own}
        if isinstance(parent, str) and parent in base:
            return {**base[parent], **own}
        raise OperatorMistake(f"{where}: dialect {name} cannot be like {parent!r}.")

    return {name: fields(name, (name,)) for name in tables}
