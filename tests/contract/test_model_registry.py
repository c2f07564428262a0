"""ModelRegistry: registered models, their bytes, and which camera uses which."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from uuid import uuid4

import pytest

from db.repositories.farms import DEFAULT_FARM
from db.repositories.models import PostgresModelRegistry
from engine.domain.errors import Conflict, NotFound, OperatorMistake
from engine.domain.ids import FarmId
from engine.domain.models import (
    PART_BYTES,
    Activation,
    ModelFormat,
    ModelRegistry,
    ModelState,
    ModelTask,
    RegisteredId,
    RegisteredModel,
)
from tests.fixtures_identity import IdentityBarn, at

WEIGHTS = bytes(range(256)) * 8
DETECTOR, POSE = ModelTask.DETECTOR, ModelTask.POSE


@pytest.fixture
def registry(barn: IdentityBarn) -> ModelRegistry:
    return PostgresModelRegistry(barn.pool)


@pytest.fixture
def other_farm(barn: IdentityBarn) -> FarmId:
    with barn.pool.connection() as connection:
        row = connection.execute(
            "INSERT INTO farms (name) VALUES ('Other') RETURNING id"
        ).fetchone()
    assert row is not None
    return FarmId(row[0])


def model(name: str = "fast-horse", weights: bytes = WEIGHTS, **fields: object) -> RegisteredModel:
    made = RegisteredModel(
        id=RegisteredId(uuid4()),
        name=name,
        version="1",
        task=DETECTOR,
        format=ModelFormat.ONNX,
        sha256=hashlib.sha256(weights).hexdigest(),
        size_bytes=len(weights),
        licence="MIT",
        description={"name": name, "classes": {"0": "horse"}},
        state=ModelState.READY,
        uploaded_by="Anna",
        created_at=at(0),
        input={"width_px": 64, "height_px": 64},
        threshold=0.5,
        measured={"recall": 0.9},
    )
    return replace(made, **fields)  # type: ignore[arg-type]


def added(
    registry: ModelRegistry, one: RegisteredModel, weights: bytes = WEIGHTS
) -> RegisteredModel:
    registry.add(one, [weights])
    return one


def test_a_model_and_its_bytes_read_back_as_they_were(registry: ModelRegistry) -> None:
    weights = WEIGHTS * 700  # more than one part
    one = model(weights=weights, skeleton="equine26")
    parts = [weights[n : n + PART_BYTES] for n in range(0, len(weights), PART_BYTES)]
    assert len(parts) == 2
    registry.add(one, parts)
    assert registry.get(one.id) == one
    assert list(registry.list()) == [one]
    assert one.model_id == "fast-horse@1"
    assert b"".join(registry.parts(one.id)) == weights


def test_bytes_that_are_not_all_there_leave_nothing(registry: ModelRegistry) -> None:
    with pytest.raises(OperatorMistake, match="bytes"):
        registry.add(model(), [WEIGHTS[:100]])
    assert not registry.list()


def test_a_source_that_fails_half_way_leaves_nothing(registry: ModelRegistry) -> None:
    def broken() -> Iterator[bytes]:
        yield WEIGHTS[:100]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="gone"):
        registry.add(model(), broken())
    assert not registry.list()


def test_name_and_version_are_taken_for_good_by_one_file(registry: ModelRegistry) -> None:
    one = added(registry, model())
    with pytest.raises(Conflict, match="fast-horse@1"):
        registry.add(model(), [WEIGHTS])
    added(registry, model(version="2"))
    registry.remove(one.id)
    with pytest.raises(NotFound):
        registry.get(one.id)
    with pytest.raises(NotFound):
        next(registry.parts(one.id))
    with pytest.raises(NotFound):
        registry.remove(one.id)
    other = WEIGHTS[::-1]
    with pytest.raises(Conflict, match="another version"):
        registry.add(model(weights=other), [other])
    again = added(registry, model())
    assert registry.get(again.id) == again
    assert b"".join(registry.parts(again.id)) == WEIGHTS


def test_models_are_seen_by_their_farm(registry: ModelRegistry, other_farm: FarmId) -> None:
    shared = added(registry, model("shared"))
    ours = added(registry, model("ours", farm_id=DEFAULT_FARM))
    theirs = added(registry, model("theirs", farm_id=other_farm))
    assert list(registry.list()) == [ours, shared, theirs]
    assert list(registry.list(DEFAULT_FARM)) == [ours, shared]
    with pytest.raises(NotFound):
        registry.activate(Activation(DEFAULT_FARM, None, DETECTOR, theirs.id))


def test_a_camera_has_its_own_choice_else_the_farms(
    barn: IdentityBarn, registry: ModelRegistry, other_farm: FarmId
) -> None:
    north, south = barn.camera("north"), barn.camera("south")
    fast, slow = added(registry, model("fast")), added(registry, model("slow"))
    pose = added(registry, model("pose", task=POSE, skeleton="equine26"))
    registry.activate(Activation(DEFAULT_FARM, north, DETECTOR, fast.id))
    registry.activate(Activation(DEFAULT_FARM, north, POSE, pose.id))
    assert registry.active() == {north: {DETECTOR: fast.id, POSE: pose.id}}
    # For all: what cameras chose before gives way.
    registry.activate(Activation(DEFAULT_FARM, None, DETECTOR, slow.id))
    assert registry.active() == {
        north: {DETECTOR: slow.id, POSE: pose.id},
        south: {DETECTOR: slow.id},
    }
    registry.activate(Activation(DEFAULT_FARM, south, DETECTOR, None))
    assert registry.active() == {north: {DETECTOR: slow.id, POSE: pose.id}}
    assert registry.choices(other_farm) == ()
    assert set(registry.choices(DEFAULT_FARM)) == {
        Activation(DEFAULT_FARM, None, DETECTOR, slow.id),
        Activation(DEFAULT_FARM, south, DETECTOR, None),
        Activation(DEFAULT_FARM, north, POSE, pose.id),
    }
    # Another farm's choice is no concern of these cameras.
    registry.activate(Activation(other_farm, None, DETECTOR, fast.id))
    assert registry.active()[north][DETECTOR] == slow.id
    registry.activate(Activation(DEFAULT_FARM, None, DETECTOR, None))
    assert registry.active() == {north: {POSE: pose.id}}
    assert registry.choices(DEFAULT_FARM) == (Activation(DEFAULT_FARM, north, POSE, pose.id),)


def test_a_model_in_use_is_not_removed(barn: IdentityBarn, registry: ModelRegistry) -> None:
    north, south = barn.camera("north"), barn.camera("south")
    one = added(registry, model())
    for camera in (north, south):
        registry.activate(Activation(DEFAULT_FARM, camera, DETECTOR, one.id))
    with pytest.raises(Conflict, match="Cameras use"):
        registry.remove(one.id)
    assert registry.deactivate(one.id, DEFAULT_FARM) == 2
    assert registry.active() == {}
    assert registry.deactivate(one.id) == 0
    registry.remove(one.id)
    with pytest.raises(NotFound):
        registry.deactivate(one.id)


def test_what_cannot_be_activated(
    barn: IdentityBarn, registry: ModelRegistry, other_farm: FarmId
) -> None:
    north = barn.camera("north")
    detector = added(registry, model("detector"))
    weights = added(
        registry,
        model("weights", format=ModelFormat.SAFETENSORS, state=ModelState.NEEDS_EXPORT),
    )
    embedder = added(registry, model("embedder", task=ModelTask.EMBEDDER))
    with pytest.raises(OperatorMistake, match="not for pose"):
        registry.activate(Activation(DEFAULT_FARM, north, POSE, detector.id))
    with pytest.raises(OperatorMistake, match="weights only"):
        registry.activate(Activation(DEFAULT_FARM, north, DETECTOR, weights.id))
    with pytest.raises(OperatorMistake, match="never compared"):
        registry.activate(Activation(DEFAULT_FARM, None, ModelTask.EMBEDDER, embedder.id))
    with pytest.raises(NotFound):
        registry.activate(Activation(DEFAULT_FARM, north, DETECTOR, RegisteredId(uuid4())))
    with pytest.raises(NotFound, match="camera"):
        registry.activate(Activation(other_farm, north, DETECTOR, detector.id))
    assert registry.active() == {}
