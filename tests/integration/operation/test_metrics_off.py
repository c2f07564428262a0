"""What the settings of telemetry switch off and refuse."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from barnhand_desktop.api.app import create_app
from barnhand_desktop.api.config import ApiConfig
from barnhand_desktop.settings.schema import TraceSettings


@pytest.mark.parametrize("metrics", [True, False])
def test_the_path_is_there_only_when_metrics_are_on(api_config: ApiConfig, metrics: bool) -> None:
    app = create_app(api_config.model_copy(update={"metrics": metrics}))
    try:
        assert ("/metrics" in app.openapi()["paths"]) is metrics
        assert any(getattr(route, "path", "") == "/metrics" for route in app.routes) is metrics
    finally:
        app.state.services.close()


def test_traces_are_off_and_sampled() -> None:
    assert TraceSettings() == TraceSettings(
        enabled=False, endpoint="http://127.0.0.1:4318", sample_share=0.1
    )


@pytest.mark.parametrize("wrong", ["collector:4318", "ftp://a", "http://", "http://u:p@a:4318"])
def test_a_collectors_address_holds_no_log_in(wrong: str) -> None:
    with pytest.raises(ValidationError):
        TraceSettings(endpoint=wrong)
