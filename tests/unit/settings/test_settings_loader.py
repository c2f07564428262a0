"""Reading settings: file, environment, and what is said about wrong ones."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from barnhand_desktop.settings.fields import setting_fields
from barnhand_desktop.settings.loader import (
    config_path,
    data_dir,
    load_settings,
    media_dir,
    save_settings,
)
from barnhand_desktop.settings.positions import line_of
from barnhand_desktop.settings.schema import Settings
from engine.domain.errors import EnvironmentFault, OperatorMistake


def write(tmp_path: Path, text: str) -> Path:
    path = tmp_path / "settings.toml"
    path.write_text(text, encoding="utf-8")
    return path


def complaint(tmp_path: Path, text: str, environment: dict[str, str] | None = None) -> str:
    with pytest.raises(OperatorMistake) as caught:
        load_settings(write(tmp_path, text), environment or {})
    return str(caught.value)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    home = {"BARNHAND_CONFIG": ""}
    settings = load_settings(write(tmp_path, ""), home)
    assert settings == Settings()
    assert settings.api.host == "127.0.0.1"
    assert not settings.api.remote_access


def test_the_file_is_read_and_the_environment_wins(tmp_path: Path) -> None:
    path = write(tmp_path, "[api]\nport = 9000\n[engine.capture]\nread_timeout_s = 7\n")
    settings = load_settings(path, {"BARNHAND_API__PORT": "9001", "BARNHAND_MODELS": "/models"})
    assert settings.api.port == 9001
    assert settings.engine.capture.read_timeout_s == 7.0


def test_environment_values_of_every_kind(tmp_path: Path) -> None:
    settings = load_settings(
        write(tmp_path, ""),
        {
            "BARNHAND_ENGINE__POSE__ENABLED": "false",
            "BARNHAND_CONSOLE__LAYOUT": "16",
            "BARNHAND_API__CORS_ORIGINS": "https://a.example, https://b.example:8443",
            "BARNHAND_DATABASE__MODE": "shared",
            "BARNHAND_DATABASE__DSN": "postgresql://barn:12345@db/barn",
            "BARNHAND_STORAGE__MEDIA_DIR": "/media/barn",
        },
    )
    assert settings.engine.pose.enabled is False
    assert settings.console.layout == 16
    assert settings.api.cors_origins == ("https://a.example", "https://b.example:8443")
    assert settings.database.dsn.get_secret_value() == "postgresql://barn:12345@db/barn"
    assert settings.storage.media_dir == Path("/media/barn")


def test_an_unknown_key_names_the_nearest_and_the_line(tmp_path: Path) -> None:
    text = "# mine\n[api]\nhost = '127.0.0.1'\nprot = 9000\n"
    message = complaint(tmp_path, text)
    assert "api.prot is no setting" in message
    assert "line 4" in message
    assert "did you mean api.port?" in message


@pytest.mark.parametrize(
    ("text", "hint"),
    [
        ("[databse]\nmode = 'embedded'\n", "database"),
        ("[capture]\nread_timeout_s = 2\n", "engine.capture"),
        ("[engine]\nread_timeout_s = 2\n", "engine.capture.read_timeout_s"),
        ("theme = 'light'\n", "console.theme"),
    ],
)
def test_misplaced_keys_find_their_home(tmp_path: Path, text: str, hint: str) -> None:
    assert f"did you mean {hint}?" in complaint(tmp_path, text)


def test_a_key_like_no_other_gets_no_wrong_hint(tmp_path: Path) -> None:
    message = complaint(tmp_path, "[api]\nzzqqxx = 1\n")
    assert "api.zzqqxx is no setting" in message
    assert "did you mean" not in message


def test_out_of_range_says_field_value_limits_and_unit(tmp_path: Path) -> None:
    message = complaint(tmp_path, "[engine.capture]\n\nread_timeout_s = 900\n")
    assert "engine.capture.read_timeout_s is 900 s, but must be from 0.5 to 60 s" in message
    assert "settings.toml, line 3" in message


def test_out_of_range_in_the_environment_names_the_variable(tmp_path: Path) -> None:
    message = complaint(tmp_path, "", {"BARNHAND_STORAGE__RETENTION_DAYS": "0"})
    assert "storage.retention_days is 0 days, but must be from 1 to 3650 days" in message
    assert "environment variable BARNHAND_STORAGE__RETENTION_DAYS" in message


def test_all_mistakes_are_told_at_once(tmp_path: Path) -> None:
    message = complaint(tmp_path, "[api]\nport = 99999\n[console]\ntheme = 'pink'\n")
    assert "api.port is 99999" in message
    assert "console.theme is 'pink'" in message and "'dark' or 'light'" in message


def test_wrong_type_and_section_as_value(tmp_path: Path) -> None:
    assert "api.port is 'high'" in complaint(tmp_path, "[api]\nport = 'high'\n")
    assert "write [api]" in complaint(tmp_path, "api = 3\n")


def test_broken_toml_says_where(tmp_path: Path) -> None:
    message = complaint(tmp_path, "[api\nport = 1\n")
    assert "not valid TOML" in message and "line 1" in message


@pytest.mark.parametrize(
    ("variable", "hint"),
    [
        ("BARNHAND_API__PROT", "BARNHAND_API__PORT"),
        ("BARNHAND_API_PORT", "BARNHAND_API__PORT"),
        ("BARNHAND_CAPTURE__READ_TIMEOUT_S", "BARNHAND_ENGINE__CAPTURE__READ_TIMEOUT_S"),
    ],
)
def test_an_unknown_variable_names_the_nearest(tmp_path: Path, variable: str, hint: str) -> None:
    assert f"Did you mean {hint}?" in complaint(tmp_path, "", {variable: "1"})


def test_foreign_variables_are_left_alone(tmp_path: Path) -> None:
    environment = {"BARNHAND_SHARED": "x", "BARNHAND_SOMETHING": "y", "PATH": "/bin"}
    assert load_settings(write(tmp_path, ""), environment) == Settings()


def test_a_named_file_must_exist(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="does not exist"):
        load_settings(tmp_path / "absent.toml", {})
    with pytest.raises(OperatorMistake, match="does not exist"):
        load_settings(None, {"BARNHAND_CONFIG": str(tmp_path / "absent.toml")})


def test_secrets_are_never_shown(tmp_path: Path) -> None:
    message = complaint(tmp_path, "[database]\ndsn = 'mysql://u:hunter2@db/x'\n")
    assert "postgresql://" in message and "hunter2" not in message
    path = write(tmp_path, "[live]\nmode='shared'\nurl='redis://:hunter2@cache:6379/0'\n")
    assert "hunter2" not in repr(load_settings(path, {}))
    wrong = complaint(tmp_path, "[database]\ndsn = ['hunter2']\n")
    assert "database.dsn" in wrong and "hunter2" not in wrong


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("[database]\nmode = 'shared'\n", "dsn is empty"),
        ("[live]\nmode = 'shared'\n", "url is empty"),
        ("[api]\nhost = '0.0.0.0'\n", "remote_access = true"),
        ("[api]\nremote_access = true\n", "needs TLS"),
        ("[api]\ntls_key = 'k.pem'\n", "go together"),
        ("[api]\ncors_origins = ['*']\n", "is no origin"),
    ],
)
def test_rules_over_several_fields(tmp_path: Path, text: str, part: str) -> None:
    assert part in complaint(tmp_path, text)


def test_folders(tmp_path: Path) -> None:
    settings = load_settings(write(tmp_path, f"[storage]\ndata_dir = '{tmp_path}/a'\n"), {})
    assert data_dir(settings, {}) == tmp_path / "a"
    assert media_dir(settings, {}) == tmp_path / "a" / "media"
    assert data_dir(settings, {"BARNHAND_DATA_DIR": str(tmp_path / "b")}) == tmp_path / "b"
    assert config_path({"BARNHAND_CONFIG": "/x/y.toml"}) == Path("/x/y.toml")
    assert config_path({}).name == "settings.toml"


def test_every_setting_says_what_it_is_and_numbers_have_limits() -> None:
    for field in setting_fields().values():
        assert field.description, field.path
        if field.info.annotation in (int, float):
            assert field.limits.count(" ") >= 2, f"{field.path} has no limits on both sides"


# --- saving ----------------------------------------------------------------------------------


def test_saving_keeps_comments_and_other_entries(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        "# the office machine\n[api]\nport = 9000 # behind a proxy\n[console]\ntheme = 'dark'\n",
    )
    saved = save_settings(
        path, {"console.theme": "light", "engine.analysis.fps": 5.0, "storage.retention_days": 30}
    )
    text = path.read_text(encoding="utf-8")
    assert "# the office machine" in text and "# behind a proxy" in text
    assert "format_version = 1" in text
    assert saved == load_settings(path, {})
    assert saved.console.theme == "light" and saved.api.port == 9000
    assert saved.engine.analysis.fps == 5.0 and saved.storage.retention_days == 30
    assert "theme = 'dark'" in path.with_name("settings.toml.bak").read_text(encoding="utf-8")


def test_saving_none_goes_back_to_the_default(tmp_path: Path) -> None:
    path = write(tmp_path, "[api]\nport = 9000\n")
    assert save_settings(path, {"api.port": None, "live.url": None}).api.port == 8620


def test_a_first_save_makes_a_private_file(tmp_path: Path) -> None:
    path = tmp_path / "new" / "settings.toml"
    save_settings(path, {"console.scale_percent": 150})
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_settings(path, {}).console.scale_percent == 150


def test_an_invalid_change_writes_nothing(tmp_path: Path) -> None:
    path = write(tmp_path, "[api]\nport = 9000\n")
    before = path.read_text(encoding="utf-8")
    with pytest.raises(OperatorMistake, match=r"api\.port is 70000"):
        save_settings(path, {"console.theme": "light", "api.port": 70000})
    with pytest.raises(OperatorMistake, match=r"did you mean api\.port"):
        save_settings(path, {"api.prot": 1})
    assert path.read_text(encoding="utf-8") == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ["settings.toml"]


def test_a_folder_in_the_way_is_an_environment_fault(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    with pytest.raises((EnvironmentFault, OperatorMistake)):
        save_settings(tmp_path / "file" / "settings.toml", {"api.port": 1})


@given(
    port=st.integers(0, 65535),
    fps=st.floats(0.1, 120, allow_nan=False),
    theme=st.sampled_from(["dark", "light"]),
    origins=st.lists(st.sampled_from(["https://a.example", "http://b:1"]), max_size=2),
)
def test_what_is_saved_is_what_is_loaded(
    tmp_path_factory: pytest.TempPathFactory, port: int, fps: float, theme: str, origins: list[str]
) -> None:
    path = tmp_path_factory.mktemp("round") / "settings.toml"
    saved = save_settings(
        path,
        {
            "api.port": port,
            "engine.analysis.fps": fps,
            "console.theme": theme,
            "api.cors_origins": tuple(origins),
        },
    )
    assert saved == load_settings(path, {})
    assert (saved.api.port, saved.engine.analysis.fps) == (port, fps)
    assert (saved.console.theme, list(saved.api.cors_origins)) == (theme, origins)


def test_lines_of_keys_are_found() -> None:
    text = "a = 1\n[b]\nc = 2\n[d.e]\n'f' = 3\ng.h = 4\n"
    assert [line_of(text, p) for p in ("a", "b", "b.c", "d.e.f", "d.e.g.h", "x")] == [
        1, 2, 3, 5, 6, None,
    ]  # fmt: skip
