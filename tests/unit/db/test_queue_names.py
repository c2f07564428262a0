"""Queues have names that the queue library can tell of."""

from __future__ import annotations

from uuid import UUID, uuid4

from db.queue.jobs import queue_of

CHANNEL_BYTES = 63
"""PostgreSQL's names are at most so long (NAMEDATALEN - 1)."""


def test_the_channel_of_a_folders_queue_has_a_name_short_enough() -> None:
    folder = uuid4()
    channel = f"procrastinate_queue_v1#{queue_of(folder)}"
    assert len(channel.encode()) <= CHANNEL_BYTES
    assert folder.hex in channel


def test_every_folder_has_a_queue_of_its_own() -> None:
    one, other = UUID(int=1), UUID(int=2)
    assert len({queue_of(one), queue_of(other), queue_of(None)}) == 3
