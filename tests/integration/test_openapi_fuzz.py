"""Generated requests for every operation: no 500, and no response that breaks its schema.

`make fuzz` sends at least 5,000 of them; here the number is `FUZZ_EXAMPLES` for each operation.
"""

import os
import random
from collections.abc import Callable, Iterator
from contextlib import nullcontext, suppress
from typing import Any

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.core.result import Ok
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from api.app import create_app
from api.settings import ApiSettings
from garimpo.local_stack.stack import Stack
from tests.integration.services import write_fast_recipe

DEFAULT_EXAMPLES = 15
EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", DEFAULT_EXAMPLES))
PATH = "/api/v1/tubehunt/scrape-channels"
KEY = "key-of-the-tests-0123456789"
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]


class Target:
    """An API, and jobs in each of the states that no worker is needed for."""

    def __init__(self, url: str, key: str | None) -> None:
        self.url = url
        self.headers = {} if key is None else {"X-API-Key": key}
        with httpx.Client(base_url=url, headers=self.headers, trust_env=False) as api:
            body = {"webhook_url": "https://hooks.example/"}
            ids = [api.post(f"{PATH}/start", json=body).json()["job_id"] for _ in range(4)]
            for job_id in ids[:2]:
                assert api.post(f"{PATH}/cancel/{job_id}").status_code == 202
        self.job_ids = ids

    def send(self, case: Case[Any]) -> None:
        """Send a generated request, half of them for one of the jobs, and check the response."""
        chance = random.Random(repr((case.path_parameters, case.query)))  # noqa: S311
        if case.path_parameters and "job_id" in case.path_parameters and chance.random() < 0.5:
            case.path_parameters["job_id"] = chance.choice(self.job_ids)
        if case.query:
            # A wait is no fault; one that is valid would take up to a minute.
            case.query.pop("wait", None)
        if case.headers:
            case.headers.pop("Prefer", None)
            case.headers.pop("prefer", None)
        checks = CHECKS
        if case.operation.path.endswith("/events/{job_id}"):
            # The stream of a job that waits does not end. It is one text in our schema, which
            # schemathesis takes for that of each event.
            case.path_parameters["job_id"] = self.job_ids[0]
            checks = [check for check in CHECKS if check is not response_schema_conformance]
        case.call_and_validate(base_url=self.url, checks=checks, headers=self.headers, timeout=30)


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    recipes = tmp_path_factory.mktemp("recipes")
    write_fast_recipe(recipes)
    with Stack(settings={"RECIPES_DIR": str(recipes)}) as stack:
        stack.redis()
        yield stack


@pytest.fixture(scope="module")
def keyless(stack: Stack) -> Target:
    return Target(stack.api().url, None)


@pytest.fixture(scope="module")
def keyed(stack: Stack) -> Target:
    limits = {"RATE_LIMIT_STARTS": "100000/minute", "RATE_LIMIT_READS": "100000/minute"}
    return Target(stack.api({"API_KEYS": f"fuzz:{KEY}:admin", **limits}).url, KEY)


DOCUMENT = create_app(ApiSettings(_env_file=None)).openapi()
OPERATIONS: dict[str, Any] = {
    result.ok().label: result.ok()
    for result in schemathesis.openapi.from_dict(DOCUMENT).get_all_operations()
    if isinstance(result, Ok)
}
GENERATED = settings(
    max_examples=EXAMPLES,
    deadline=None,
    database=None,
    derandomize=EXAMPLES == DEFAULT_EXAMPLES,
    suppress_health_check=list(HealthCheck),
)


def generate(label: str, send: Callable[[Case[Any]], None]) -> None:
    """Call a function with generated requests for an operation: valid ones, and invalid ones."""
    for mode in GenerationMode:

        @given(OPERATIONS[label].as_strategy(generation_mode=mode))
        @GENERATED
        def check(case: Case[Any]) -> None:
            send(case)

        # An operation that takes nothing but a path has no invalid requests.
        with suppress(Unsatisfiable) if mode.is_negative else nullcontext():
            check()


@pytest.mark.parametrize("label", OPERATIONS)
class TestGeneratedRequests:
    def test_without_keys(self, keyless: Target, label: str) -> None:
        generate(label, keyless.send)

    def test_with_a_key(self, keyed: Target, label: str) -> None:
        generate(label, keyed.send)

    def test_with_keys_and_without_sending_one(self, keyed: Target, label: str) -> None:
        expected = 200 if label == "GET /api/live" else 401

        def send(case: Case[Any]) -> None:
            assert case.call(base_url=keyed.url, timeout=30).status_code == expected

        generate(label, send)
