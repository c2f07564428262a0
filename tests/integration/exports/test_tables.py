"""Tables read back with pandas, JSON and zip tools."""

from __future__ import annotations

import hashlib
import io
import json
import zipfile
from datetime import timedelta

import pandas as pd
import pytest

from db.repositories.export_rows import TABLES
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.ids import HorseId, new_stream_id, new_track_id
from engine.domain.recording import ExportKind
from tests.integration.exports.conftest import ExportBarn

UNITS = ("_px", "_s", "_mps", "_hz", "_m", "_mm", "_deg", "_share", "_utc", "_json")
PLAIN = {
    "camera", "stream_id", "track_id", "track_number", "horse_id", "horse", "class", "score",
    "corrected", "interpolated", "model", "skeleton", "kind", "value", "confidence",
    "provisional", "gait", "lead", "action", "posture", "symmetry", "straight", "quality",
    "severity", "message", "acknowledged_by", "note", "alert_id",
}  # fmt: skip


@pytest.fixture
def full(barn: ExportBarn) -> ExportBarn:
    barn.moves()
    barn.alert('=HYPERLINK("x")')
    barn.run(
        "INSERT INTO pose_metrics (time, track_id, gait, lead, action, posture, speed_mps, "
        "stride_hz, stride_m, head_height_m, back_deg, symmetry, knee_right_deg) "
        "VALUES (%s, %s, 3, 0, 3, 1, 3412, 1430, 2390, -120, 512, 9000, 17950)",
        barn.start + timedelta(seconds=2), barn.track_id,
    )  # fmt: skip
    return barn


def frames(barn: ExportBarn, kind: ExportKind) -> dict[str, pd.DataFrame]:
    result = barn.export(kind, tables=TABLES)
    path = barn.file(result)
    assert hashlib.sha256(path.read_bytes()).hexdigest() == result["sha256"]
    assert path.stat().st_size == result["size_bytes"]
    if kind is ExportKind.JSON:
        document = json.loads(path.read_text())
        assert document["start_utc"] == "2025-05-01T12:00:00.000000Z"
        return {name: pd.DataFrame(rows) for name, rows in document["tables"].items()}
    found = {}
    with zipfile.ZipFile(path) as archive:
        for name in archive.namelist():
            table, _, ending = name.partition(".")
            data = io.BytesIO(archive.read(name))
            found[table] = pd.read_csv(data) if ending == "csv" else pd.read_parquet(data)
    return found


@pytest.mark.parametrize("kind", [ExportKind.CSV, ExportKind.PARQUET, ExportKind.JSON])
def test_every_table_reads_back(full: ExportBarn, kind: ExportKind) -> None:
    tables = frames(full, kind)
    assert set(tables) == set(TABLES)
    assert {name: len(table) for name, table in tables.items()} == {
        "detections": 40, "bouts": 5, "strides": 12, "metrics": 1, "alerts": 1,
    }  # fmt: skip
    for name, table in tables.items():
        for column in table.columns:
            assert column in PLAIN or column.endswith(UNITS), f"{name}.{column} names no unit"
    detections = tables["detections"]
    assert list(detections["x1_px"]) == [10 * n for n in range(40)]
    assert set(detections["horse"]) == {"Bella"} and set(detections["score"]) == {0.9}
    assert set(detections["model"]) == {"square@1"} and set(detections["class"]) == {"horse"}
    assert json.loads(detections["keypoints_px_json"][3]).keys() == {"nose"}
    times = pd.to_datetime(detections["time_utc"], utc=True)
    assert times[7] == full.start + timedelta(seconds=0.7)
    strides = tables["strides"]
    assert strides["speed_mps"].mean() == pytest.approx(3.4)
    assert strides["dissociation_right_front_share"].isna().all()
    assert strides["duty_left_hind_share"].iloc[0] == pytest.approx(0.4)
    assert strides["hd_min_mm"].mean() == pytest.approx(9, abs=2)
    metrics = tables["metrics"].iloc[0]
    assert (metrics["speed_mps"], metrics["head_height_m"]) == pytest.approx((3.412, -0.12))
    assert (metrics["gait"], metrics["knee_right_deg"]) == ("trot", 179.5)
    assert pd.isna(metrics["elbow_left_deg"])


def test_a_spreadsheet_takes_no_text_for_a_formula(full: ExportBarn) -> None:
    assert frames(full, ExportKind.CSV)["alerts"]["message"][0] == '\'=HYPERLINK("x")'
    assert frames(full, ExportKind.PARQUET)["alerts"]["message"][0] == '=HYPERLINK("x")'


def test_one_table_comes_without_an_archive(full: ExportBarn) -> None:
    for kind, ending in ((ExportKind.CSV, ".csv"), (ExportKind.PARQUET, ".parquet")):
        result = full.export(kind, tables=("bouts",), file_name="../Bella's week")
        assert str(result["path"]).endswith(ending)
        assert result["name"] == f"Bella-s-week{ending}" and result["rows"] == {"bouts": 5}
    table = pd.read_csv(full.file(full.export(ExportKind.CSV, tables=("bouts",))))
    walk = table[(table["kind"] == "gait") & (table["value"] == "walk")].iloc[0]
    assert walk["duration_s"] == 2.0 and not walk["provisional"]


def test_rows_are_those_of_the_horse_the_cameras_and_the_time(full: ExportBarn) -> None:
    juno = full.horse("Juno")
    full.track(full.stream_id, 0, 5, juno)
    full.run("UPDATE tracks SET class_id = 1 WHERE id = %s", new_track_id())
    other = full.camera("south")

    def rows(**changes: object) -> int:
        counts = full.export(ExportKind.CSV, tables=("detections",), **changes)["rows"]
        assert isinstance(counts, dict)
        return int(counts["detections"])

    half = full.start + timedelta(seconds=2)
    assert rows(horse_id=full.bella) == 40
    assert rows(horse_id=juno) == 0
    assert rows(start_at=half) == 20 and rows(end_at=half) == 20
    assert rows(stream_ids=(other,)) == 0
    assert rows(stream_ids=()) == 40
    full.run("UPDATE detections SET flags = 4 WHERE time < %s", half)
    assert rows() == 20


def test_bouts_are_cut_to_the_asked_time(full: ExportBarn) -> None:
    start, end = full.start + timedelta(seconds=1), full.start + timedelta(seconds=3)
    result = full.export(ExportKind.CSV, tables=("bouts",), start_at=start, end_at=end)
    table = pd.read_csv(full.file(result))
    assert table["duration_s"].max() == 2.0
    assert pd.to_datetime(table["start_utc"]).min() == start


def test_what_is_not_the_farm_s_is_not_found(full: ExportBarn) -> None:
    with pytest.raises(NotFound):
        full.export(ExportKind.CSV, stream_ids=(new_stream_id(),))
    with pytest.raises(NotFound):
        full.export(ExportKind.CSV, horse_id=HorseId(new_stream_id()))
    with pytest.raises(OperatorMistake, match="detections"):
        full.export(ExportKind.CSV, tables=("users",))
