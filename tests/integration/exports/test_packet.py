"""The packet for the vet, read back by a PDF reader and rendered by another program."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pypdf
import pytest

from engine.domain.errors import OperatorMistake
from engine.domain.recording import ExportKind
from tests.integration.exports.conftest import ExportBarn


def words_of(path: Path) -> str:
    reader = pypdf.PdfReader(path)
    text = "\n".join(page.extract_text() for page in reader.pages)
    return " ".join(text.split())


def test_a_packet_tells_what_is_known_and_how_sure_it_is(barn: ExportBarn) -> None:
    barn.moves()
    barn.alert("Bella has been restless for 3 s.")
    barn.run("UPDATE horses SET name = 'Bella <Öz & 馬>' WHERE id = %s", barn.bella)
    result = barn.export(ExportKind.PACKET, horse_id=barn.bella)
    path = barn.file(result)
    reader = pypdf.PdfReader(path)
    assert len(reader.pages) == result["pages"]
    assert reader.metadata is not None and "packet for the vet" in str(reader.metadata.title)
    words = words_of(path)
    for told in (
        "Bella <Öz &", "Hanoverian", "158 cm", "Seen", "Action: running", "Gait: walk", "trot 12",
        "HDmin", "95 % interval", "No trend is told", "restless for 3 s", "square@1",
        "What these numbers do not show", "They are no diagnosis",
    ):  # fmt: skip
        assert told in words, told
    for digest in ("ab" * 32, *(chunk.sha256 for chunk in barn.chunks)):
        assert digest in words.replace(" ", "")
    assert result["pictures"] == 2
    assert sum(len(page.images) for page in reader.pages) == 2


def test_a_packet_refuses_asymmetry_of_too_few_strides(barn: ExportBarn) -> None:
    barn.moves(strides=4)
    words = words_of(barn.file(barn.export(ExportKind.PACKET, horse_id=barn.bella)))
    assert "Not told: Only 4 good strides of straight trot; 10 are needed." in words
    assert "mm a day" not in words


def test_a_horse_of_which_nothing_is_known_gets_an_honest_packet(barn: ExportBarn) -> None:
    words = words_of(barn.file(barn.export(ExportKind.PACKET, horse_id=barn.horse("Juno"))))
    for told in ("Nothing was told of it", "No strides were measured", "None was raised"):
        assert told in words
    with pytest.raises(OperatorMistake, match="one horse"):
        barn.export(ExportKind.PACKET)


def test_its_pages_can_be_seen(
    barn: ExportBarn, need: Callable[[str], str], tmp_path: Path
) -> None:
    barn.moves(strides=40)
    barn.alert("Bella has been restless.")
    path = barn.file(barn.export(ExportKind.PACKET, horse_id=barn.bella))
    command = [need("pdftoppm"), "-r", "50", "-png", str(path), str(tmp_path / "page")]
    subprocess.run(command, check=True, timeout=60, capture_output=True)
    pages = [cv2.imread(str(file)) for file in sorted(tmp_path.glob("page*.png"))]
    assert len(pages) >= 2
    for page in pages:
        assert page is not None
        ink = (np.asarray(page) < 200).any(axis=2).mean()
        assert 0.01 < ink < 0.9
