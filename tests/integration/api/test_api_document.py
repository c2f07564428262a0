"""The running server keeps what its OpenAPI document says: every operation, every kind of caller.

Requests are made up from the document (schemathesis): good ones, told of objects that are there,
bad ones, and boundary values. No answer may be a 5xx, of an undocumented status, media type, header
or schema; bad data must be refused; nothing guarded may answer without a token.
"""

from __future__ import annotations

import contextlib
import os
import random
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.errors import FlakyStrategyDefinition
from schemathesis import Case, GenerationMode
from schemathesis.core.transport import Response
from schemathesis.schemas import APIOperation, BaseSchema

from barnhand_desktop.api.access import ApiRoute
from barnhand_desktop.api.routes import ROUTES
from barnhand_desktop.servers.postgres import EmbeddedPostgres
from tests.fixtures_document import Barn, stocked_barn
from tests.helpers.document_cases import Examiner, load

GOOD, BAD, EDGES = 5, 3, 16
DEEP = (int(os.environ.get("BARNHAND_DOCUMENT_EXAMPLES", "200")), 100, 1000)
BATCHES = 20
DOCUMENTED = [route for route in ROUTES if route.documented]


@pytest.fixture(scope="module")
def barn(
    postgres_server: EmbeddedPostgres, servers_dir: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Barn]:
    with stocked_barn(postgres_server, servers_dir, tmp_path_factory.mktemp("document")) as made:
        yield made


@pytest.fixture
def asked_for(request: pytest.FixtureRequest) -> None:
    """Skips what takes hours unless it was asked for by its marker."""
    if "slow" not in request.config.getoption("markexpr"):
        pytest.skip("takes long; run with -m slow")


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
    tried(described, examiner, route, (GOOD, BAD, EDGES))


@pytest.mark.slow
@pytest.mark.timeout(7200)
@pytest.mark.parametrize("route", DOCUMENTED, ids=name)
def test_an_operation_answers_so_however_long_it_is_tried(
    asked_for: None, described: BaseSchema, examiner: Examiner, route: ApiRoute
) -> None:
    tried(described, examiner, route, DEEP)


@pytest.mark.slow
@pytest.mark.timeout(7200)
def test_operations_that_follow_from_each_other_answer_so(
    asked_for: None, barn: Barn, described: BaseSchema, examiner: Examiner
) -> None:
    """Made objects are read, changed, taken away and asked for again. Left out are the two that end
    the caller's own login, after which every answer would be a 401."""
    linked = described.exclude(path_regex="/auth/(logout|password)$")

    class Following(linked.as_state_machine()):  # type: ignore[misc]
        def get_call_kwargs(self, case: Case) -> dict[str, object]:
            return {
                "base_url": barn.world.url,
                "headers": {"Authorization": f"Bearer {barn.world.tokens['root']}"},
            }

        def validate_response(self, response: Response, case: Case, **told: object) -> None:
            examiner.judge(case, response, "root")

    for number in range(BATCHES):
        # A server remembers: the same request can be answered otherwise the next time, which the
        # generator takes for its own fault and gives the batch up.
        with contextlib.suppress(FlakyStrategyDefinition):
            seed(number)(Following).run(
                settings=settings(
                    max_examples=20,
                    database=None,
                    deadline=None,
                    stateful_step_count=8,
                    phases=[Phase.generate],
                    suppress_health_check=list(HealthCheck),
                )
            )
    assert examiner.followed > BATCHES * 20


def tried(
    described: BaseSchema, examiner: Examiner, route: ApiRoute, counts: tuple[int, int, int]
) -> None:
    """Good requests, bad ones, those of other accounts, and boundary values."""
    good, bad, most = counts
    operation = described[route.base_path + route.path][route.method]
    rng = random.Random(name(route))
    examples(
        operation,
        GenerationMode.POSITIVE,
        good,
        lambda case: examiner.try_out(case, "root", rng, True),
    )
    if has_something_to_spoil(operation):
        examples(
            operation, GenerationMode.NEGATIVE, bad,
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
    for case in islice(edges, most):
        examiner.try_out(case, "root", rng, False)
