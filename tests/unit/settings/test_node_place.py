"""A data folder is one place, for one process at a time."""

from __future__ import annotations

from pathlib import Path

from barnhand_desktop.node_place import NodePlace


def test_the_place_lasts_over_processes(tmp_path: Path) -> None:
    first = NodePlace(tmp_path)
    place = first.take()
    first.release()
    again = NodePlace(tmp_path)
    assert again.take() == place
    again.release()


def test_a_second_process_in_the_folder_is_another_place(tmp_path: Path) -> None:
    first, second = NodePlace(tmp_path), NodePlace(tmp_path)
    place = first.take()
    assert second.take() != place, "or each would take the other for its dead predecessor"
    first.release()
    second.release()


def test_a_damaged_id_is_made_anew(tmp_path: Path) -> None:
    first = NodePlace(tmp_path)
    place = first.take()
    first.release()
    (tmp_path / "node" / "id").write_text("no id")
    again = NodePlace(tmp_path)
    assert again.take() != place
    again.release()
