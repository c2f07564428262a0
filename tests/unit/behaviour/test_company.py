"""Who is near a horse, by boxes alone."""

from __future__ import annotations

import numpy as np

from engine.behaviour.company import Company, nearness

HORSE = [300.0, 200.0, 500.0, 400.0]


def gap(person: list[float], horse: list[float] | None = None) -> float:
    boxes = np.array([horse or HORSE], np.float32), np.array([person], np.float32)
    return float(nearness(*boxes)[0])


def test_a_person_beside_a_horse_is_near_and_one_across_the_yard_is_not() -> None:
    assert gap([510, 210, 580, 405]) < 0.1
    assert gap([480, 210, 550, 405]) == 0.0
    assert 1.5 < gap([820, 210, 890, 405]) < 1.7


def test_a_small_person_far_behind_is_not_beside_it() -> None:
    assert gap([400, 180, 425, 250]) == np.inf


def test_a_rider_and_one_who_kneels_by_a_lying_horse_are_near() -> None:
    assert gap([360, 120, 440, 330]) == 0.0
    assert gap([510, 290, 570, 405], [300, 320, 500, 400]) < 0.1


def test_nobody_is_far_away() -> None:
    none = np.zeros((0, 4), np.float32)
    assert nearness(np.array([HORSE], np.float32), none).tolist() == [np.inf]
    assert nearness(none, none).shape == (0,)


def test_passing_by_is_no_company_and_a_step_aside_does_not_end_it() -> None:
    company = Company()
    assert not any(company.update(step / 10, 0.1) for step in range(15))
    assert not company.update(1.6, np.inf)
    near = [company.update(3 + step / 10, 0.1) for step in range(40)]
    assert not near[0] and near[-1]
    assert company.since_s == 3.0
    assert all(company.update(8 + step / 10, np.inf) for step in range(30))
    assert company.update(11.5, 0.5)
    assert not [company.update(12 + step / 10, np.inf) for step in range(60)][-1]
