"""The model store: search order, hashes, downloads from a real server, imports."""

from __future__ import annotations

import functools
import hashlib
import io
import threading
import zipfile
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from engine.domain.errors import ModelInvalid, ModelUnavailable, NotFound, OperatorMistake
from engine.models.integrity import noted_hash
from engine.models.manifest import Manifest, ModelEntry, PublishedWeights, Task, read_manifest
from engine.models.store import FileState, HashKnown, LicenceNotAccepted, ModelStore, Place
from engine.training.cards import manifest_text
from tests.helpers.tiny_models import bright_cell_yolox, constant_model

MANIFEST = Path(__file__).resolve().parents[2] / "resources" / "models" / "manifest.toml"
CONTENT = bytes(range(256)) * 4096


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: Any) -> None:
        """Say nothing."""


@pytest.fixture
def site(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder and the address under which a real HTTP server serves it."""
    folder = tmp_path / "site"
    folder.mkdir()
    handler = functools.partial(_Quiet, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,), name="model site")
        thread.start()
        yield folder, f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join(5)
        assert not thread.is_alive()


def entry(name: str = "pony", **fields: Any) -> dict[str, Any]:
    file = {"name": f"{name}.onnx", "sha256": hashlib.sha256(CONTENT).hexdigest()}
    file |= fields.pop("file", {})
    return {
        "name": name,
        "task": "detector",
        "layout": "yolox",
        "files": [{key: value for key, value in file.items() if value is not None}],
        "input": {"width_px": 64, "height_px": 64},
        "licence": "test",
        "origin": "https://example.org/pony",
        "classes": {"0": "horse"},
        **fields,
    }


def store(tmp_path: Path, *entries: dict[str, Any]) -> ModelStore:
    for folder in ("cache", "first", "second", "bundled"):
        (tmp_path / folder).mkdir(exist_ok=True)
    return ModelStore(
        Manifest.model_validate({"model": entries}),
        tmp_path / "cache",
        [tmp_path / "first", tmp_path / "second"],
        tmp_path / "bundled",
    )


# --- search order --------------------------------------------------------------------------------


def test_the_cache_comes_before_extra_folders_and_those_before_the_bundle(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    pony = models.manifest.named("pony")
    for folder, place in (
        ("bundled", Place.BUNDLED),
        ("second", Place.EXTRA),
        ("first", Place.EXTRA),
        ("cache", Place.USER_CACHE),
    ):
        (tmp_path / folder / "pony.onnx").write_bytes(CONTENT)
        status = models.status_of(pony)
        assert (status.state, status.place) == (FileState.PRESENT, place)
        assert models.locate(pony) == tmp_path / folder / "pony.onnx"


def test_a_damaged_copy_does_not_hide_an_intact_one_further_on(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    (tmp_path / "cache" / "pony.onnx").write_bytes(CONTENT[:-1] + b"!")
    (tmp_path / "bundled" / "pony.onnx").write_bytes(CONTENT)
    assert models.locate(models.manifest.named("pony")) == tmp_path / "bundled" / "pony.onnx"


@pytest.mark.parametrize(
    ("content", "says"), [(b"", "empty"), (CONTENT[:-1] + b"!", "SHA-256"), (b"short", "SHA-256")]
)
def test_a_damaged_file_is_told_with_what_is_wrong(
    tmp_path: Path, content: bytes, says: str
) -> None:
    models = store(tmp_path, entry())
    (tmp_path / "first" / "pony.onnx").write_bytes(content)
    (status,) = models.status()
    assert status.state is FileState.DAMAGED
    assert says in status.problem
    assert models.available(Task.DETECTOR) == ()
    with pytest.raises(ModelInvalid, match=says):
        models.locate(status.entry)


def test_a_file_that_changes_is_checked_again(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    path = tmp_path / "first" / "pony.onnx"
    path.write_bytes(CONTENT)
    assert [e.name for e in models.available(Task.DETECTOR)] == ["pony"]
    path.write_bytes(CONTENT + b"more")
    assert models.available(Task.DETECTOR) == ()


def test_a_model_of_several_files_needs_all_of_them_in_one_folder(tmp_path: Path) -> None:
    both = entry(files=[{"name": "pair/a.xml"}, {"name": "pair/a.bin"}])
    models = store(tmp_path, both)
    for folder, name in (("first", "a.xml"), ("second", "a.bin")):
        (tmp_path / folder / "pair").mkdir()
        (tmp_path / folder / "pair" / name).write_bytes(b"x")
    (status,) = models.status()
    assert (status.state, status.problem) == (
        FileState.DAMAGED,
        "pair/a.bin is missing beside it",
    )
    (tmp_path / "first" / "pair" / "a.bin").write_bytes(b"x")
    assert models.locate(status.entry) == tmp_path / "first" / "pair" / "a.xml"


def test_available_models_come_by_rank(tmp_path: Path) -> None:
    names = {"slow": 30, "best": 10, "good": 20}
    models = store(tmp_path, *(entry(n, rank=r) for n, r in names.items()), entry("absent"))
    for name in names:
        (tmp_path / "first" / f"{name}.onnx").write_bytes(CONTENT)
    assert [e.name for e in models.available(Task.DETECTOR)] == ["best", "good", "slow"]
    assert models.available(Task.POSE) == ()


def test_an_absent_model_without_an_address_says_where_it_comes_from(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    with pytest.raises(ModelUnavailable, match=r"example\.org/pony"):
        models.locate(models.manifest.named("pony"))
    with pytest.raises(ModelUnavailable, match="No download address"):
        models.fetch("pony")


def test_an_unknown_name_lists_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="pony"):
        store(tmp_path, entry()).resolve("zebra", Task.DETECTOR)


def test_a_model_of_another_task_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OperatorMistake, match="detector, not for pose"):
        store(tmp_path, entry()).resolve("pony", Task.POSE)


# --- downloads -----------------------------------------------------------------------------------


def test_a_download_is_checked_put_in_place_and_told_while_it_runs(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    folder, address = site
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.onnx"]}))
    told: list[tuple[int, int | None]] = []
    path = models.fetch("pony", lambda done, total: told.append((done, total)))
    assert path == tmp_path / "cache" / "pony.onnx"
    assert path.read_bytes() == CONTENT
    assert told[-1] == (len(CONTENT), len(CONTENT))
    assert [done for done, _ in told] == sorted(done for done, _ in told)
    assert sorted(p.name for p in (tmp_path / "cache").iterdir()) == ["pony.onnx"]


def test_fetching_again_asks_nobody(tmp_path: Path, site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.onnx"]}))
    models.fetch("pony")
    (folder / "p.onnx").unlink()
    assert models.fetch("pony").read_bytes() == CONTENT


def test_locating_downloads_only_when_allowed(tmp_path: Path, site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.onnx"]}))
    pony = models.manifest.named("pony")
    with pytest.raises(ModelUnavailable, match="models fetch pony"):
        models.locate(pony, may_download=False)
    assert models.locate(pony).read_bytes() == CONTENT


def test_a_damaged_copy_is_replaced_by_a_download(tmp_path: Path, site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.onnx"]}))
    (tmp_path / "cache" / "pony.onnx").write_bytes(b"half")
    assert models.locate(models.manifest.named("pony")).read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("served", "file", "says"),
    [
        (CONTENT[:-1] + b"!", {}, "not the expected one"),
        (None, {}, "404"),
        (CONTENT, {"size_bytes": 1000}, "larger than the 1000 bytes"),
        (CONTENT[:500], {"size_bytes": 1000}, "500 bytes instead of 1000"),
    ],
)
def test_a_download_that_is_not_what_was_meant_leaves_nothing(
    tmp_path: Path,
    site: tuple[Path, str],
    served: bytes | None,
    file: dict[str, Any],
    says: str,
) -> None:
    folder, address = site
    if served is not None:
        (folder / "p.onnx").write_bytes(served)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.onnx"], **file}))
    with pytest.raises(ModelUnavailable, match=says):
        models.fetch("pony")
    assert list((tmp_path / "cache").iterdir()) == []


def test_no_connection_is_told_as_such_and_the_next_address_is_tried(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    folder, address = site
    nobody = "http://127.0.0.1:1/p.onnx"
    alone = store(tmp_path, entry(file={"urls": [nobody]}))
    with pytest.raises(ModelUnavailable, match=r"no connection.*internet"):
        alone.fetch("pony")
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(tmp_path, entry(file={"urls": [nobody, f"{address}/p.onnx"]}))
    assert models.fetch("pony").read_bytes() == CONTENT


def zip_of(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name.replace("__", "/"), content)
    return buffer.getvalue()


def test_a_member_of_a_zip_is_taken(tmp_path: Path, site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "p.zip").write_bytes(
        zip_of(**{"2023__deep__end2end.onnx": CONTENT, "2023__note": b"?"})
    )
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.zip#end2end.onnx"]}))
    assert models.fetch("pony").read_bytes() == CONTENT


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (zip_of(**{"a__x.onnx": CONTENT, "b__x.onnx": CONTENT}), "2 files named x.onnx"),
        (zip_of(readme=b"?"), "0 files named x.onnx"),
        (b"no archive", "zip"),
    ],
)
def test_a_zip_without_exactly_that_member_is_refused(
    tmp_path: Path, site: tuple[Path, str], content: bytes, says: str
) -> None:
    folder, address = site
    (folder / "p.zip").write_bytes(content)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.zip#x.onnx"]}))
    with pytest.raises(ModelUnavailable, match=says):
        models.fetch("pony")


def test_without_a_stated_hash_later_damage_is_still_noticed(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    folder, address = site
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.onnx"], "sha256": None}))
    path = models.fetch("pony")
    assert noted_hash(path).is_file()
    path.write_bytes(CONTENT[:-1])
    assert models.status()[0].state is FileState.DAMAGED


# --- paths and imports ---------------------------------------------------------------------------


def test_a_path_in_the_settings_is_described_and_located(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    file = bright_cell_yolox(tmp_path / "Farm Net.onnx", ["batch", 3, 64, 64])
    found, path = models.resolve(str(file), Task.DETECTOR)
    assert path == file
    assert found.name == "farm-net"
    assert found.layout == "yolox"
    assert models.locate(found) == file


def test_a_path_to_a_listed_file_gets_the_listed_entry(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    (tmp_path / "renamed.onnx").write_bytes(CONTENT)
    found, path = models.resolve(str(tmp_path / "renamed.onnx"), Task.DETECTOR)
    assert (found.name, path.name) == ("pony", "renamed.onnx")


def test_a_path_to_nothing_is_told(tmp_path: Path) -> None:
    with pytest.raises(NotFound, match=r"gone\.onnx"):
        store(tmp_path, entry()).resolve(str(tmp_path / "gone.onnx"), Task.DETECTOR)


def test_an_imported_file_is_listed_from_then_on(tmp_path: Path) -> None:
    file = bright_cell_yolox(tmp_path / "net.onnx", ["batch", 3, 64, 64])
    models = store(tmp_path, entry())
    imported = models.import_file(file, Task.DETECTOR, "our-barn")
    file.unlink()
    again = store(tmp_path, entry())
    (found,) = again.available(Task.DETECTOR)
    assert found == imported
    assert found.name == "our-barn"
    assert again.locate(found).parent == tmp_path / "cache" / "imported" / "our-barn"
    assert models.status_of(imported).state is FileState.PRESENT


def test_a_second_import_keeps_the_first_and_refuses_its_name(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    one = bright_cell_yolox(tmp_path / "one.onnx", ["batch", 3, 64, 64])
    two = bright_cell_yolox(tmp_path / "two.onnx", ["batch", 3, 96, 96])
    models.import_file(one, Task.DETECTOR)
    with pytest.raises(OperatorMistake, match="'one' is listed already"):
        models.import_file(two, Task.DETECTOR, "one")
    models.import_file(two, Task.DETECTOR)
    assert {e.name for e in models.available(Task.DETECTOR)} == {"one", "two"}


def test_importing_a_listed_file_files_it_under_its_entry(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    (tmp_path / "download (1).onnx").write_bytes(CONTENT)
    assert models.import_file(tmp_path / "download (1).onnx", Task.DETECTOR).name == "pony"
    assert models.locate(models.manifest.named("pony")) == tmp_path / "cache" / "pony.onnx"


def test_a_damaged_file_is_not_imported(tmp_path: Path) -> None:
    (tmp_path / "x.onnx").write_bytes(b"nothing")
    models = store(tmp_path, entry())
    with pytest.raises(ModelInvalid, match=r"x\.onnx"):
        models.import_file(tmp_path / "x.onnx", Task.DETECTOR)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_manifest_in_an_extra_folder_adds_models(tmp_path: Path) -> None:
    path = constant_model(
        tmp_path / "v.onnx", {"output": np.ones((8,), np.float32)}, ["b", 3, 64, 64]
    )
    store(tmp_path)
    (tmp_path / "first" / "v.onnx").write_bytes(path.read_bytes())
    (tmp_path / "first" / "manifest.toml").write_text(
        '[[model]]\nname = "added"\ntask = "embedder"\nlayout = "embedding"\nlicence = "x"\n'
        'origin = "x"\nfiles = [{ name = "v.onnx" }]\ninput = { width_px = 64, height_px = 64 }\n'
    )
    assert [e.name for e in store(tmp_path, entry()).available(Task.EMBEDDER)] == ["added"]


def test_a_listed_file_is_no_model_for_another_task(tmp_path: Path) -> None:
    models = store(tmp_path, entry())
    (tmp_path / "any.onnx").write_bytes(CONTENT)
    with pytest.raises(OperatorMistake, match="model for detector, not for pose"):
        models.import_file(tmp_path / "any.onnx", Task.POSE)
    with pytest.raises(OperatorMistake, match="is pony, a model for detector and not for pose"):
        models.resolve(str(tmp_path / "any.onnx"), Task.POSE)
    assert list((tmp_path / "cache").iterdir()) == []


def test_a_file_that_nobody_describes_needs_its_task(tmp_path: Path) -> None:
    file = bright_cell_yolox(tmp_path / "net.onnx", ["batch", 3, 64, 64])
    models = store(tmp_path)
    with pytest.raises(OperatorMistake, match=r"--task detector\|pose"):
        models.import_file(file)
    (tmp_path / "notes.txt").write_text("horses")
    with pytest.raises(ModelInvalid, match="no model file"):
        models.import_file(tmp_path / "notes.txt")
    with pytest.raises(ModelInvalid, match="no pose layout"):
        models.import_file(file, Task.POSE)


def test_a_trained_model_is_imported_with_all_that_training_wrote_of_it(tmp_path: Path) -> None:
    file = bright_cell_yolox(tmp_path / "own.onnx", ["batch", 3, 64, 64])
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    made = ModelEntry.model_validate(
        entry("own", file={"sha256": digest}, licence="ours", rank=7, threshold=0.4)
    )
    (tmp_path / "own.toml").write_text(manifest_text(made))
    models = store(tmp_path)
    imported = models.import_file(file)
    assert (imported.licence, imported.rank, imported.threshold) == ("ours", 7, 0.4)
    assert models.available(Task.DETECTOR) == (imported,)
    file.write_bytes(file.read_bytes() + b"other")
    with pytest.raises(ModelInvalid, match=r"own\.toml describes another file"):
        models.import_file(file)


def test_an_exported_folder_serves_on_another_machine(tmp_path: Path) -> None:
    both = entry("pair", files=[{"name": "deep/a.xml"}, {"name": "deep/a.bin"}])
    models = store(tmp_path, both, entry())
    (tmp_path / "first" / "deep").mkdir()
    (tmp_path / "first" / "deep" / "a.xml").write_bytes(b"graph")
    (tmp_path / "first" / "deep" / "a.bin").write_bytes(b"weights")
    (tmp_path / "second" / "pony.onnx").write_bytes(CONTENT)
    there = tmp_path / "stick"
    models.export("pair", there)
    models.export("pony", there)
    models.export("pony", there)
    other = ModelStore(Manifest(), tmp_path / "other", [there])
    assert {e.name for e in other.available(Task.DETECTOR)} == {"pair", "pony"}
    assert all(row.hash_known is HashKnown.STATED for row in other.status())
    (there / "deep" / "a.bin").write_bytes(b"changed")
    assert {e.name for e in other.available(Task.DETECTOR)} == {"pony"}


def test_what_is_not_here_cannot_be_exported(tmp_path: Path) -> None:
    models = store(tmp_path, entry(file={"urls": ["https://example.org/p.onnx"]}))
    with pytest.raises(ModelUnavailable, match="models fetch pony"):
        models.export("pony", tmp_path / "stick")


# --- licences, hashes, and weights that must be made into a model ---------------------------------


def test_a_licence_against_commerce_is_accepted_first(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    folder, address = site
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(
        tmp_path,
        entry(file={"urls": [f"{address}/p.onnx"]}, commercial_use=False, licence="CC-BY-NC"),
    )
    with pytest.raises(LicenceNotAccepted, match=r"CC-BY-NC.*--accept-licence"):
        models.fetch("pony")
    # Naming it in the settings is not accepting it.
    with pytest.raises(ModelUnavailable, match="models fetch pony"):
        models.locate(models.manifest.named("pony"))
    assert list((tmp_path / "cache").iterdir()) == []
    assert models.fetch("pony", accept_licence=True).read_bytes() == CONTENT
    # What is here was accepted once.
    assert models.locate(models.manifest.named("pony")).read_bytes() == CONTENT


def test_a_hash_that_nobody_states_is_pinned_by_the_first_download(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    folder, address = site
    (folder / "p.onnx").write_bytes(CONTENT)
    models = store(tmp_path, entry(file={"urls": [f"{address}/p.onnx"], "sha256": None}))
    assert models.status()[0].hash_known is HashKnown.UNKNOWN
    models.fetch("pony")
    (row,) = models.status()
    assert row.hash_known is HashKnown.PINNED
    assert row.size_bytes == len(CONTENT)
    assert store(tmp_path, entry()).status()[0].hash_known is HashKnown.STATED


def converter(_which: PublishedWeights, weights: Path, target: Path) -> None:
    target.write_bytes(b"model of " + weights.read_bytes()[:16])


def weights_entry(address: str, **file: Any) -> dict[str, Any]:
    stored = {"name": "weights/pony.bin", "urls": [f"{address}/w.bin"], **file}
    return entry(file={"sha256": None}, weights={"kind": "megadescriptor", "file": stored})


def test_a_model_is_made_from_published_weights(tmp_path: Path, site: tuple[Path, str]) -> None:
    folder, address = site
    (folder / "w.bin").write_bytes(CONTENT)
    models = store(tmp_path, weights_entry(address))
    (row,) = models.status()
    assert (row.state, row.can_fetch) == (FileState.ABSENT, True)
    with pytest.raises(ModelUnavailable, match="must be converted"):
        models.fetch("pony")
    with pytest.raises(ModelUnavailable, match="models fetch pony"):
        models.locate(row.entry)
    path = models.fetch("pony", convert=converter)
    assert path == tmp_path / "cache" / "pony.onnx"
    assert path.read_bytes() == b"model of " + CONTENT[:16]
    path.write_bytes(b"something else")
    assert models.status()[0].state is FileState.DAMAGED


@pytest.mark.parametrize("served", [CONTENT[:-1] + b"!", None])
def test_wrong_weights_make_nothing(
    tmp_path: Path, site: tuple[Path, str], served: bytes | None
) -> None:
    folder, address = site
    if served is not None:
        (folder / "w.bin").write_bytes(served)
    digest = hashlib.sha256(CONTENT).hexdigest()
    models = store(tmp_path, weights_entry(address, sha256=digest))
    with pytest.raises(ModelUnavailable, match=r"pony\.bin could not be downloaded"):
        models.fetch("pony", convert=converter)
    assert [p for p in (tmp_path / "cache").rglob("*") if p.is_file()] == []


def test_a_conversion_that_fails_leaves_nothing_but_the_weights(
    tmp_path: Path, site: tuple[Path, str]
) -> None:
    folder, address = site
    (folder / "w.bin").write_bytes(CONTENT)
    models = store(tmp_path, weights_entry(address))

    def fails(_which: PublishedWeights, _weights: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise ModelInvalid("these weights fit nothing")

    with pytest.raises(ModelInvalid, match="fit nothing"):
        models.fetch("pony", convert=fails)
    kept = {p.name for p in (tmp_path / "cache").rglob("*") if p.is_file()}
    assert kept == {"pony.bin", "pony.bin.sha256"}


# --- the product's own manifest ------------------------------------------------------------------


def test_every_listed_download_states_its_hash_or_is_pinned() -> None:
    """Whatever comes over the network is checked; one model's hash is not known here."""
    unknown = []
    for model in read_manifest(MANIFEST).model:
        for file in (*model.files, *model.downloads):
            assert all(url.startswith("https://") for url in file.urls), model.name
            if file.urls and file.sha256 is None:
                unknown.append(model.name)
    assert unknown == ["megadescriptor-t"]


def test_the_third_party_models_are_listed_with_licence_and_address() -> None:
    known = {model.name: model for model in read_manifest(MANIFEST).model}
    licences = {
        "yolo11n": "AGPL", "yolo11s": "AGPL", "yolo11m": "AGPL", "yolox-nano": "Apache",
        "yolox-tiny": "Apache", "yolox-s": "Apache", "rtmpose-m-ap10k": "Apache",
        "megadescriptor-t": "CC-BY-NC", "osnet-x0-25-kornia": "MIT",
    }  # fmt: skip
    for name, licence in licences.items():
        assert known[name].licence.startswith(licence), name
        assert all(file.urls for file in known[name].downloads), name
        assert known[name].commercial_use is (name != "megadescriptor-t")


def test_the_shared_weights_are_what_the_manifest_says(shared: Path, tmp_path: Path) -> None:
    models = ModelStore(read_manifest(MANIFEST), tmp_path, [shared / "models"])
    present = {row.entry.name for row in models.status() if row.state is FileState.PRESENT}
    assert {"yolo11n-int8-openvino", "yolox-nano-416", "osnet-x0-25-msmt17"} <= present
