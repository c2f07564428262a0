"""What every problem's stable ``code`` means: the table of the manual and of the OpenAPI document.

A code is never given another meaning. A test finds every code in the source here, and every code
here in the manual.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ProblemCode:
    """``statuses`` it comes with; ``meaning`` for people who write clients."""

    statuses: tuple[int, ...]
    meaning: str


def _of(*statuses: int, meaning: str) -> ProblemCode:
    return ProblemCode(statuses, meaning)


_MODEL_REFUSALS = {
    "model_answers": "the model answers some pictures with values that are no numbers",
    "model_control_flow": "the model holds a loop, so nobody can say how long it runs",
    "model_description": "the description of an uploaded model is wrong; detail names the field",
    "model_external_data": "the model's weights lie in another file",
    "model_format": "the uploaded file is no ONNX or safetensors file",
    "model_functions": "the model defines functions of its own; inline them",
    "model_hash": "the uploaded file has not the SHA-256 that was stated",
    "model_inspection_failed": (
        "the inspection of the model crashed, or took too long or too much memory"
    ),
    "model_layout": "the model's input or output is not what the description says",
    "model_needs_export": "the model is weights only; export it to ONNX",
    "model_nested": "the model's graphs are nested too deeply",
    "model_not_per_stream": "appearance models are not chosen per stream",
    "model_not_registered": "models of the product are each workstation's own choice",
    "model_operators": "the model uses operators that are not run here",
    "model_opset": "the model is written for an operator set that is not run here",
    "model_pickle": "the uploaded file is a pickle (torch checkpoint); it was not opened",
    "model_tensor": "the model's weights are not as long as their shapes say",
    "model_too_complex": "the model is too large, too slow or has too many parts",
    "model_unbounded": "the model makes tensors whose size depends on the picture",
    "model_unreadable": "the uploaded file is damaged or no ONNX file",
    "model_weights": "the uploaded file is no sound safetensors file",
}
"""Of models that are uploaded or chosen; all with 422."""

MEANINGS: dict[str, ProblemCode] = {
    "address_refused": _of(422, meaning="a camera's address is not one that may be opened"),
    "avatar_refused": _of(422, meaning="the picture is none, too large or cannot be made small"),
    "bad_request": _of(400, meaning="the request cannot be read"),
    "body_too_large": _of(413, meaning="the body is longer than this server takes"),
    "busy": _of(503, meaning="too many of these at once; try again in a moment"),
    "camera_held": _of(409, meaning="somebody of the same or a higher priority steers the camera"),
    "camera_unreachable": _of(503, meaning="the camera does not answer"),
    "conflict": _of(409, meaning="somebody else changed it meanwhile, or the name is taken"),
    "cursor_refused": _of(422, meaning="the cursor was not made here, or not for this question"),
    "engine_unreachable": _of(503, meaning="no engine hears commands now"),
    "error": _of(400, meaning="any other refusal; the status says which"),
    "export_running": _of(409, meaning="the export is still being made; cancel its job first"),
    "farm_not_empty": _of(409, meaning="cameras, horses or accounts still belong to the farm"),
    "forbidden": _of(403, meaning="the role is not enough"),
    "gait_refused": _of(422, meaning="a word that is no gait"),
    "host_refused": _of(403, meaning="the server is not known under that host name"),
    "internal_error": _of(500, meaning="a mistake of the server; it was logged"),
    "login_refused": _of(401, meaning="name or password is wrong, or the account is off"),
    "media_token_refused": _of(403, meaning="a signed address has expired or was not made here"),
    "method_not_allowed": _of(405, meaning="the path does not know this method; see Allow"),
    "model_too_large": _of(413, meaning="the uploaded model is longer than this server takes"),
    "no_avatar": _of(404, meaning="there is no picture of this horse yet"),
    "no_camera_control": _of(404, meaning="the camera has no control set up"),
    "no_picture": _of(404, meaning="there is no picture of this alert"),
    "not_acceptable": _of(406, meaning="none of the media types in Accept can be answered"),
    "not_found": _of(404, meaning="no such object for this caller"),
    "not_ready": _of(503, meaning="something the server depends on does not answer"),
    "not_steered": _of(503, meaning="no engine steers this camera now"),
    "nothing_recorded": _of(404, meaning="nothing was recorded then, or not yet"),
    "on_other_workstation": _of(
        409, meaning="the file lies on another workstation; detail names it, ask its API"
    ),
    "origin_refused": _of(403, meaning="a page of another site asked"),
    "password_change_required": _of(403, meaning="the one-time password must be changed first"),
    "password_wrong": _of(403, meaning="the present password is another one"),
    "range_refused": _of(416, 422, meaning="a range of bytes or of time that cannot be answered"),
    "rate_limited": _of(429, meaning="too many requests; Retry-After says how long to wait"),
    "refresh_reused": _of(401, meaning="a refresh token came twice; its whole login has ended"),
    "refused": _of(422, meaning="it makes no sense as asked; detail says why"),
    "scope_missing": _of(403, meaning="the API key is not made for this"),
    "session_description": _of(
        422, meaning="the description of an uploaded video is wrong; detail names the field"
    ),
    "session_file_type": _of(
        422, meaning="the uploaded file is empty or its name ends in no video"
    ),
    "session_state": _of(409, meaning="the session's state does not allow it; detail says why"),
    "session_too_large": _of(413, meaning="the uploaded video is longer than this server takes"),
    "snapshot_unavailable": _of(503, meaning="the stream has no picture now"),
    "store_unavailable": _of(503, meaning="a server that this needs does not answer"),
    "time_refused": _of(422, meaning="times outside of what is stored, or a stretch too long"),
    "token_refused": _of(401, meaning="the token or key is wrong, expired or revoked"),
    "unauthenticated": _of(401, meaning="an access token or an API key is needed"),
    "unavailable": _of(503, meaning="something outside does not answer; try again later"),
    "unsupported_media_type": _of(415, meaning="the body is not of a media type taken here"),
    "validation_failed": _of(422, meaning="the request does not fit the schema; see errors"),
    **{code: _of(422, meaning=meaning) for code, meaning in _MODEL_REFUSALS.items()},
}
