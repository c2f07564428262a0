"""Checks of the models: what is there, whether it is whole, whether it loads."""

from __future__ import annotations

from barnhand_desktop.doctor.check import Check, Patient, fail, ok, warn
from engine.domain.errors import BarnhandError


def models(patient: Patient) -> list[Check]:
    """A line per task with the model that would be taken, after loading it."""
    from engine.domain.notices import Severity
    from engine.models.manifest import Task, read_manifest
    from engine.models.model_set import load_models
    from engine.models.store import FileState, ModelStore
    from engine.runtime.clock import SystemClock

    try:
        store = ModelStore(
            read_manifest(patient.manifest),
            patient.folders.models,
            patient.folders.model_search,
            patient.manifest.parent,
        )
    except BarnhandError as error:
        return [fail("Models", error.message, error.advice)]
    checks = [
        warn(
            f"Model {status.entry.name}",
            f"{status.path} is damaged: {status.problem}",
            f"Run: barnhand models fetch {status.entry.name}"
            if status.can_fetch
            else "Copy the file again.",
        )
        for status in store.status()
        if status.state is FileState.DAMAGED
    ]
    loaded = load_models(patient.settings.engine, store, SystemClock())
    try:
        used = {
            Task.DETECTOR: loaded.detector,
            Task.POSE: loaded.pose,
            Task.EMBEDDER: loaded.embedder,
        }
        for task, model in used.items():
            told = [n for n in loaded.notices if n.key.startswith(f"model.{task.value}")]
            name = f"Model: {task.value}"
            found = "none" if model is None else str(model.model_id)
            if not told:
                checks.append(ok(name, found))
            elif any(notice.severity is Severity.CRITICAL for notice in told):
                checks.append(fail(name, told[0].message, told[0].advice))
            else:
                checks.append(warn(name, f"{found}: {told[0].message}", told[0].advice))
        own = tuple(f"model.{task.value}" for task in used)
        checks += [
            warn("Model", notice.message, notice.advice)
            for notice in loaded.notices
            if notice.severity is not Severity.INFO
            and not notice.key.startswith(own)
            and not notice.key.endswith(".damaged")
        ]
    finally:
        loaded.close()
    return checks
