"""Where model files are: explicit path, user's cache, extra folders, bundled, or downloaded."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

import tomlkit

from engine.domain.errors import ModelInvalid, ModelUnavailable, NotFound, OperatorMistake
from engine.models.description import RUNTIMES, describe_file
from engine.models.download import Progress, download
from engine.models.integrity import fault_of, sha256_of
from engine.models.manifest import Manifest, ModelEntry, Task, read_manifest
from engine.models.sessions import DEFAULT_EXECUTION, Execution

MANIFEST_NAME = "manifest.toml"


class Place(StrEnum):
    """Where a model was found."""

    USER_CACHE = "user cache"
    EXTRA = "extra folder"
    BUNDLED = "bundled"


class FileState(StrEnum):
    """PRESENT: complete and of the expected hash. DAMAGED: there, but not that. ABSENT."""

    PRESENT = "present"
    DAMAGED = "damaged"
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class ModelStatus:
    """One row of `barnhand models list`. ``path`` and ``place`` are where it was found (also when
    damaged); ``problem`` says in words why it is not usable; ``can_fetch``: an address is known."""

    entry: ModelEntry
    state: FileState
    path: Path | None
    place: Place | None
    problem: str
    can_fetch: bool


class ModelStore:
    """Finds, checks, fetches and imports the files of models.

    ``user_cache`` is written to; ``extra_folders`` (from BARNHAND_MODELS) and ``bundled`` are only
    read. A ``manifest.toml`` in the cache or an extra folder adds models or replaces them by name.
    """

    def __init__(
        self,
        manifest: Manifest,
        user_cache: Path,
        extra_folders: Sequence[Path] = (),
        bundled: Path | None = None,
    ) -> None:
        self.user_cache = user_cache
        self._places = [
            (Place.USER_CACHE, user_cache),
            *((Place.EXTRA, folder) for folder in extra_folders),
            *([(Place.BUNDLED, bundled)] if bundled is not None else []),
        ]
        self._base = manifest
        self.manifest = self._merged()

    def _merged(self) -> Manifest:
        entries = {entry.name: entry for entry in self._base.model}
        for place, folder in reversed(self._places):
            path = folder / MANIFEST_NAME
            if place is not Place.BUNDLED and path.is_file():
                entries |= {entry.name: entry for entry in read_manifest(path).model}
        return Manifest(model=tuple(entries.values()))

    # --- finding -------------------------------------------------------------------------------

    def status_of(self, entry: ModelEntry) -> ModelStatus:
        """Where the entry's files are: the first complete and intact set in the search order."""
        can_fetch = all(file.urls for file in entry.files)
        damaged: ModelStatus | None = None
        for place, folder in self._places:
            paths = [folder / file.name for file in entry.files]
            if not paths[0].is_file():
                continue
            problem = _problem_of(entry, folder)
            if problem is None:
                return ModelStatus(entry, FileState.PRESENT, paths[0], place, "", can_fetch)
            damaged = damaged or ModelStatus(
                entry, FileState.DAMAGED, paths[0], place, problem, can_fetch
            )
        return damaged or ModelStatus(
            entry, FileState.ABSENT, None, None, "its file is not on this machine", can_fetch
        )

    def status(self) -> tuple[ModelStatus, ...]:
        """All models by task and preference, for `barnhand models list` and the doctor."""
        return tuple(
            self.status_of(entry) for task in Task for entry in self.manifest.for_task(task)
        )

    def available(self, task: Task) -> tuple[ModelEntry, ...]:
        """Entries of a task whose intact files are on this machine, preferred first."""
        return tuple(
            entry
            for entry in self.manifest.for_task(task)
            if self.status_of(entry).state is FileState.PRESENT
        )

    def locate(
        self, entry: ModelEntry, progress: Progress | None = None, *, may_download: bool = True
    ) -> Path:
        """The file to load, downloaded when it is nowhere and that is allowed.

        A damaged copy does not stop the search for an intact one. Raises ModelInvalid when only a
        damaged copy exists and cannot be replaced, ModelUnavailable when there is none.
        """
        origin = Path(entry.origin)
        if entry.name not in {known.name for known in self.manifest.model} and origin.is_file():
            return origin
        status = self.status_of(entry)
        if status.state is FileState.PRESENT and status.path is not None:
            return status.path
        if may_download and status.can_fetch:
            return self._download(entry, progress)
        if status.state is FileState.DAMAGED:
            raise ModelInvalid(
                f"The model file {status.path} is damaged: {status.problem}.",
                f"Run `barnhand models fetch {entry.name}`, or copy it again.",
            )
        if not status.can_fetch:
            raise ModelUnavailable(
                f"The model {entry.name} is not on this machine and has no download address.",
                f"It comes from {entry.origin}. Put {entry.files[0].name} into a folder named in "
                "BARNHAND_MODELS, or use `barnhand models import`.",
            )
        raise ModelUnavailable(
            f"The model {entry.name} is not on this machine.",
            f"Run `barnhand models fetch {entry.name}`.",
        )

    def resolve(
        self,
        name_or_path: str,
        task: Task,
        execution: Execution = DEFAULT_EXECUTION,
        progress: Progress | None = None,
    ) -> tuple[ModelEntry, Path]:
        """The entry and file that a setting means: a manifest name, or a path to a model file.

        A file whose hash the manifest lists gets that entry, another one is described from its
        shapes. Raises OperatorMistake for an unknown name or another task's model, else as
        ``locate`` and ``describe_file``.
        """
        path = Path(name_or_path).expanduser()
        if path.suffix.lower() in RUNTIMES or len(path.parts) > 1:
            return self._resolve_path(path.resolve(), task, execution)
        entry = self.manifest.named(name_or_path)
        if entry.task is not task:
            raise OperatorMistake(
                f"{entry.name} is a model for {entry.task}, not for {task}.",
                "Choose another model in the settings.",
            )
        return entry, self.locate(entry, progress)

    def _resolve_path(
        self, path: Path, task: Task, execution: Execution
    ) -> tuple[ModelEntry, Path]:
        if not path.is_file():
            raise NotFound(f"There is no model file {path}.", "Check the path in the settings.")
        digest = sha256_of(path)
        for entry in self.manifest.for_task(task):
            if entry.files[0].sha256 == digest:
                return entry, path
        return describe_file(path, task, execution), path

    # --- adding --------------------------------------------------------------------------------

    def fetch(self, name: str, progress: Progress | None = None) -> Path:
        """Download a model into the user's cache unless an intact copy is on this machine.

        Raises OperatorMistake (unknown name), ModelUnavailable (no address, no network, refused
        content).
        """
        entry = self.manifest.named(name)
        status = self.status_of(entry)
        if status.state is FileState.PRESENT and status.path is not None:
            return status.path
        return self._download(entry, progress)

    def _download(self, entry: ModelEntry, progress: Progress | None) -> Path:
        missing = next((file for file in entry.files if not file.urls), None)
        if missing is not None:
            raise ModelUnavailable(
                f"No download address is known for {missing.name} of {entry.name}.",
                f"It comes from {entry.origin}. Get it there and use `barnhand models import`.",
            )
        for file in entry.files:
            target = self.user_cache / file.name
            if not target.is_file() or fault_of(target, file) is not None:
                download(file, target, progress)
        return self.user_cache / entry.files[0].name

    def import_file(self, source: Path, task: Task, name: str | None = None) -> ModelEntry:
        """Copy a model file into the cache and list it there.

        A file whose hash the manifest lists is filed under that entry; another one is described
        from its shapes, run once, and added to the cache's manifest under ``name`` or its own name.
        Raises ModelInvalid, NotFound; OperatorMistake when a listed model has that name.
        """
        entry, path = self._resolve_path(source.expanduser().resolve(), task, Execution("cpu"))
        listed = {known.name for known in self.manifest.model}
        if entry.origin != str(path):
            self._copy(entry, path, {file.name: file.name for file in entry.files})
            return entry
        entry = entry.model_copy(update={"name": name} if name else {})
        if entry.name in listed:
            raise OperatorMistake(
                f"A model named {entry.name!r} is listed already.", "Give the import another name."
            )
        renamed = {f"imported/{entry.name}/{file.name}": file.name for file in entry.files}
        files = [
            file.model_copy(update={"name": target})
            for file, target in zip(entry.files, renamed, strict=True)
        ]
        entry = ModelEntry.model_validate(
            entry.model_dump() | {"files": files, "origin": f"imported from {path.name}"}
        )
        self._copy(entry, path, renamed)
        self._list_in_cache(entry)
        return entry

    def _copy(self, entry: ModelEntry, source: Path, names: dict[str, str]) -> None:
        """Copy files by target name -> name beside the source, each put in place in one step."""
        for index, (target_name, source_name) in enumerate(names.items()):
            beside = source if index == 0 else source.with_name(Path(source_name).name)
            target = self.user_cache / target_name
            target.parent.mkdir(parents=True, exist_ok=True)
            part = target.with_name(f".{target.name}.part")
            try:
                shutil.copyfile(beside, part)
                part.replace(target)
            except OSError as error:
                raise ModelUnavailable(
                    f"{beside} could not be copied to {target}: {error.strerror}."
                ) from error
            finally:
                part.unlink(missing_ok=True)

    def _list_in_cache(self, entry: ModelEntry) -> None:
        path = self.user_cache / MANIFEST_NAME
        own = [*read_manifest(path).model] if path.is_file() else []
        listed = [e.model_dump(mode="json", exclude_none=True) for e in (*own, entry)]
        part = path.with_suffix(".part")
        part.write_text(tomlkit.dumps({"model": listed}), encoding="utf-8")
        part.replace(path)
        self.manifest = self._merged()


def _problem_of(entry: ModelEntry, folder: Path) -> str | None:
    return next(_problems(entry, folder), None)


def _problems(entry: ModelEntry, folder: Path) -> Iterator[str]:
    for file in entry.files:
        path = folder / file.name
        if not path.is_file():
            yield f"{file.name} is missing beside it"
        elif (fault := fault_of(path, file)) is not None:
            yield f"{file.name}: {fault}"
