"""Pages and fields are made from the real settings schema."""

from __future__ import annotations

import pytest

from barnhand_desktop.settings.schema import Settings
from ui.settings.schema import (
    FieldKind,
    SettingField,
    field_named_in,
    humanised,
    pages_of,
    problems_with,
    text_of,
    value_at,
)

PAGES = pages_of(Settings)
FIELDS: dict[str, SettingField] = {f.path: f for page in PAGES for f in page.fields}


def test_every_section_with_fields_is_a_page() -> None:
    assert [p.path for p in PAGES][:2] == ["engine.capture", "engine.capture.web_video"]
    assert {"engine.capture.push", "engine.analysis"} <= {p.path for p in PAGES}
    assert {"database", "api", "console", "storage"} <= {p.path for p in PAGES}
    assert all(p.help for p in PAGES)


def test_every_field_has_help_and_an_editor() -> None:
    assert all(f.help for f in FIELDS.values())
    assert not [f.path for f in FIELDS.values() if f.kind is FieldKind.FIXED]


@pytest.mark.parametrize(
    ("path", "kind", "unit", "limits"),
    [
        ("engine.capture.read_timeout_s", FieldKind.NUMBER, "s", "0.5 to 60 s"),
        ("engine.analysis.batch_size", FieldKind.WHOLE, "", "1 to 64"),
        ("engine.analysis.device", FieldKind.CHOICE, "", ""),
        ("engine.analysis.motion_gate", FieldKind.SWITCH, "", ""),
        ("database.dsn", FieldKind.SECRET, "", ""),
        ("api.tls_key", FieldKind.PATH, "", ""),
        ("api.cors_origins", FieldKind.LIST, "", ""),
        ("console.layout", FieldKind.CHOICE, "", ""),
    ],
)
def test_fields_know_their_kind_unit_and_limits(
    path: str, kind: FieldKind, unit: str, limits: str
) -> None:
    field = FIELDS[path]
    assert (field.kind, field.unit, field.limits) == (kind, unit, limits)


def test_optional_fields_may_be_empty() -> None:
    assert FIELDS["api.tls_key"].optional
    assert not FIELDS["api.host"].optional
    assert problems_with(Settings(), {"storage.data_dir": None}) == {}


def test_values_are_read_from_text_by_the_schema() -> None:
    assert problems_with(Settings(), {"engine.analysis.fps": "12.5"}) == {}


@pytest.mark.parametrize(
    ("path", "value", "word"),
    [
        ("engine.analysis.fps", "500", "120"),
        ("engine.analysis.fps", "fast", "number"),
        ("engine.analysis.batch_size", "2.5", "integer"),
        ("api.cors_origins", ["barn"], "origin"),
    ],
)
def test_a_wrong_value_is_told_at_its_field(path: str, value: object, word: str) -> None:
    problems = problems_with(Settings(), {"console.tour": False, path: value})
    assert list(problems) == [path]
    assert word in problems[path]


def test_a_rule_over_several_fields_is_told_in_its_section() -> None:
    problems = problems_with(Settings(), {"console.tour": False, "api.remote_access": True})
    assert list(problems) == ["api.remote_access"]
    assert "TLS" in problems["api.remote_access"]


def test_the_field_an_error_names_is_found() -> None:
    paths = list(FIELDS)
    assert field_named_in("engine.analysis.fps must be lower", paths) == "engine.analysis.fps"
    assert field_named_in("dsn is empty", paths) == "database.dsn"
    assert field_named_in("the disk is full", paths) is None


def test_words_for_fields_and_values() -> None:
    assert humanised("connect_timeout_s") == "Connect timeout"
    assert humanised("nms_iou") == "NMS IoU"
    assert text_of(5.0) == "5"
    assert text_of(("a", "b")) == "a, b"
    assert text_of(None) == ""
    assert value_at(Settings(), "engine.analysis.batch_size") == 8
