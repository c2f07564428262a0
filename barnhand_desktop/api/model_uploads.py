"""Uploads of models: how long they may be, what is said of them, where they lie."""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from pathlib import Path

from starlette.requests import Request

from barnhand_desktop.api.model_schemas import ModelDescription
from barnhand_desktop.api.problems import Problem
from barnhand_desktop.api.upload_form import (
    OVERHEAD_BYTES,
    ReceivedFile,
    UploadRules,
    form_document,
    received_file,
    sweep_uploads,
)

__all__ = ["OVERHEAD_BYTES", "REQUEST_BODY", "Received", "received", "sweep", "too_large"]

TOTAL_S = 1800.0
LEFTOVER_S = 2 * TOTAL_S
PREFIX = "model-upload-"

REQUEST_BODY = form_document(
    "name, version, task, format, layout, input, licence, ... as in a manifest entry",
    "the model",
)


Received = ReceivedFile[ModelDescription]


def received(
    request: Request, folder: Path, limit_bytes: int
) -> AbstractAsyncContextManager[Received]:
    """The upload in a request, on disk while the block runs and gone after it (see
    ``upload_form.received_file``)."""
    rules = UploadRules(
        PREFIX, ModelDescription, "model_description", limit_bytes, too_large, TOTAL_S
    )
    return received_file(request, folder, rules)


def sweep(folder: Path) -> None:
    """Remove uploads that a killed process left behind."""
    sweep_uploads(folder, PREFIX, LEFTOVER_S)


def too_large(limit_bytes: int) -> Problem:
    """The refusal of a file over the limit."""
    return Problem(
        413,
        "model_too_large",
        f"Models of at most {limit_bytes >> 20} MiB are taken. Export a smaller one, or raise the "
        "setting api.model_upload_mb.",
    )
