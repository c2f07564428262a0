"""Requests that an examiner makes up of the document, told of what is really there."""

from __future__ import annotations

import random
from collections import Counter
from datetime import UTC, timedelta
from typing import Any

import requests
import schemathesis
from schemathesis import Case
from schemathesis.checks import CHECKS, load_all_checks
from schemathesis.config import SchemathesisConfig
from schemathesis.core.transport import Response
from schemathesis.schemas import BaseSchema

from tests.fixtures_api import PASSWORD
from tests.fixtures_document import SPAN_S, Barn
from tests.fixtures_identity import at

CHECKED = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_schema_conformance",
    "response_headers_conformance",
    "negative_data_rejection",
    "ignored_auth",
    "unsupported_method",
)
_SAME = {
    "kept": "horse_id", "absorbed": "horse_id", "first": "horse_id", "second": "horse_id",
    "into": "horse_id", "a": "session_id", "b": "session_id",
    "stream_ids": "stream_id", "horse_ids": "horse_id",
}  # fmt: skip
_START = {"start_time", "start", "at", "since", "seen_since"}
_END = {"end_time", "end"}


def load(barn: Barn) -> BaseSchema:
    """The document as the server tells it."""
    told = requests.get(f"{barn.world.url}/openapi.json", timeout=20).json()
    config = SchemathesisConfig.from_dict({"generation": {"with-security-parameters": False}})
    return schemathesis.openapi.from_dict(told, config=config)


class Examiner:
    """Sends cases and looks at the answers. ``counts``: answers by operation and status."""

    def __init__(self, barn: Barn) -> None:
        load_all_checks()
        self._barn = barn
        self._session = requests.Session()
        self._checks = CHECKS.get_by_names(list(CHECKED))
        self.counts: dict[str, Counter[int]] = {}
        self.followed = 0

    def close(self) -> None:
        """Close the connection."""
        self._session.close()

    def try_out(self, case: Case, account: str, rng: random.Random, told: bool) -> Response:
        """Send a case as an account; fails where the answer is not as the document says. ``told``:
        of what is really there."""
        path = case.operation.path
        ends_the_login = path.endswith(("/auth/logout", "/auth/password"))
        tokens = self._barn.world.tokens
        token = self._barn.token(account) if ends_the_login else tokens[account]
        headers = {"Authorization": f"Bearer {token}"}
        if told:
            self._tell(case, rng)
            if path.endswith("/auth/refresh"):
                case.body = {"refresh_token": self._barn.login()["refresh_token"]}
        answer = case.call(
            base_url=self._barn.world.url, session=self._session, headers=headers, timeout=20
        )
        if told:
            name = f"{case.method} {path}"
            self.counts.setdefault(name, Counter())[answer.status_code] += 1
        case.validate_response(answer, checks=self._checks, headers=headers)
        return answer

    def judge(self, case: Case, answer: Response, account: str) -> None:
        """Look at an answer that somebody else asked for."""
        self.followed += 1
        headers = {"Authorization": f"Bearer {self._barn.world.tokens[account]}"}
        case.validate_response(answer, checks=self._checks, headers=headers)

    def _tell(self, case: Case, rng: random.Random) -> None:
        known = self._barn.known
        for name in case.path_parameters or {}:
            taken_away = case.method == "DELETE" and case.path.endswith(f"{{{name}}}")
            if taken_away and name in self._barn.make:
                case.path_parameters[name] = self._barn.make[name]()
                continue
            wanted = "steered" if "/ptz" in case.path and name == "stream_id" else name
            wanted = case.path.rpartition("/")[2] if name == "token" else wanted
            if wanted in known:
                case.path_parameters[name] = rng.choice(known[wanted])
        query = case.query or {}
        if rng.random() < 0.85:
            query.pop("cursor", None)
            for name, value in list(query.items()):
                query[name] = self._value(name, value, rng)
        if isinstance(case.body, dict) and rng.random() < 0.85:
            body = {name: self._value(name, value, rng) for name, value in case.body.items()}
            if "version" in body:
                body["version"] = self._version(case)
            if "expected" in body and isinstance(body["expected"], dict):
                body["expected"] = None
            if case.path.endswith("/auth/password"):
                body = {"current_password": PASSWORD, "new_password": PASSWORD}
            if case.path.endswith("/auth/login"):
                body = {"username": "viewer", "password": PASSWORD}
            if case.path.endswith("/users"):
                body["password"] = PASSWORD + " made"
            if case.path.endswith("/sessions") and body.get("source") == "stretch":
                body |= {"start_time": _word(1.0), "end_time": _word(90.0)}
            if "edits" in body:
                body["edits"] = [_edit(rng)]
                case.path_parameters["chunk_id"] = known["chunk_id"][-1]
            case.body = body

    def _value(self, name: str, value: Any, rng: random.Random) -> Any:
        """What a parameter or field of that name could really be."""
        known = self._barn.known.get(_SAME.get(name, name))
        if value is None:
            return None
        if name == "farm_id":
            return str(self._barn.world.farm)
        if known is not None:
            return [rng.choice(known)] if isinstance(value, list) else rng.choice(known)
        if name == "expected" and isinstance(value, str):
            return rng.choice(self._barn.known["horse_id"])
        if name == "address":
            return f"rtsp://192.0.2.{rng.randint(1, 200)}/live"
        if name in _START and isinstance(value, str) and len(value) > 18:
            return _word(rng.uniform(0.0, SPAN_S / 2))
        if name in _END and isinstance(value, str) and len(value) > 18:
            return _word(rng.uniform(SPAN_S / 2 + 1.0, SPAN_S))
        if isinstance(value, dict):
            return {key: self._value(key, inner, rng) for key, inner in value.items()}
        if isinstance(value, list):
            return [self._value("", inner, rng) for inner in value]
        return value

    def _version(self, case: Case) -> int:
        path = case.path.format(**case.path_parameters)
        answer = self._barn.world.request("root", "GET", f"{self._barn.world.url}{path}")
        if answer.status_code != 200:
            listed = self._barn.world.request("root", "GET", "/alert-rules").json()
            wanted = case.path_parameters.get("rule_id")
            return next((one["version"] for one in listed if one["id"] == wanted), 1)
        return int(answer.json().get("version", 1))


def _edit(rng: random.Random) -> dict[str, object]:
    box = [rng.randint(0, 50), 10, rng.randint(60, 90), 60]
    return {"edit": "add", "at": _word(rng.uniform(1.0, 90.0)), "box_xyxy_px": box}


def _word(seconds: float) -> str:
    return (at(0) + timedelta(seconds=seconds)).astimezone(UTC).isoformat().replace("+00:00", "Z")
