"""A dog that fills the picture is a horse candidate; small dogs and people stay what they are."""

from __future__ import annotations

import numpy as np

from engine.domain.detections import DetectionBatch, SubjectClass
from engine.pipeline.barn_prior import with_barn_prior
from engine.settings import DetectionSettings

HORSE, PERSON, DOG = SubjectClass.HORSE, SubjectClass.PERSON, SubjectClass.DOG
TALL, SHORT = (100, 100, 300, 350), (400, 400, 460, 450)


def batch(*rows: tuple[tuple[int, int, int, int], SubjectClass]) -> DetectionBatch:
    return DetectionBatch(
        np.array([box for box, _ in rows], np.float32).reshape(-1, 4),
        np.linspace(0.9, 0.5, len(rows), dtype=np.float32),
        np.array([kind for _, kind in rows], np.int16),
    )


def classes(found: DetectionBatch, settings: DetectionSettings | None = None) -> list[int]:
    return list(with_barn_prior(found, 480, settings or DetectionSettings()).class_ids)


def test_only_a_tall_dog_becomes_a_horse_candidate() -> None:
    assert classes(batch((TALL, DOG), (SHORT, DOG), (TALL, PERSON))) == [HORSE, DOG, PERSON]


def test_a_tall_dog_on_a_horse_is_the_same_animal() -> None:
    assert classes(batch((TALL, HORSE), (TALL, DOG))) == [HORSE]


def test_the_settings_switch_it_off() -> None:
    plain = DetectionSettings(lookalikes_are_horses=False)
    assert classes(batch((TALL, DOG)), plain) == [DOG]
    assert classes(batch((TALL, DOG)), DetectionSettings(dog_height_share=1.0)) == [DOG]
    assert classes(DetectionBatch.empty()) == []
