"""Stateful property test of the jobs' Lua scripts on a real Redis.

A Hypothesis state machine runs the operations of the API, the workers, Celery and the reconciler in
any order. It keeps a model of each job; after every step, the record, Celery's result and the API's
reads of every job are compared with the model. Redis may also go back to an earlier state, as after
a failover: workers go on with what they know, and no job may be completed without a page.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Literal, NoReturn, cast
from uuid import UUID

import pytest
from billiard.exceptions import TimeLimitExceeded
from celery.exceptions import NotRegistered
from celery.result import AsyncResult
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from redis import Redis, RedisError

from garimpo.local_stack.stack import Stack
from jobs.failure import JobFailedError
from jobs.model.item_blocks import decode_block
from jobs.model.job import JobRequest, JobState
from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import JobRecord, ProgressMessage
from jobs.redis import keys
from jobs.store.completion import Completer, CompletionPolicy
from jobs.store.leased_jobs import (
    NOTHING_STORED,
    FinishedPage,
    LeaseLostError,
    NotClaimableError,
    PagesLostError,
    StoredPages,
    progress_meta,
)
from jobs.store.reconciler import FAILURE_BY_REASON, Reconciler
from jobs.store.stats import Counters
from tests.integration.jobs_in_redis import HEAD, STARTING, Jobs, parse_job_id, result_of
from worker.tasks import claim_or_finish

MAX_CRASHES = 3
#: No interval expires during a test: the machine makes jobs due.
LEASE_POLICY = LeasePolicy(
    lease=timedelta(hours=1),
    reconcile_interval=timedelta(hours=1),
    max_crashes=MAX_CRASHES,
    queue_ttl=timedelta(days=1),
)

WORKERS = st.sampled_from(["one", "two", "three"])
#: Source of the fencing token: the holder (or the last one), the first holder, or an invention.
Writer = Literal["holder", "first", "forged"]
WRITERS = st.sampled_from(["holder", "holder", "first", "forged"])
#: Celery state and result of each kind of write.
CELERY_WRITES: dict[str, tuple[str, Callable[[], object]]] = {
    "success": ("SUCCESS", lambda: HEAD),
    "failed": ("FAILURE", lambda: JobFailedError("page_timeout", {"page": 1, "seconds": 4})),
    "broken": ("FAILURE", KeyError),
    "unknown": ("FAILURE", lambda: NotRegistered("tubehunt.scrape-channels")),
    "hard_limit": ("FAILURE", lambda: TimeLimitExceeded(60)),
    "started": ("STARTED", dict),
    "retry": ("RETRY", KeyError),
    "revoked": ("REVOKED", KeyError),
}
#: Failure code of a job that is ended by such a write; '' if it completes the job.
CODE_BY_WRITE = {
    "success": "",
    "failed": "page_timeout",
    "broken": "internal_error",
    "unknown": "recipe_unknown",
    "hard_limit": "time_limit",
    "revoked": "cancelled",
}

SETTINGS = settings(
    max_examples=150,
    stateful_step_count=40,
    deadline=None,
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow],
)


@dataclass
class ExpectedJob:
    """Expected state of one job."""

    request: JobRequest
    state: JobState = JobState.PENDING
    holder: str = ""
    worker: str = ""
    tokens: list[str] = field(default_factory=list)
    attempt: int = 0
    crashes: int = 0
    progress: int = 0
    message: ProgressMessage | None = None
    #: Items by page, in the order in which the pages were appended.
    pages: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    cancelled: bool = False
    has_waited_long: bool = False
    is_due: bool = False
    code: str | None = None
    started_at: datetime | None = None
    #: Record and result at its end, which must not change afterwards.
    final_content: object = None

    @property
    def items(self) -> list[dict[str, Any]]:
        """All items, in the order of their pages."""
        return [item for items in self.pages.values() for item in items]

    @property
    def stored(self) -> StoredPages:
        """The number of all pages and items."""
        return StoredPages(len(self.pages), len(self.items))

    def token(self, writer: Writer) -> str:
        if writer == "forged" or not self.tokens:
            return "forged"
        return self.tokens[0] if writer == "first" else self.holder or self.tokens[-1]

    def claim(self, token: str, worker: str) -> None:
        self.state, self.holder, self.worker = JobState.PROCESSING, token, worker
        self.tokens.append(token)
        self.attempt += 1
        self.message = self.message or STARTING
        self.is_due = False

    def end(self, code: str | None = None) -> None:
        self.state = JobState.FAILED if code else JobState.COMPLETED
        self.code = code
        self.progress = self.progress if code else 100
        self.is_due = False

    def reconcile(self, *, may_revoke: bool) -> set[str]:
        """Apply a check of a due job; return the actions that the reconciler may report."""
        if self.holder and not may_revoke:
            return {"held"}
        actions = {"taken"} if self.holder else {"queued", "kept"}
        if self.holder:
            self.holder = ""
            self.crashes += 1
        if self.cancelled:
            return {"cancelled"}
        if self.crashes >= MAX_CRASHES:
            return {"poison"}
        if self.state is JobState.PENDING and self.has_waited_long:
            return {"expired"}
        self.is_due = False
        return actions


@dataclass
class Attempt:
    """What a worker knows: it does not go back with Redis."""

    stored: StoredPages
    #: The last page that it has stored, and what was stored before.
    last_page: FinishedPage | None = None
    before: StoredPages = NOTHING_STORED


@dataclass
class Copy:
    """Redis at an earlier moment, and the model of it."""

    #: Key, dump and TTL (ms; 0 for none).
    values: list[tuple[bytes, bytes, int]]
    expected: dict[str, ExpectedJob]
    reconciler: tuple[str, bool, bool]


class FailingCompleter(Completer):
    """Fails as if the worker died when it ends a job."""

    def complete_unleased(self, *_: object) -> NoReturn:
        raise RedisError


class JobMachine(RuleBasedStateMachine):
    """Runs operations on up to three jobs; see the module's docstring."""

    submitted = Bundle("submitted")

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self.jobs = jobs
        self.redis = jobs.redis
        self._read_all = jobs.redis.register_script(
            Path(__file__).with_name("read_all.lua").read_text(encoding="utf-8")
        )
        self.redis.flushall()
        self.expected: dict[str, ExpectedJob] = {}
        #: By lease token.
        self.attempts: dict[str, Attempt] = {}
        self.copy: Copy | None = None
        #: Worker that holds the reconciler's lock.
        self.lock_holder = ""
        self.redis.set(keys.LAST_RECONCILED, self.redis.time()[0] * 1000)
        self.has_gap = False
        self.in_grace = False

    # --- the API -------------------------------------------------------------------------------

    @initialize(target=submitted)
    def begin(self) -> str:
        return self.submit_new()

    @precondition(lambda self: len(self.expected) < 3)
    @rule(target=submitted)
    def submit(self) -> str:
        return self.submit_new()

    def submit_new(self) -> str:
        # Due jobs are checked in the order of their ids: fixed ids make the steps reproducible.
        job = self.jobs.submit(id=str(UUID(int=len(self.expected))))
        self.expected[job.id] = ExpectedJob(job)
        assert self.jobs.count_messages(job) == 1
        return job.id

    @rule(job_id=submitted)
    def submit_again(self, job_id: str) -> None:
        with self.unchanged():
            self.jobs.call_store(lambda store: store.submit(self.expected[job_id].request))

    @rule(job_id=submitted, dies=st.booleans())
    def cancel(self, job_id: str, *, dies: bool) -> None:
        """Cancel a job; if the API `dies`, it does so between the two steps."""
        expected = self.expected[job_id]
        if expected.state.is_final:
            with self.unchanged():
                assert not self.jobs.cancel(expected.request)
            return
        expected.cancelled = True
        if dies:
            self.jobs.call_store(lambda store: store._cancel(keys=[keys.record(job_id)]))
            return
        assert self.jobs.cancel(expected.request)
        if not expected.holder:
            expected.end("cancelled")

    # --- the queue -----------------------------------------------------------------------------

    @rule(job_id=submitted, fault=st.sampled_from(["lose", "double", "receive", "restore"]))
    def disturb_queue(self, job_id: str, fault: str) -> None:
        """Lose or duplicate a job's messages, or move messages to `unacked` or back."""
        messages = self.messages(job_id)
        if fault == "lose":
            for message in messages:
                self.redis.lrem(keys.JOB_QUEUE, 0, message)
        elif fault == "double" and messages:
            self.redis.lpush(keys.JOB_QUEUE, messages[0])
        elif fault == "receive":
            self.receive()
        else:
            self.restore()

    def receive(self) -> None:
        """Receive the next message as kombu does; it remains in `unacked` if its worker dies."""
        if text := self.redis.rpop(keys.JOB_QUEUE):
            message = json.loads(str(text))
            tag = message["properties"]["delivery_tag"]
            self.redis.hset("unacked", tag, json.dumps([message, "", keys.JOB_QUEUE]))

    def restore(self) -> None:
        """Put all received messages back, marked as redelivered, as kombu does."""
        for tag, text in self.redis.hgetall("unacked").items():
            message = json.loads(text)[0]
            message["headers"]["redelivered"] = True
            message["properties"]["delivery_info"]["redelivered"] = True
            self.redis.hdel("unacked", tag)
            self.redis.rpush(keys.JOB_QUEUE, json.dumps(message))

    # --- workers -------------------------------------------------------------------------------

    @rule(job_id=submitted, worker=WORKERS)
    def claim(self, job_id: str, worker: str) -> None:
        """Claim a job, whether or not there is a message for it."""
        expected = self.expected[job_id]
        expected_refusal = self.refusal(expected)
        lease, refusal = None, None
        with self.unchanged(expected_refusal in {"final", "busy"}):
            try:
                lease = claim_or_finish(self.jobs.backend, job_id, worker, MAX_CRASHES)
            except NotClaimableError as error:
                refusal = error.reason
        assert refusal == expected_refusal
        if lease:
            assert lease.done_pages == expected.pages.keys()
            assert lease.record.progress == expected.progress
            expected.claim(lease.token, worker)
            self.attempts[lease.token] = Attempt(expected.stored)
        elif expected_refusal in FAILURE_BY_REASON:
            expected.end(FAILURE_BY_REASON[expected_refusal])

    @staticmethod
    def refusal(expected: ExpectedJob) -> str | None:
        if expected.state.is_final:
            return "final"
        if expected.holder:
            return "busy"
        if expected.cancelled:
            return "cancelled"
        return "poison" if expected.crashes >= MAX_CRASHES else None

    @rule(job_id=submitted, writer=WRITERS)
    def heartbeat(self, job_id: str, writer: Writer) -> None:
        expected, token, holds = self.resolve_writer(job_id, writer)
        with self.unchanged(not holds):
            answer = self.jobs.leased_jobs.renew(job_id, token)
        assert answer == ("lost" if not holds else "cancelled" if expected.cancelled else "held")
        expected.is_due = expected.is_due and not holds

    @rule(
        job_id=submitted, writer=WRITERS, percent=st.integers(0, 99), through_celery=st.booleans()
    )
    def progress(self, job_id: str, writer: Writer, percent: int, *, through_celery: bool) -> None:
        """Set the progress, directly or through Celery's backend."""
        expected, token, holds = self.resolve_writer(job_id, writer)
        message = ProgressMessage("opening_page", {"page": percent, "pages": 99})
        with self.refused(not holds):
            if through_celery:
                meta = progress_meta(percent, message)
                self.jobs.store_result(expected.request, token, "PROGRESS", meta)
            else:
                self.jobs.leased_jobs.set_progress(job_id, token, percent, message)
        if holds and percent >= expected.progress:
            expected.progress, expected.message = percent, message

    @rule(job_id=submitted, writer=WRITERS, number=st.integers(1, 4), count=st.integers(0, 3))
    def append(self, job_id: str, writer: Writer, number: int, count: int) -> None:
        """Append a page that is not stored yet."""
        expected, token, holds = self.resolve_writer(job_id, writer)
        if number in expected.pages:
            return
        attempt = self.attempts.get(token, Attempt(NOTHING_STORED))
        items = [{"page": number, "n": n, "attempt": expected.attempt} for n in range(count)]
        page = FinishedPage(number, items)
        is_missing = attempt.stored != expected.stored
        with self.refused(not holds or is_missing, PagesLostError if holds else LeaseLostError):
            after = self.jobs.leased_jobs.append_page(job_id, token, page, attempt.stored)
        if holds and not is_missing:
            expected.pages[number] = items
            assert after == expected.stored
            attempt.last_page, attempt.before, attempt.stored = page, attempt.stored, after

    @rule(job_id=submitted, writer=WRITERS)
    def append_again(self, job_id: str, writer: Writer) -> None:
        """Repeat the last page of an attempt, as if the reply was lost with the connection."""
        expected, token, holds = self.resolve_writer(job_id, writer)
        attempt = self.attempts.get(token)
        if not attempt or not attempt.last_page:
            return
        page = attempt.last_page
        is_stored = page.number in expected.pages
        is_missing = expected.stored != (attempt.stored if is_stored else attempt.before)
        with (
            self.refused(not holds or is_missing, PagesLostError if holds else LeaseLostError),
            self.unchanged(is_stored),
        ):
            after = self.jobs.leased_jobs.append_page(job_id, token, page, attempt.before)
        if holds and not is_missing:
            expected.pages.setdefault(page.number, [dict(item) for item in page.items])
            assert after == expected.stored == attempt.stored

    @rule(job_id=submitted, writer=WRITERS)
    def release(self, job_id: str, writer: Writer) -> None:
        expected, token, holds = self.resolve_writer(job_id, writer)
        before = self.jobs.count_messages(expected.request)
        with self.unchanged(not holds):
            assert (
                self.jobs.leased_jobs.release(
                    expected.request.task_name, expected.request.id, token
                )
                is holds
            )
        if holds:
            expected.holder, expected.is_due = "", False
            # None is added if the queue has its message.
            assert max(before, 1) <= self.jobs.count_messages(expected.request) <= before + 1

    @rule(
        job_id=submitted,
        writer=WRITERS | st.none(),
        write=st.sampled_from(list(CELERY_WRITES)),
        worker=WORKERS,
    )
    def write_as_celery(self, job_id: str, writer: Writer | None, write: str, worker: str) -> None:
        """Store what Celery writes before, after or instead of a task; some writes end the job."""
        expected = self.expected[job_id]
        token = expected.token(writer) if writer else None
        state, make_result = CELERY_WRITES[write]
        result = make_result()
        code = self.code_of_write(expected, token, write, worker)
        if write == "success" and token in self.attempts:
            stored = self.attempts[token].stored
            result = replace(HEAD, total=stored.items, pages_read=stored.pages)
            if stored != expected.stored:
                code = None
        with self.unchanged(code is None):
            self.jobs.store_result(expected.request, token, state, result, worker)
        if code is not None:
            expected.end(code or None)

    @staticmethod
    def code_of_write(
        expected: ExpectedJob, token: str | None, write: str, worker: str
    ) -> str | None:
        """Return the failure code of a write: '' if it completes the job, None if it is ignored."""
        code = CODE_BY_WRITE.get(write)
        if code is None or expected.state.is_final:
            return None
        if token is not None:
            return code if token == expected.holder else None
        # Writes of a worker's main process have no token. It may end its own children's jobs; any
        # worker may end a job that cannot be run and is not leased.
        is_own_job = (
            write in {"hard_limit", "revoked"} and expected.holder and expected.worker == worker
        )
        is_unleased = write in {"unknown", "revoked"} and not expected.holder
        return code if is_own_job or is_unleased else None

    # --- time, and the reconciler --------------------------------------------------------------

    @rule(job_id=submitted)
    def make_due(self, job_id: str) -> None:
        """Let a job's lease expire, as if its worker had crashed, or its check become due."""
        self.jobs.make_due(self.expected[job_id].request)
        self.expected[job_id].is_due = not self.expected[job_id].state.is_final

    @rule(job_id=submitted, change=st.sampled_from(["wait", "lock", "gap", "grace"]))
    def change_time(self, job_id: str, change: str) -> None:
        """Let a job wait too long, the lock or the grace period expire, or skip reconciliation."""
        expected = self.expected[job_id]
        if change == "wait" and not expected.state.is_final:
            self.redis.hset(keys.record(job_id), "created_at", 1)
            expected.has_waited_long = True
        elif change == "lock":
            self.redis.delete(keys.RECONCILER)
            self.lock_holder = ""
        elif change == "gap":
            self.make_gap()
        else:
            self.redis.delete(keys.GRACE)
            self.in_grace = False

    @rule()
    def take_copy(self) -> None:
        """Let a replica or a backup have the present state."""
        with Redis.from_url(self.jobs.url) as redis:
            values = [(key, redis.dump(key), max(0, redis.pttl(key))) for key in redis.scan_iter()]
        reconciler = self.lock_holder, self.has_gap, self.in_grace
        self.copy = Copy(values, deepcopy(self.expected), reconciler)

    @precondition(lambda self: self.copy and self.copy.expected.keys() == self.expected.keys())
    @rule()
    def go_back(self) -> None:
        """Let Redis lose all writes since the copy."""
        assert self.copy
        self.redis.flushall()
        with Redis.from_url(self.jobs.url) as redis:
            for key, value, ttl_ms in self.copy.values:
                redis.restore(key, ttl_ms, value)
        self.expected = deepcopy(self.copy.expected)
        self.lock_holder, self.has_gap, self.in_grace = self.copy.reconciler

    def make_gap(self) -> None:
        self.redis.set(keys.LAST_RECONCILED, 0)
        self.has_gap = True

    @rule(
        job_id=submitted,
        name=st.sampled_from(["one", "one", "two"]),
        gap=st.booleans(),
        dies=st.booleans(),
    )
    def reconcile(self, job_id: str, name: str, *, gap: bool, dies: bool) -> None:
        """Reconcile when a job is due, optionally after a gap.

        A reconciler that `dies` does so when it has to end jobs, after it has checked all of them.
        """
        self.make_due(job_id)
        if gap:
            self.make_gap()
        policy = CompletionPolicy(timedelta(days=1), LEASE_POLICY.lease)
        completer = (FailingCompleter if dies else Completer)(self.redis, policy)
        reconciler = Reconciler(
            self.redis,
            LEASE_POLICY,
            completer,
            name,
            publish_ends=lambda records: [True] * len(records),
        )
        if self.lock_holder not in {"", name}:
            with self.unchanged():
                assert reconciler.run_once() == {}
            return
        self.lock_holder = name
        self.in_grace = self.in_grace or self.has_gap
        self.has_gap = False
        done: dict[str, str] = {}
        queued_before = self.queued_ids()
        with suppress(RedisError):
            done = reconciler.run_once()
        self.apply_reconciliation(done, queued_before, dies=dies)

    def apply_reconciliation(
        self, done: dict[str, str], queued_before: set[str], *, dies: bool
    ) -> None:
        queued_after = self.queued_ids()
        due = sorted(job_id for job_id, expected in self.expected.items() if expected.is_due)
        died = False
        for job_id in due:
            expected = self.expected[job_id]
            actions = expected.reconcile(may_revoke=not self.in_grace)
            for action in actions & FAILURE_BY_REASON.keys():
                died = dies
                if not dies:
                    expected.end(FAILURE_BY_REASON[action])
            assert not done or done[job_id] in actions
            if not expected.is_due and not expected.state.is_final:
                assert job_id in queued_after
                assert done.get(job_id) != "kept" or job_id in queued_before
        assert died or done.keys() == set(due)

    # --- invariants ----------------------------------------------------------------------------

    @invariant()
    def record_items_and_celery_agree(self) -> None:
        pipeline = self.redis.pipeline(transaction=False)
        for job_id in self.expected:
            pipeline.hgetall(keys.record(job_id))
            pipeline.get(keys.result(job_id))
            pipeline.lrange(keys.items(job_id), 0, -1)
            pipeline.lrange(keys.item_totals(job_id), 0, -1)
            pipeline.zscore(keys.ACTIVE, job_id)
            pipeline.zscore(keys.WORKER_LOST, job_id)
            key_names = (keys.tombstone, keys.record, keys.result, keys.items, keys.pages)
            for key_name in key_names:
                pipeline.ttl(key_name(job_id))
        replies = iter(pipeline.execute())
        for expected in self.expected.values():
            record, result, blocks, totals, active, given_up, *ttls_s = islice(replies, 11)
            self.check_record(expected, record)
            self.check_items(expected, blocks, totals)
            self.check_celery(expected, self.jobs.decode_celery_meta(result))
            self.check_ttls(expected, ttls_s)
            assert (active is None) is expected.state.is_final
            assert (given_up is not None) is (expected.code == "worker_lost")
            if expected.state.is_final:
                expected.final_content = expected.final_content or (record, result)
                assert (record, result) == expected.final_content

    @invariant()
    def indexes_and_counters_agree(self) -> None:
        for group in ("", "tubehunt", "tubehunt.scrape-channels"):
            indexed = {
                job_id: state
                for state in JobState
                for job_id in self.redis.zrange(keys.state_index(state, group), 0, -1)
            }
            assert indexed == {
                expected.request.id: expected.state for expected in self.expected.values()
            }
        counters = cast("dict[str, str]", self.redis.hgetall(keys.COUNTERS))
        ended = Counters.decode(counters).counts.get("ended", {})
        outcomes = Counter(
            expected.code or "completed"
            for expected in self.expected.values()
            if expected.state.is_final
        )
        assert {outcome: count for (_, outcome), count in ended.items()} == outcomes

    @staticmethod
    def check_record(expected: ExpectedJob, fields: dict[str, str]) -> None:
        record = JobRecord.decode(expected.request.id, fields)
        stored = (record.state, record.progress, record.attempt, record.message)
        assert stored == (
            expected.state,
            expected.progress,
            expected.attempt,
            expected.message,
        )
        assert (record.failure.code if record.failure else None) == expected.code
        assert (record.started_at is None) is (expected.attempt == 0)
        expected.started_at = expected.started_at or record.started_at
        assert record.started_at == expected.started_at
        assert (record.ended_at is not None) is expected.state.is_final
        assert int(fields["crashes"]) == expected.crashes
        assert expected.state.is_final or fields.get("token", "") == expected.holder

    @staticmethod
    def check_items(expected: ExpectedJob, blocks: list[str], totals: list[str]) -> None:
        """Fail unless the items are in the list, or after a completion only in the result."""
        decoded = [decode_block(block) for block in blocks]
        listed = [] if expected.state is JobState.COMPLETED else expected.items
        assert [json.loads(item) for items in decoded for item in items] == listed
        assert [int(total) for total in totals] == list(accumulate(map(len, decoded)))

    @staticmethod
    def check_celery(expected: ExpectedJob, meta: dict[str, Any]) -> None:
        if expected.state is JobState.COMPLETED:
            assert (meta["status"], meta["result"]) == (
                "SUCCESS",
                result_of(expected.items, len(expected.pages)),
            )
        elif expected.state is JobState.FAILED:
            assert (meta["status"], meta["result"].code) == ("FAILURE", expected.code)
        elif expected.message is None:
            assert meta["status"] == "PENDING"
        else:
            assert meta["status"] == "PROGRESS"
            assert meta["result"] == progress_meta(expected.progress, expected.message)

    @staticmethod
    def check_ttls(expected: ExpectedJob, ttls_s: list[int]) -> None:
        tombstone_s, *others_s = ttls_s
        assert (tombstone_s > 7 * 24 * 3600) is expected.state.is_final
        # -2 is a missing key, -1 a key without a TTL.
        assert all(ttl_s == -2 or (ttl_s > 0) is expected.state.is_final for ttl_s in others_s)

    def check_clients(self) -> None:
        """Compare the reads of the API and of other Celery clients with the model."""
        for expected in self.expected.values():
            record = self.jobs.get(expected.request).record
            result: Any = AsyncResult(expected.request.id, app=self.jobs.celery)
            assert (record.state, record.progress) == (expected.state, expected.progress)
            if expected.state is JobState.COMPLETED:
                assert self.jobs.read_result(expected.request) == result.get(timeout=1)
            elif expected.state is JobState.FAILED:
                assert record.failure
                assert result.result.code == record.failure.code

    def teardown(self) -> None:
        """Run all queued jobs and reconcile all due ones, and fail if a job is lost."""
        self.check_clients()
        unfinished = {
            job_id for job_id, expected in self.expected.items() if not expected.state.is_final
        }
        for _ in range(2):
            while message := self.redis.rpop(keys.JOB_QUEUE):
                self.run(parse_job_id(str(message)))
            for job_id in unfinished:
                self.jobs.make_due(self.expected[job_id].request)
            self.jobs.reconcile()
        while message := self.redis.rpop(keys.JOB_QUEUE):
            self.run(parse_job_id(str(message)))
        for job_id in unfinished:
            record = self.jobs.get(self.expected[job_id].request).record
            assert record.state.is_final, f"lost: {record}"
            self.expected.pop(job_id)
        self.record_items_and_celery_agree()

    def run(self, job_id: str) -> None:
        request = self.expected[job_id].request
        with suppress(NotClaimableError):
            lease = claim_or_finish(self.jobs.backend, job_id, "fair", MAX_CRASHES)
            self.jobs.store_result(request, lease.token, "SUCCESS", HEAD, "fair")

    # --- helpers -------------------------------------------------------------------------------

    def resolve_writer(self, job_id: str, writer: Writer) -> tuple[ExpectedJob, str, bool]:
        """Return the model of the job, the writer's token, and whether the token is valid."""
        expected = self.expected[job_id]
        token = expected.token(writer)
        return expected, token, not expected.state.is_final and token == expected.holder

    def messages(self, job_id: str) -> list[str]:
        messages = map(str, self.redis.lrange(keys.JOB_QUEUE, 0, -1))
        return [message for message in messages if parse_job_id(message) == job_id]

    def queued_ids(self) -> set[str]:
        return {parse_job_id(str(message)) for message in self.redis.lrange(keys.JOB_QUEUE, 0, -1)}

    def dump(self) -> dict[str, object]:
        """Return all keys of Redis; hashes as dicts, because their order is undefined."""
        return {
            name: dict(zip(value[::2], value[1::2], strict=True)) if kind == "hash" else value
            for name, kind, value in self._read_all()
        }

    @contextmanager
    def unchanged(self, applies: bool = True) -> Iterator[None]:  # noqa: FBT001, FBT002 - a condition
        before = self.dump() if applies else None
        try:
            yield
        finally:
            assert not applies or self.dump() == before

    @contextmanager
    def refused(
        self,
        applies: bool,  # noqa: FBT001 - a condition
        reason: type[LeaseLostError] = LeaseLostError,
    ) -> Iterator[None]:
        with self.unchanged(applies):
            if not applies:
                yield
                return
            with pytest.raises(reason):
                yield


class TestJobs:
    @pytest.mark.timeout(600)  # 150 examples of up to 40 steps, each checked in full
    def test_keep_all_invariants_in_any_order(self) -> None:
        with Stack() as stack, Jobs(stack.redis().url, LEASE_POLICY) as jobs:
            # Nothing has to survive a restart, and each step writes.
            jobs.redis.config_set("appendonly", "no")
            # Any callable that returns a machine will do, but the parameter is typed as a class.
            make_machine = cast("type[RuleBasedStateMachine]", partial(JobMachine, jobs))
            run_state_machine_as_test(make_machine, settings=SETTINGS)
