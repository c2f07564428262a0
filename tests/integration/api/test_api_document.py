"""The running server keeps what its OpenAPI document says: every operation, every kind of caller.

Requests are made up from the document (schemathesis): good ones, told of objects that are there,
bad ones, and boundary values. No answer may be a 5xx, of an undocumented status, media type, header
or schema; bad data must be refused; nothing guarded may answer without a token.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.schemas import APIOperation, BaseSchema

from barnhand_desktop.api.access import ApiRoute
from barnhand_desktop.api.routes import ROUTES
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from tests.fixtures_document import Barn, stocked_barn
from tests.helpers.document_cases import Examiner, load

GOOD, BAD, EDGES = 6, 4, 25
DOCUMENTED = [route for route in ROUTES if route.documented]


@pytest.fixture(scope="module")
def barn(
    postgres_server: EmbeddedPostgres, servers_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Barn]:
    with stocked_barn(postgres_server, servers_dir, tmp_path_factory.mktemp("document")) as made:
        yield made


@pytest.fixture(scope="module")
def described(barn: Barn) -> BaseSchema:
    return load(barn)


@pytest.fixture(scope="module")
def examiner(barn: Barn) -> Iterator[Examiner]:
    made = Examiner(barn)
    yield made
    made.close()
    if report := os.environ.get("BARNHAND_DOCUMENT_REPORT"):
        lines = [f"{name}: {dict(sorted(made.counts[name].items()))}" for name in made.counts]
        Path(report).write_text("\n".join(lines) + "\n", "utf-8")


def name(route: ApiRoute) -> str:
    return f"{route.method} {route.base_path}{route.path}"


def examples(operation: APIOperation, mode: GenerationMode, count: int, check: object) -> None:
    @settings(
        max_examples=count,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def run(case: Case) -> None:
        assert callable(check)
        check(case)

    run()


def has_something_to_spoil(operation: APIOperation) -> bool:
    return bool(operation.query or operation.body or operation.path_parameters)


@pytest.mark.timeout(300)
@pytest.mark.parametrize("route", DOCUMENTED, ids=name)
def test_an_operation_answers_as_the_document_says(
    barn: Barn, described: BaseSchema, examiner: Examiner, route: ApiRoute
) -> None:
    operation = described[route.base_path + route.path][route.method]
    rng = random.Random(name(route))
    examples(
        operation,
        GenerationMode.POSITIVE,
        GOOD,
        lambda case: examiner.try_out(case, "root", rng, True),
    )
    if has_something_to_spoil(operation):
        examples(
            operation, GenerationMode.NEGATIVE, BAD,
            lambda case: examiner.try_out(case, "root", rng, False),
        )  # fmt: skip
    for account in ("viewer", "stranger", "admin"):
        examples(
            operation, GenerationMode.POSITIVE, 1,
            lambda case, account=account: examiner.try_out(case, account, rng, False),
        )  # fmt: skip
    edges = described.iter_coverage_cases(
        operation,
        generation_modes=list(GenerationMode),
        generation_config=described.config.generation,
    )
    for case in islice(edges, EDGES):
        examiner.try_out(case, "root", rng, False)
