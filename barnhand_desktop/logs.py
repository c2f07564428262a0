"""Structured logs: one JSON object a line, with camera and track ids and without secrets.

``logging`` is used everywhere; this module decides what a record looks like and where it goes.
Threads that serve one camera say so once (``engine.runtime.log_context``); other lines give ids as
extras: ``log.info("reconnected", extra={"stream_id": stream.id})``. A line within a traced request
or batch names its trace.
"""

from __future__ import annotations

import copy
import json
import logging
import logging.handlers
import re
import sys
import threading
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from typing import TextIO

from opentelemetry import trace

from engine.domain.errors import EnvironmentFault
from engine.runtime import log_context

LOG_FILES = 5
"""Files kept: the one being written and its predecessors."""

HIDDEN = "***"
RESERVED = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName"}
"""What every record has; no field of ours may take such a name."""
_SECRET_NAME = re.compile(
    r"(pass(word|wd|phrase)?|secret|token|credential|authorization|cookie|api_?key|dsn"
    r"|private_key|signing_key|credential_key|token_key)$",
    re.IGNORECASE,
)
_PATTERNS: tuple[tuple[re.Pattern[str], str], ...] = (
    # scheme://user:password@host keeps the scheme and the host; a password may hold an @.
    (re.compile(r"\b([a-z][a-z0-9+.-]*://)[^\s/?#\"'<>]*@", re.IGNORECASE), rf"\1{HIDDEN}@"),
    (
        re.compile(r"\b((?:proxy-)?authorization[\"']?\s*[:=]\s*[\"']?)[^\r\n\"']+", re.IGNORECASE),
        rf"\1{HIDDEN}",
    ),
    (
        re.compile(r"\b(bearer|basic|digest)\s+[A-Za-z0-9._~+/=-]{8,}", re.IGNORECASE),
        rf"\1 {HIDDEN}",
    ),
    (re.compile(r"\beyJ[\w-]+\.[\w-]+\.[\w-]*"), HIDDEN),
    (
        re.compile(
            r"\b((?:[a-z]+[_-])*(?:password|passwd|pwd|passphrase|secret|token|api[_-]?key)"
            r"[\"']?\s*[=:]\s*)(\"[^\"]*\"|'[^']*'|[^\s,;&\"')}\]]+)",
            re.IGNORECASE,
        ),
        rf"\1{HIDDEN}",
    ),
)


class Redactor:
    """Takes credentials out of text: known secrets, and whatever looks like one."""

    def __init__(self) -> None:
        self._known: frozenset[str] = frozenset()
        self._lock = threading.Lock()

    def add(self, secrets: Iterable[str]) -> None:
        """Never let these through again; those under four characters would hide ordinary text."""
        with self._lock:
            self._known = self._known | {s for s in secrets if len(s) >= 4}

    def clean(self, text: str) -> str:
        """``text`` with every credential replaced by three stars."""
        for secret in sorted(self._known, key=len, reverse=True):
            text = text.replace(secret, HIDDEN)
        for pattern, replacement in _PATTERNS:
            text = pattern.sub(replacement, text)
        return text

    def clean_value(self, name: str, value: object) -> object:
        """A record's extra as JSON can hold it: numbers stay, the rest becomes clean text."""
        if _SECRET_NAME.search(name):
            return HIDDEN
        if value is None or isinstance(value, bool | int):
            return value
        if isinstance(value, float):
            return value if abs(value) < float("inf") else str(value)
        if isinstance(value, dict):
            return {str(k): self.clean_value(str(k), v) for k, v in value.items()}
        if isinstance(value, list | tuple | set | frozenset):
            return [self.clean_value("", v) for v in value]
        return self.clean(str(value))


REDACTOR = Redactor()
"""The process's own; ``REDACTOR.add`` what the settings and the registry hold."""


def fields_of(record: logging.LogRecord) -> dict[str, object]:
    """What a record is about, beside its message; asked on the thread that logs."""
    found: dict[str, object] = dict(log_context.fields())
    found |= {name: value for name, value in vars(record).items() if name not in RESERVED}
    span = trace.get_current_span().get_span_context()
    if span.is_valid and span.trace_flags.sampled:
        found["trace_id"] = f"{span.trace_id:032x}"
    return found


class JsonFormatter(logging.Formatter):
    """A record as one line of JSON: at, level, logger, thread, message, extras, error."""

    def __init__(self, redactor: Redactor = REDACTOR) -> None:
        super().__init__()
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        document: dict[str, object] = {
            "at": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "thread": record.threadName,
            "message": self._redactor.clean(record.getMessage()),
        }
        for name, value in fields_of(record).items():
            if name not in document:
                document[name] = self._redactor.clean_value(name, value)
        if record.exc_info and record.exc_info[0] is not None:
            document["error"] = record.exc_info[0].__name__
            document["traceback"] = self._redactor.clean(self.formatException(record.exc_info))
        return _one_line(json.dumps(document, ensure_ascii=False))


class TerminalFormatter(logging.Formatter):
    """A record for a person: time, level and message; the traceback only of bugs."""

    def __init__(self, redactor: Redactor = REDACTOR) -> None:
        super().__init__("%(asctime)s %(levelname)-7s %(message)s", "%H:%M:%S")
        self._redactor = redactor

    def format(self, record: logging.LogRecord) -> str:
        """The text, clean; a name cannot begin a line of its own or command the terminal."""
        shown = copy.copy(record)
        shown.msg, shown.args = _one_line(record.getMessage()), None
        return self._redactor.clean(super().format(shown))


def _one_line(text: str) -> str:
    """``text`` with what ends a line or commands a terminal written out."""
    return _COMMANDING.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


_COMMANDING = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")


def configure_logging(
    level: str = "info",
    folder: Path | None = None,
    max_mb: int = 50,
    stream: TextIO | None = None,
    json_lines: bool = False,
) -> None:
    """Send the process's log to a terminal and, where ``folder`` is given, to JSON files there.

    ``stream`` None takes standard error, where there is one (a windowed program on Windows has
    none). ``json_lines`` writes JSON to the terminal as well (containers). The files together hold
    at most ``max_mb`` MB. Replaces what an earlier call set up. Raises EnvironmentFault when the
    folder cannot be written.
    """
    root = logging.getLogger()
    handlers: list[logging.Handler] = []
    terminal = stream if stream is not None else sys.stderr
    if terminal is not None:
        spoken = logging.StreamHandler(terminal)
        spoken.setFormatter(JsonFormatter() if json_lines else TerminalFormatter())
        handlers.append(spoken)
    if folder is not None:
        handlers.append(_file_handler(folder, max_mb))
    close_logging()
    for handler in handlers:
        handler.set_name(f"barnhand:{type(handler).__name__}")
        root.addHandler(handler)
    root.setLevel(level.upper())
    for noisy in ("urllib3", "asyncio", "PIL", "matplotlib", "ultralytics"):
        logging.getLogger(noisy).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(True)
    threading.excepthook = _log_thread_failure


def close_logging() -> None:
    """Remove and close what ``configure_logging`` set up."""
    root = logging.getLogger()
    for handler in list(root.handlers):
        if (handler.get_name() or "").startswith("barnhand:"):
            root.removeHandler(handler)
            handler.close()
    logging.captureWarnings(False)
    threading.excepthook = threading.__excepthook__


def _file_handler(folder: Path, max_mb: int) -> logging.Handler:
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        kept = logging.handlers.RotatingFileHandler(
            folder / "barnhand.jsonl",
            maxBytes=max_mb * 1_000_000 // LOG_FILES,
            backupCount=LOG_FILES - 1,
            encoding="utf-8",
        )
    except OSError as error:
        raise EnvironmentFault(
            f"No log can be kept in {folder}: {error.strerror}.",
            "Make the folder writable, or set telemetry.log_file = false.",
        ) from error
    kept.setFormatter(JsonFormatter())
    return kept


def _log_thread_failure(failure: threading.ExceptHookArgs) -> None:
    name = failure.thread.name if failure.thread is not None else "unknown"
    if failure.exc_value is None or issubclass(failure.exc_type, SystemExit):
        return
    logging.getLogger(__name__).error(
        "thread %s ended by an unexpected error",
        name,
        exc_info=(failure.exc_type, failure.exc_value, failure.exc_traceback),
    )
