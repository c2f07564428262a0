"""The FFmpeg options a stream may set: an allow list by name and form, nothing else passes.

``Stream.extra["options"]`` is a mapping of option name to value. FFmpeg has options that read
files, run filters and open further connections, so an unlisted name is an error, never a warning.
"""

from __future__ import annotations

import re
from collections.abc import Mapping

from engine.domain.errors import OperatorMistake
from engine.domain.streams import Stream

_ALLOWED = {
    "rtsp_transport": re.compile(r"tcp|udp|udp_multicast|http"),
    "analyzeduration": re.compile(r"\d{1,8}"),
    "probesize": re.compile(r"\d{2,8}"),
    "max_delay": re.compile(r"\d{1,7}"),
    "reorder_queue_size": re.compile(r"\d{1,4}"),
    "buffer_size": re.compile(r"\d{1,9}"),
    "fflags": re.compile(r"(nobuffer|discardcorrupt|genpts)(\+(nobuffer|discardcorrupt|genpts))*"),
    "user_agent": re.compile(r"[ -~]{1,120}"),
}


def stream_options(stream: Stream) -> dict[str, str]:
    """The stream's own FFmpeg options, checked. Raises OperatorMistake naming what is wrong."""
    given = stream.extra.get("options", {})
    if not isinstance(given, Mapping):
        raise OperatorMistake(f"The options of {stream.name} must be names with values.")
    options: dict[str, str] = {}
    for name, value in given.items():
        pattern = _ALLOWED.get(str(name))
        if pattern is None:
            raise OperatorMistake(
                f"The option {name!r} of {stream.name} is not allowed.",
                f"Allowed are {', '.join(sorted(_ALLOWED))}.",
            )
        if not pattern.fullmatch(str(value)):
            raise OperatorMistake(f"The option {name!r} of {stream.name} has an unusable value.")
        options[str(name)] = str(value)
    return options
