"""Writes identity rows inside the detection writer's transaction."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from uuid import UUID, uuid5

import psycopg
from psycopg import errors as pg

from db.identity_rows import IdentityRows, decided_track
from db.queries import queries
from db.repositories.recomputation import recompute
from db.track_colours import colour_hex
from engine.domain.identity import FeaturesSeen, SpanDecided
from engine.domain.ids import HorseId, TrackId

log = logging.getLogger(__name__)

INDEXED_DIMENSIONS = 2000
"""pgvector indexes vectors up to this length."""


class IdentityStore:
    """Used by the writer's thread; a new one for every connection."""

    def __init__(
        self,
        connection: psycopg.Connection,
        model_keys: Callable[[Sequence[str]], list[int]],
    ) -> None:
        self._connection = connection
        self._model_keys = model_keys
        self._sql = queries("identity_writer")
        self._indexed: set[tuple[int, int]] = set()
        self.refused = 0

    def prepare(self, rows: IdentityRows) -> Mapping[str, int]:
        """Before the transaction: keys of the models, and an index for each one's vectors."""
        names = sorted({str(event.model_id) for event in rows.features})
        keys = dict(zip(names, self._model_keys(names), strict=True))
        for event in rows.features:
            self._ensure_index(keys[str(event.model_id)], int(event.vectors.shape[1]))
        return keys

    def write(self, rows: IdentityRows, model_keys: Mapping[str, int]) -> None:
        """Inside the transaction, which shares the identities, after tracks and detections.

        What names a track or a horse that has no row is left out, counted and logged.
        """
        for found in rows.horses:
            fields = {
                "id": found.horse_id,
                "stream_id": found.stream_id,
                "colour_hex": colour_hex(found.colour),
                "at": found.at,
            }
            self._run("add_horse", fields)
        tracks = {row[0] for row in self._rows("known_tracks", {"ids": list(rows.track_ids)})}
        named = self._rows("known_horses", {"ids": list(rows.horse_ids)})
        horses = {row[0]: row[1] for row in named}
        self._run("lock_horses", {"ids": sorted({h for h in horses.values() if h is not None})})
        decided = self._decide(rows, tracks, horses)
        self._saw(rows, horses, decided)
        for event in rows.features:
            if self._known(event.track_id in tracks, "vectors", event.track_id):
                self._add_features(event, model_keys[str(event.model_id)])
        pictured = self._take_crops(rows, tracks)
        if decided or pictured:
            self._run("better_avatars", {"ids": list(decided | pictured)})
        asked = self._ask(rows, tracks, horses)
        if rows.horses or asked:
            self._run("notify", {"payload": "horses" if rows.horses else "reviews"})

    # --- parts ----------------------------------------------------------------------------------

    def _decide(
        self, rows: IdentityRows, tracks: set[UUID], horses: Mapping[UUID, UUID]
    ) -> set[TrackId]:
        """Spans; returns the tracks whose owner may have changed."""
        decided: dict[TrackId, None] = {}
        chosen = []
        for event in rows.decisions:
            track = decided_track(event)
            named = not isinstance(event, SpanDecided) or event.span.horse_id in horses
            if self._known(track in tracks and named, "a decision", track):
                decided[track] = None
                chosen.append(event)
        if not chosen:
            return set()
        before = self._owners(decided)
        for event in chosen:
            if not isinstance(event, SpanDecided):
                self._run("withdraw_spans", {"track_id": event.track_id, "since": event.since})
                continue
            span = event.span
            fields = {
                "id": span.id,
                "track_id": span.track_id,
                "horse_id": span.horse_id,
                "start": span.start,
                "end": span.end,
                "confidence": span.confidence,
                "decided_by": span.decided_by,
            }
            self._run("add_span", fields)
        if before:
            recompute(self._connection, before | self._owners(decided))
        else:
            self._run("count_new_owners", {"ids": list(decided)})
        return set(decided)

    def _owners(self, tracks: Iterable[TrackId]) -> set[HorseId]:
        return {HorseId(row[0]) for row in self._rows("owners", {"ids": list(tracks)})}

    def _saw(self, rows: IdentityRows, horses: Mapping[UUID, UUID], decided: set[TrackId]) -> None:
        """Last sightings and totals; a track decided in this batch was counted with its spans."""
        seen = [s for s in rows.sightings if horses.get(s.horse_id) is not None]
        if not seen:
            return
        fields = {
            "horses": [horses[s.horse_id] for s in seen],
            "streams": [s.stream_id for s in seen],
            "first": [s.first_at for s in seen],
            "last": [s.last_at for s in seen],
            "detections": [0 if s.track_id in decided else s.detections for s in seen],
        }
        self._run("saw", fields)

    def _add_features(self, event: FeaturesSeen, model_key: int) -> None:
        vectors = event.vectors.astype("<f4")
        with self._connection.cursor() as cursor:
            cursor.executemany(
                self._sql["add_feature"],
                [
                    {
                        "id": uuid5(event.track_id, f"{event.model_id} {vector.tobytes().hex()}"),
                        "track_id": event.track_id,
                        "at": event.at,
                        "model_key": model_key,
                        "quality": float(quality),
                        "approved": event.approved,
                        "vector": vector.tolist(),
                    }
                    for vector, quality in zip(vectors, event.qualities, strict=True)
                ],
            )

    def _take_crops(self, rows: IdentityRows, tracks: set[UUID]) -> set[TrackId]:
        taken = set()
        for crop in rows.crops:
            if self._known(crop.track_id in tracks, "a crop", crop.track_id):
                fields = {"track_id": crop.track_id, "jpeg": crop.jpeg, "score": crop.score}
                self._run("take_crop", fields)
                taken.add(crop.track_id)
        return taken

    def _ask(self, rows: IdentityRows, tracks: set[UUID], horses: Mapping[UUID, UUID]) -> bool:
        asked = False
        for review in rows.reviews:
            both = review.track_id in tracks and (
                review.other_track_id is None or review.other_track_id in tracks
            )
            if not self._known(both and review.horse_id in horses, "a question", review.track_id):
                continue
            fields = {
                "id": review.id,
                "kind": review.kind.value,
                "track_id": review.track_id,
                "other_track_id": review.other_track_id,
                "horse_id": review.horse_id,
                "similarity": review.similarity,
                "at": review.at,
                "stream_id": review.stream_id,
            }
            self._run("add_review", fields)
            asked = True
        return asked

    def _ensure_index(self, model_key: int, dimension: int) -> None:
        if (model_key, dimension) in self._indexed or dimension > INDEXED_DIMENSIONS:
            return
        statement = (
            self._sql["add_vector_index"]
            .replace(b"{name}", b"horse_features_of_model_%d_%d" % (model_key, dimension))
            .replace(b"{dimension}", b"%d" % dimension)
            .replace(b"{model_key}", b"%d" % model_key)
        )
        try:
            self._connection.execute(statement)
        except (pg.UniqueViolation, pg.DuplicateTable):
            log.debug("another writer made the index of model %d", model_key)
        self._indexed.add((model_key, dimension))

    def _known(self, known: bool, what: str, track_id: TrackId) -> bool:
        if not known:
            self.refused += 1
            about = {"track_id": track_id}
            log.warning("%s of track %s has nothing to refer to", what, track_id, extra=about)
        return known

    def _run(self, name: str, fields: Mapping[str, object] | None = None) -> None:
        self._connection.execute(self._sql[name], fields)

    def _rows(self, name: str, fields: Mapping[str, object]) -> list[tuple[UUID, ...]]:
        return self._connection.execute(self._sql[name], fields).fetchall()
