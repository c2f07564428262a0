"""What a running demo logs about a camera that cannot be reached."""

from __future__ import annotations

import pytest

from tests.helpers.waiting import wait_until
from tests.integration.operation.conftest import CANARY, Demo

pytestmark = pytest.mark.timeout(300)  # the first of them waits for the demo


def test_lines_about_a_camera_name_it_and_hold_no_password(demo: Demo) -> None:
    def of_the_yard() -> list[dict[str, object]]:
        return [line for line in demo.log() if line.get("camera") == "yard"]

    wait_until(lambda: bool(of_the_yard()))
    line = of_the_yard()[0]
    assert line["thread"] == "capture-yard"
    assert len(str(line["stream_id"])) == 36
    for path in (demo.data / "logs").iterdir():
        assert CANARY not in path.read_text("utf-8")


def test_lines_of_the_api_process_are_in_the_same_log(demo: Demo) -> None:
    wait_until(lambda: any(str(line["logger"]).startswith("barnhand.api") for line in demo.log()))
