"""The HorseRepository contract on PostgreSQL."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import numpy as np
import pytest

from db.repositories.farms import DEFAULT_FARM
from engine.domain.errors import NotFound, OperatorMistake
from engine.domain.horses import HorseStatus, Profile
from engine.domain.identity import Merge, Reassign, Scope, Split, TrackStrip
from engine.domain.ids import FarmId, HorseId, TrackId
from tests.fixtures_identity import IdentityBarn, at
from tests.helpers.waiting import wait_until


def parts(strips: object) -> list[tuple[HorseId | None, datetime, datetime, int, str]]:
    assert isinstance(strips, tuple)
    return [(s.horse_id, s.start, s.end, s.detections, s.decided_by) for s in strips]


def test_a_horse_reads_back_with_its_profile(barn: IdentityBarn) -> None:
    camera = barn.camera("north")
    bella = barn.horse(
        "Bella", "active", breed="Arab", sex="mare", birth_year=2015, height_cm=152,
        colour="grey", markings="star", stall="4", first_stream_id=camera,
    )  # fmt: skip
    barn.track(camera, 0, 50, bella)
    barn.settle()
    horse = barn.horses.get(bella)
    assert horse.profile == Profile("Bella", "Arab", "mare", 2015, 152, "grey", "star", "4")
    assert (horse.title, horse.label, horse.status) == ("Bella", "horse_001", HorseStatus.ACTIVE)
    assert (horse.first_seen_at, horse.last_seen_at) == (at(0), at(50))
    assert (horse.first_stream_id, horse.last_stream_id) == (camera, camera)
    assert (horse.total_detections, horse.has_avatar, horse.farm_id) == (5, False, DEFAULT_FARM)
    assert barn.horses.list() == barn.horses.list(DEFAULT_FARM) == (horse,)
    assert barn.horses.list(FarmId(uuid4())) == ()


def test_horses_are_listed_by_number_with_merged_ones(barn: IdentityBarn) -> None:
    first, second, third = barn.horse(), barn.horse("B"), barn.horse()
    barn.identity.apply(Merge(second, first), "Anna")
    listed = barn.horses.list()
    assert [horse.id for horse in listed] == [first, second, third]
    assert (listed[0].status, listed[0].merged_into) == (HorseStatus.MERGED, second)
    assert barn.horses.get(first) == listed[0]


def test_unknown_horses_and_tracks_are_not_found(barn: IdentityBarn) -> None:
    stranger = HorseId(uuid4())
    for call in (barn.horses.get, barn.horses.avatar, barn.horses.similar):
        with pytest.raises(NotFound):
            call(stranger)
    with pytest.raises(NotFound):
        barn.horses.crop(TrackId(uuid4()))


def test_pictures_of_horses_and_tracks(barn: IdentityBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    plain = barn.track(camera, 0, 10, bella)
    best = barn.track(camera, 20, 30, bella, crop=b"jpeg", crop_score=3.0)
    assert barn.horses.avatar(bella) is None
    assert (barn.horses.crop(plain), barn.horses.crop(best)) == (None, b"jpeg")
    barn.settle()
    assert barn.horses.avatar(bella) == b"jpeg" and barn.horses.get(bella).has_avatar


# --- strips --------------------------------------------------------------------------------------


def test_strips_of_a_horse_are_its_stretches_newest_first(barn: IdentityBarn) -> None:
    north, south = barn.camera("north"), barn.camera("south")
    bella, other = barn.horse(), barn.horse()
    first = barn.track(north, 0, 100, bella, rows=11, crop=b"jpeg")
    second = barn.track(south, 200, 300, bella, rows=11)
    barn.track(north, 400, 500, other)
    strips = barn.horses.strips(bella)
    assert strips[1] == TrackStrip(
        first, north, "north", 1, bella, at(0), at(100), 11, strips[1].confidence, "engine", True
    )
    assert [strip.track_id for strip in strips] == [second, first]
    assert [strip.track_id for strip in barn.horses.strips(bella, north)] == [first]
    assert [strip.track_id for strip in barn.horses.strips(bella, limit=1)] == [second]
    assert [strip.track_id for strip in barn.horses.strips(bella, start=at(101))] == [second]
    assert [strip.track_id for strip in barn.horses.strips(bella, end=at(200))] == [first]


def test_cut_tracks_give_a_strip_a_part_with_its_own_count(barn: IdentityBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    track = barn.track(camera, 0, 100, bella, rows=11)
    record = barn.identity.apply(Split(bella, at(35), Scope.TRACK, track), "Anna")
    assert parts(barn.horses.strips(bella)) == [(bella, at(0), at(35), 4, "engine")]
    made = record.created[0]
    assert parts(barn.horses.strips(made)) == [(made, at(35), at(100), 7, "Anna")]
    assert parts(barn.horses.strips(stream_id=camera)) == [
        (made, at(35), at(100), 7, "Anna"),
        (bella, at(0), at(35), 4, "engine"),
    ]


def test_strips_of_a_camera_show_what_is_nobody_s(barn: IdentityBarn) -> None:
    camera, elsewhere, bella = barn.camera("north"), barn.camera("south"), barn.horse()
    barn.track(elsewhere, 0, 10, bella)
    track = barn.track(camera, 0, 100, rows=11)
    barn.identity.apply(Reassign(track, bella, at(20), at(45)), "Anna")
    found = parts(barn.horses.strips(stream_id=camera))
    assert found == [
        (None, at(45), at(100), 6, ""),
        (bella, at(20), at(45), 3, "Anna"),
        (None, at(0), at(20), 2, ""),
    ]
    assert len(barn.horses.strips()) == 4
    person = barn.track(camera, 200, 210)
    barn.run("UPDATE tracks SET class_id = 1 WHERE id = %s", person)
    assert len(barn.horses.strips(stream_id=camera)) == 3


def test_an_open_track_s_strip_ends_at_its_last_picture(barn: IdentityBarn) -> None:
    camera, bella = barn.camera("north"), barn.horse()
    open_track = barn.track(camera, 0, None, bella, rows=7)
    assert parts(barn.horses.strips(bella)) == [(bella, at(0), at(60), 7, "engine")]
    assert parts(barn.horses.strips(stream_id=camera)) == [(bella, at(0), at(60), 7, "engine")]
    barn.run("DELETE FROM detections WHERE track_id = %s", open_track)
    assert parts(barn.horses.strips(bella)) == [(bella, at(0), at(0), 0, "engine")]


@pytest.mark.parametrize("limit", [0, -1, 10_001])
def test_a_limit_out_of_range_is_a_mistake(barn: IdentityBarn, limit: int) -> None:
    with pytest.raises(OperatorMistake):
        barn.horses.strips(limit=limit)


# --- similar -------------------------------------------------------------------------------------


def test_similar_horses_by_approved_vectors_of_the_same_model(barn: IdentityBarn) -> None:
    camera = barn.camera("north")
    bella, near, far, unsure, other_model, none = (barn.horse() for _ in range(6))
    tracks = {
        horse: barn.track(camera, 100.0 * place, 100.0 * place + 50, horse)
        for place, horse in enumerate((bella, near, far, unsure, other_model))
    }
    barn.features(tracks[bella], [[1, 0, 0], [0, 0, 1]], approved=True)
    barn.features(tracks[near], [[0, 1, 0], [0.8, 0.6, 0]], approved=True)
    barn.features(tracks[far], [[-1, 0, 0], [0, 1, 0]], approved=True)
    barn.features(tracks[unsure], [[1, 0, 0]], approved=False)
    barn.features(tracks[other_model], [[1, 0, 0]], approved=True, model="other@1")
    found = barn.horses.similar(bella)
    assert [one.horse.id for one in found] == [near, far]
    assert [one.similarity for one in found] == pytest.approx([0.8, 0.0], abs=1e-6)
    assert [one.horse.id for one in barn.horses.similar(bella, limit=1)] == [near]
    assert barn.horses.similar(none) == ()
    barn.identity.apply(Merge(far, near), "Anna")
    found = barn.horses.similar(bella)
    assert [(one.horse.id, round(one.similarity, 6)) for one in found] == [(far, 0.8)]


def test_similar_horses_are_found_among_many_vectors_of_one_s_own(barn: IdentityBarn) -> None:
    """An index of nearest neighbours sees the horse's own vectors first."""
    camera, bella, other = barn.camera("north"), barn.horse(), barn.horse()
    rng = np.random.default_rng(3)
    own = np.array([1.0, 0.0, 0.0, 0.0]) + rng.normal(0, 0.02, (300, 4))
    barn.features(barn.track(camera, 0, 50, bella), own.tolist(), approved=True)
    barn.features(barn.track(camera, 100, 150, other), [[0.6, 0.8, 0, 0]], approved=True)
    barn.run(
        "CREATE INDEX ON horse_features USING hnsw ((embedding::vector(4)) vector_cosine_ops) "
        "WHERE model_key = 1"
    )
    name = barn.ask("SELECT current_database() AS name")[0]["name"]
    barn.run(f"ALTER DATABASE {name} SET enable_seqscan TO off")
    barn.run(f"ALTER DATABASE {name} SET enable_sort TO off")
    indexed = IdentityBarn(barn.dsn)  # connections that plan with the index
    found = indexed.horses.similar(bella)
    indexed.close()
    assert [one.horse.id for one in found] == [other]
    assert found[0].similarity == pytest.approx(0.6, abs=0.06)

    def scans() -> int:
        question = "SELECT idx_scan FROM pg_stat_user_indexes WHERE indexrelname LIKE %s"
        return int(barn.ask(question, "%embedding%")[0]["idx_scan"])

    wait_until(lambda: scans() > 0)  # a connection tells its statistics as it ends
