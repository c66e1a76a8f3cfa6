"""Values in Redis that Garimpo did not write: decoders report them and raise nothing else."""

import json
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest

from api.access.caller import LOCAL_CALLER
from api.routes.jobs import build_listed_job
from api.routes.metrics import StatsCollector
from jobs.model.i18n import Language
from jobs.model.job import JobState
from jobs.model.record import JobRecord, UnreadableRecordError
from jobs.redis.async_client import UnreadableDataError
from jobs.redis.replies import parse_number
from jobs.schemas import build_error, build_status
from jobs.store.item_reader import _parse_header
from jobs.store.job_store import JobSnapshot
from jobs.store.stats import Counters, Stats
from jobs.store.worker_registry import WorkerStatus

ID = "550e8400-e29b-41d4-a716-446655440000"
#: As a client with `encoding_errors="replace"` returns it: without surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=8,
).map(json.dumps)
VALUE = TEXT | JSON | st.integers().map(str)
RECORD = {
    "site": "shop",
    "job": "list-products",
    "recipe": "digest",
    "params": '{"pages": 1}',
    "caller": "",
    "state": "processing",
    "progress": "10",
    "attempt": "1",
    "created_at": "1767304800000",
    "started_at": "1767304800000",
    "message": '{"key": "opening_page", "args": {"page": 1, "pages": 2}}',
    "revision": "3",
}
FAILED = {
    **RECORD,
    "state": "failed",
    "ended_at": "1767304800000",
    "failure": '{"code": "worker_lost", "details": {"crashes": 3}}',
}
FIELDS = st.sampled_from([*FAILED, "webhook", "items_read", "page_url"])


def respond(fields: dict[str, str]) -> None:
    """Build and encode every response about a record, if it can be decoded."""
    try:
        record = JobRecord.decode(ID, fields)
    except UnreadableRecordError:
        return
    bodies: list[Any] = [
        build_listed_job(record, language, caller=LOCAL_CALLER, url_prefix="")
        for language in Language
    ]
    if record.state is JobState.FAILED:
        bodies.append(build_error(record, Language.EN))
    elif not record.state.is_final:
        bodies.append(build_status(JobSnapshot(record, record.created_at), Language.EN))
    for body in bodies:
        json.dumps(body.model_dump(), ensure_ascii=False, allow_nan=False).encode()


class TestRecord:
    @given(changes=st.dictionaries(FIELDS, VALUE, max_size=3), failed=st.booleans())
    @example(changes={"message": '{"key": "page", "args": {"page": {"x": 1}}}'}, failed=False)
    @example(changes={"message": '{"key": "extracting", "args": {}}'}, failed=False)
    @example(changes={"failure": '{"code": "page_changed", "details": {}}'}, failed=True)
    @example(changes={"failure": '{"code": "site_moved", "details": {"a": [1]}}'}, failed=True)
    @example(changes={"params": '{"a": "\\ud800"}'}, failed=False)
    @example(changes={"params": '{"a": NaN}'}, failed=False)
    @example(changes={"created_at": "9" * 400}, failed=False)
    @example(changes={"created_at": "9" * 5000}, failed=False)
    @example(changes={"params": "[" * 100_000}, failed=False)
    def test_is_unreadable_or_fit_for_every_response(
        self,
        changes: dict[str, str],
        failed: bool,  # noqa: FBT001 - generated
    ) -> None:
        respond((FAILED if failed else RECORD) | changes)

    @given(missing=st.sets(FIELDS))
    def test_without_some_fields_is_unreadable_or_fit(self, missing: set[str]) -> None:
        respond({name: value for name, value in FAILED.items() if name not in missing})

    @given(fields=st.dictionaries(TEXT, VALUE))
    def test_of_another_program_is_unreadable(self, fields: dict[str, str]) -> None:
        respond(fields)


class TestStats:
    @given(
        counters=st.dictionaries(
            TEXT | st.lists(TEXT, max_size=5).map("|".join) | TEXT.map("waited|a|b|{}".format),
            VALUE,
        ),
        status=VALUE,
        name=TEXT,
    )
    @example(counters={"x|": "junk", "waited|a|b|junk": "1"}, status='{"jobs": [5]}', name="\0")
    def test_are_exported_whatever_is_stored(
        self, counters: dict[str, str], status: str, name: str
    ) -> None:
        workers = {name: WorkerStatus.decode(status)}
        stats = Stats(Counters.decode(counters), workers, 0, 0.0, 0, 0, 0, 0.0)
        registry = CollectorRegistry()
        registry.register(StatsCollector(stats))

        assert b"garimpo_redis_up" in generate_latest(registry)
        assert stats.running >= 0


class TestResult:
    @given(header=VALUE)
    @example(header='{"result": {"warnings": [{"code": 5}]}}')
    @example(header='{"result": {"warnings": []}, "items": {"name": "a", "blocks": [[1, -5, 2]]}}')
    def test_is_unreadable_or_has_warnings(self, header: str) -> None:
        try:
            stored = _parse_header(ID, header)
        except UnreadableDataError:
            return
        assert stored.result["warnings"] is not None


class TestParseNumber:
    @given(value=st.none() | VALUE)
    def test_returns_a_number_of_our_range(self, value: str | None) -> None:
        assert 0 <= parse_number(value) <= 10**15
