"""Files as answers: byte ranges, and problem documents for ranges that are none."""

from __future__ import annotations

from starlette.responses import FileResponse
from starlette.types import Message, Receive, Scope, Send

from barnhand_desktop.api.problems import problem_response

_REFUSED = {
    400: ("bad_request", "The Range cannot be read."),
    416: ("range_refused", "The file has no such range."),
}


class FileAnswer(FileResponse):
    """A file that was just found; one that is gone by the time it is opened is a 404."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send it, or the problem."""
        refusal: tuple[int, dict[str, str]] | None = None
        begun = False

        async def send_on(message: Message) -> None:
            nonlocal refusal, begun
            if message["type"] == "http.response.start" and message["status"] in _REFUSED:
                wanted = {name.decode(): value.decode() for name, value in message["headers"]}
                size = wanted.get("content-range")
                refusal = message["status"], {} if size is None else {"Content-Range": size}
            if refusal is None:
                begun = True
                await send(message)

        try:
            await super().__call__(scope, receive, send_on)
        except (RuntimeError, FileNotFoundError):
            if begun:
                raise
            answer = problem_response(404, "not_found", "The file is not there any more.")
            await answer(scope, receive, send)
            return
        if refusal is not None:
            status, headers = refusal
            await problem_response(status, *_REFUSED[status], headers)(scope, receive, send)
