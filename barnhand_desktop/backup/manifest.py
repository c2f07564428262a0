"""What a backup says of itself."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from engine.domain.errors import OperatorMistake

FORMAT = 1
NOT_HELD = ("recordings and other media files", "model files", "settings files")


class DamagedBackup(OperatorMistake):
    """The file is no whole backup and cannot be restored."""


class Manifest(BaseModel):
    """The document ``manifest.json`` of a backup.

    ``rows`` are the rows of every table, counted in the snapshot that was dumped; ``sha256`` and
    ``dump_bytes`` are of the dump; ``database_bytes`` is what the database took on disk.
    """

    model_config = ConfigDict(extra="ignore", frozen=True)

    format: int = FORMAT
    program: str
    created_at: datetime
    node: str = ""
    database: str
    server_version: str
    schema_version: int = Field(ge=0)
    queue_version: str = ""
    extensions: Mapping[str, str] = {}
    farms: tuple[str, ...] = ()
    rows: Mapping[str, int] = {}
    database_bytes: int = 0
    dump_bytes: int
    sha256: str = Field(pattern="^[0-9a-f]{64}$")
    with_keys: bool = False
    not_held: tuple[str, ...] = NOT_HELD

    @classmethod
    def read(cls, text: bytes, where: object) -> Manifest:
        """From JSON. Raises OperatorMistake when it is none, or of a newer format."""
        try:
            manifest = cls.model_validate_json(text)
        except ValidationError as error:
            raise damaged(where, "its description cannot be read") from error
        if manifest.format > FORMAT:
            raise OperatorMistake(
                f"{where} was made by a newer Barnhand ({manifest.program}).",
                "Update Barnhand on this machine, then restore it.",
            )
        return manifest

    def refuse_newer(self, schema_version: int, queue_version: str, where: object) -> None:
        """Raises OperatorMistake when the database inside is newer than this program."""
        if self.schema_version > schema_version or self.queue_version > queue_version:
            raise OperatorMistake(
                f"{where} holds a newer database than this program knows: step "
                f"{self.schema_version:04d} of Barnhand {self.program}, known are "
                f"{schema_version:04d}.",
                "Update Barnhand on this machine, then restore it.",
            )


def damaged(where: object, reason: str) -> DamagedBackup:
    """The error for a file that is no whole backup."""
    return DamagedBackup(
        f"{where} is not a whole backup: {reason}.",
        "Use another one; `barnhand backup --list` shows those of this machine.",
    )
