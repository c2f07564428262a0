"""Tables as CSV, Parquet or JSON. Times are UTC, units end the columns' names."""

from __future__ import annotations

import csv
import json
import zipfile
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from barnhand_desktop.exports.columns import Column, columns_of
from db.repositories.export_rows import ExportRows, ExportScope
from engine.domain.recording import ExportKind

ENDINGS = {ExportKind.CSV: ".csv", ExportKind.PARQUET: ".parquet", ExportKind.JSON: ".json"}
Row = dict[str, Any]
Counted = Callable[[str, int, datetime], None]
"""Hears of every batch: the table, its rows so far, and the instant reached."""


def ending_of(kind: ExportKind, tables: Sequence[str]) -> str:
    """How the file ends; several CSV or Parquet tables come in one ZIP archive."""
    several = len(tables) > 1 and kind is not ExportKind.JSON
    return ".zip" if several else ENDINGS[kind]


def write_tables(
    kind: ExportKind, tables: Sequence[str], rows: ExportRows, scope: ExportScope, path: Path,
    counted: Counted,
) -> dict[str, int]:  # fmt: skip
    """Write the tables to ``path``; rows by table. Raises OSError as the file system does."""
    if kind is ExportKind.JSON:
        return _json(tables, rows, scope, path, counted)
    write = _csv if kind is ExportKind.CSV else _parquet
    if len(tables) == 1:
        return {tables[0]: write(tables[0], rows, scope, path, counted)}
    counts: dict[str, int] = {}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for table in tables:
            part = path.with_name(f"{path.name}.{table}")
            try:
                counts[table] = write(table, rows, scope, part, counted)
                archive.write(part, f"{table}{ENDINGS[kind]}")
            finally:
                part.unlink(missing_ok=True)
    return counts


def _batches(
    table: str, rows: ExportRows, scope: ExportScope, counted: Counted
) -> Iterator[Sequence[Row]]:
    count = 0
    for batch in rows.rows(table, scope):
        yield batch
        count += len(batch)
        reached = batch[-1].get("time") or batch[-1].get("start_at") or batch[-1].get("raised_at")
        counted(table, count, reached or scope.end)


def _csv(table: str, rows: ExportRows, scope: ExportScope, path: Path, counted: Counted) -> int:
    columns, count = columns_of(table), 0
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow([column.name for column in columns])
        for batch in _batches(table, rows, scope, counted):
            writer.writerows([[_cell(column.value(row)) for column in columns] for row in batch])
            count += len(batch)
    return count


def _cell(value: Any) -> Any:
    if isinstance(value, datetime):
        return _instant(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value  # spreadsheets would take it for a formula
    return "" if value is None else value


def _instant(at: datetime) -> str:
    """Always with microseconds: readers guess the form of a column from its first value."""
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def _parquet(table: str, rows: ExportRows, scope: ExportScope, path: Path, counted: Counted) -> int:
    columns, count = columns_of(table), 0
    schema = pa.schema(
        [(column.name, column.type) for column in columns],
        metadata={"program": "Barnhand", "table": table, "times": "UTC"},
    )
    with pq.ParquetWriter(path, schema, compression="zstd") as writer:
        for batch in _batches(table, rows, scope, counted):
            arrays = [_array(column, batch) for column in columns]
            writer.write_batch(pa.record_batch(arrays, schema=schema))
            count += len(batch)
    return count


def _array(column: Column, batch: Sequence[Row]) -> Any:
    return pa.array([column.value(row) for row in batch], column.type)


def _json(
    tables: Sequence[str], rows: ExportRows, scope: ExportScope, path: Path, counted: Counted
) -> dict[str, int]:
    counts: dict[str, int] = {}
    head = {
        "program": "Barnhand",
        "start_utc": _instant(scope.start),
        "end_utc": _instant(scope.end),
        "cameras": {str(stream_id): name for stream_id, name in scope.cameras},
        "horse_id": None if scope.horse_id is None else str(scope.horse_id),
    }
    with path.open("w", encoding="utf-8") as file:
        file.write(json.dumps(head)[:-1] + ', "tables": {')
        for index, table in enumerate(tables):
            columns, count = columns_of(table), 0
            file.write((", " if index else "") + json.dumps(table) + ": [")
            for batch in _batches(table, rows, scope, counted):
                for row in batch:
                    values = {column.name: _value(column.value(row)) for column in columns}
                    file.write(("," if count else "") + "\n" + json.dumps(values, allow_nan=False))
                    count += 1
            file.write("]")
            counts[table] = count
        file.write("}}\n")
    return counts


def _value(value: Any) -> Any:
    return _instant(value) if isinstance(value, datetime) else value
