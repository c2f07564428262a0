"""Where model files are: explicit path, user's cache, extra folders, bundled, or downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from engine.domain.errors import ModelInvalid, ModelUnavailable, NotFound, OperatorMistake
from engine.models.description import RUNTIMES, describe_file, runtime_of
from engine.models.download import Progress, download
from engine.models.integrity import fault_of, noted_hash, sha256_of
from engine.models.manifest import (
    Manifest,
    ModelEntry,
    ModelFile,
    PublishedWeights,
    Task,
    read_manifest,
)
from engine.models.model_folders import MANIFEST_NAME, copy_into, list_in
from engine.models.sessions import DEFAULT_EXECUTION, Execution

Convert = Callable[[PublishedWeights, Path, Path], None]
"""Makes a model's file from published weights: (which, the weights, the file to write)."""


class LicenceNotAccepted(OperatorMistake):
    """The model's licence forbids commercial use, and nobody has accepted that yet."""


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


class HashKnown(StrEnum):
    """How a model's files are told from others. STATED: the manifest has their SHA-256. PINNED: it
    has not, and what was downloaded or made first is held to. UNKNOWN: nothing to compare with
    yet; the first download is taken as it comes, and pinned."""

    STATED = "hash stated"
    PINNED = "hash pinned"
    UNKNOWN = "hash not known"


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

    @property
    def hash_known(self) -> HashKnown:
        """What the files are compared with; of several, the weakest."""
        if all(file.sha256 for file in self.entry.downloads):
            return HashKnown.STATED
        if self.path is not None and noted_hash(self.path).is_file():
            return HashKnown.PINNED
        return HashKnown.UNKNOWN

    @property
    def size_bytes(self) -> int | None:
        """Size of what is here, else of what would be fetched; None where that is not known."""
        if self.state is FileState.PRESENT and self.path is not None:
            folder = self.path.parents[self.entry.files[0].name.count("/")]
            return sum((folder / file.name).stat().st_size for file in self.entry.files)
        sizes = [file.size_bytes for file in self.entry.downloads]
        return sum(size for size in sizes if size) if all(sizes) else None


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
        can_fetch = all(file.urls for file in entry.downloads)
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
        # What must be accepted or made is fetched by hand only.
        if may_download and status.can_fetch and entry.commercial_use and entry.weights is None:
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
        listed = self._listed(sha256_of(path))
        if listed is None:
            return describe_file(path, task, execution), path
        if listed.task is not task:
            raise OperatorMistake(
                f"{path.name} is {listed.name}, a model for {listed.task} and not for {task}.",
                f"Use it as a {listed.task}.",
            )
        return listed, path

    def _listed(self, digest: str) -> ModelEntry | None:
        """The entry whose first file has this hash."""
        known = (e for e in self.manifest.model if e.files[0].sha256 == digest)
        return next(known, None)

    # --- adding --------------------------------------------------------------------------------

    def fetch(
        self,
        name: str,
        progress: Progress | None = None,
        *,
        accept_licence: bool = False,
        convert: Convert | None = None,
    ) -> Path:
        """Download a model into the user's cache unless an intact copy is on this machine.

        ``accept_licence``: a person has read that the licence forbids commercial use. ``convert``
        makes the file where only torch weights are published. Raises OperatorMistake (unknown
        name), LicenceNotAccepted, ModelUnavailable (no address, no network, refused content).
        """
        entry = self.manifest.named(name)
        status = self.status_of(entry)
        if status.state is FileState.PRESENT and status.path is not None:
            return status.path
        if not entry.commercial_use and not accept_licence:
            raise LicenceNotAccepted(
                f"{entry.name} may not be used commercially: {entry.licence}.",
                f"If that suits you: `barnhand models fetch {entry.name} --accept-licence`.",
            )
        if entry.weights is None:
            return self._download(entry, progress)
        if convert is None:
            raise ModelUnavailable(
                f"Of {entry.name} only torch weights are published, which must be converted first.",
                f"Run `barnhand models fetch {entry.name}`.",
            )
        weights = self._fetched(entry.weights.file, progress)
        target = self.user_cache / entry.files[0].name
        part = target.with_name(f".{target.name}.part")
        try:
            convert(entry.weights, weights, part)
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
        noted_hash(target).write_text(sha256_of(target), "ascii")
        return target

    def _download(self, entry: ModelEntry, progress: Progress | None) -> Path:
        missing = next((file for file in entry.files if not file.urls), None)
        if missing is not None:
            raise ModelUnavailable(
                f"No download address is known for {missing.name} of {entry.name}.",
                f"It comes from {entry.origin}. Get it there and use `barnhand models import`.",
            )
        for file in entry.files:
            self._fetched(file, progress)
        return self.user_cache / entry.files[0].name

    def _fetched(self, file: ModelFile, progress: Progress | None) -> Path:
        target = self.user_cache / file.name
        if not target.is_file() or fault_of(target, file) is not None:
            download(file, target, progress)
        return target

    def import_file(
        self, source: Path, task: Task | None = None, name: str | None = None
    ) -> ModelEntry:
        """Copy a model file into the cache and list it there.

        What the file is comes from a manifest beside it (``barnhand train`` writes one of the same
        name, ``barnhand models export`` a manifest.toml), from the known models by its hash, or
        from its shapes: then it is run once as a model for ``task``. It is listed under ``name`` or
        its own.
        Raises ModelInvalid, NotFound; OperatorMistake when a listed model has that name, when it is
        for another task, or when the task is not known.
        """
        source = source.expanduser().resolve()
        if not source.is_file():
            raise NotFound(f"There is no model file {source}.", "Check the path.")
        entry = self._entry_of(source, task)
        if entry == self._by_name(entry.name):
            copy_into(self.user_cache, source, {file.name: file.name for file in entry.files})
            return entry
        entry = entry.model_copy(update={"name": name} if name else {})
        if self._by_name(entry.name) is not None:
            raise OperatorMistake(
                f"A model named {entry.name!r} is listed already.", "Give the import another name."
            )
        renamed = {f"imported/{entry.name}/{file.name}": file.name for file in entry.files}
        files = [
            file.model_copy(update={"name": target})
            for file, target in zip(entry.files, renamed, strict=True)
        ]
        entry = ModelEntry.model_validate(entry.model_dump() | {"files": files})
        copy_into(self.user_cache, source, renamed)
        list_in(self.user_cache, entry)
        self.manifest = self._merged()
        return entry

    def _entry_of(self, source: Path, task: Task | None) -> ModelEntry:
        """What a file is, by what lies beside it, by its hash, or by its shapes for ``task``."""
        known = self._described_beside(source) or self._listed(sha256_of(source))
        if known is not None:
            if task not in (None, known.task):
                raise OperatorMistake(
                    f"{source.name} is a model for {known.task}, not for {task}.",
                    "Leave --task out, or name another file.",
                )
            return known
        runtime_of(source)
        if task is None:
            raise OperatorMistake(
                f"What {source.name} is for cannot be told from its name.",
                f"Say so: --task {'|'.join(Task)}.",
            )
        entry = describe_file(source, task, Execution("cpu"))
        return entry.model_copy(update={"origin": f"imported from {source.name}"})

    def _by_name(self, name: str) -> ModelEntry | None:
        return next((known for known in self.manifest.model if known.name == name), None)

    def _described_beside(self, source: Path) -> ModelEntry | None:
        """The entry that a manifest beside the file gives it, by its hash."""
        digest = sha256_of(source)
        own = source.with_suffix(".toml")
        for beside in (own, source.with_name(MANIFEST_NAME)):
            for entry in read_manifest(beside).model if beside.is_file() else ():
                if entry.files[0].sha256 == digest:
                    return entry
        if own.is_file():
            raise ModelInvalid(
                f"{own.name} describes another file than {source.name}.",
                f"Put the right {own.name} beside it, or take it away.",
            )
        return None

    def export(self, name: str, folder: Path) -> ModelEntry:
        """Copy a model that is on this machine into ``folder`` with a manifest of its own, so that
        the folder serves on another machine through BARNHAND_MODELS.

        Raises OperatorMistake (unknown name, the folder cannot be written), ModelUnavailable,
        ModelInvalid (absent, damaged).
        """
        entry = self.manifest.named(name)
        path = self.locate(entry, may_download=False)
        stated = [
            file.model_copy(update={"sha256": sha256_of(beside), "size_bytes": size})
            for file, beside, size in (
                (file, here, here.stat().st_size)
                for file in entry.files
                for here in [path.parents[entry.files[0].name.count("/")] / file.name]
            )
        ]
        entry = ModelEntry.model_validate(entry.model_dump() | {"files": stated})
        copy_into(folder, path, {file.name: Path(file.name).name for file in entry.files})
        list_in(folder, entry)
        return entry


def _problem_of(entry: ModelEntry, folder: Path) -> str | None:
    return next(_problems(entry, folder), None)


def _problems(entry: ModelEntry, folder: Path) -> Iterator[str]:
    for file in entry.files:
        path = folder / file.name
        if not path.is_file():
            yield f"{file.name} is missing beside it"
        elif (fault := fault_of(path, file)) is not None:
            yield f"{file.name}: {fault}"
