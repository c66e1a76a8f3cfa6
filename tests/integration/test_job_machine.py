"""Any order of what can happen to jobs, through the real scripts in a real Redis.

The machine keeps beside each job what must be true of it; every step is checked against that, for
every job, in the record, in Celery's result and in what the API reads.
"""

import json
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import accumulate, islice
from pathlib import Path
from typing import Any, Literal, NoReturn, cast

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
from redis import RedisError

from garimpo.local_stack.stack import Stack
from jobs.failure import JobFailedError
from jobs.model.item_blocks import decode_block
from jobs.model.job import JobRequest, JobState
from jobs.model.lease_policy import LeasePolicy
from jobs.model.record import JobRecord, ProgressMessage
from jobs.redis import keys
from jobs.store.completion import Completer, CompletionPolicy
from jobs.store.leased_jobs import FinishedPage, LeaseLostError, NotClaimableError, progress_meta
from jobs.store.reconciler import FAILURE_BY_REASON, Reconciler
from jobs.store.stats import Counters
from tests.integration.jobs_in_redis import HEAD, STARTING, Jobs, id_of
from worker.tasks import claim_or_finish

MAX_CRASHES = 3
#: No time passes by itself: the machine says when something is due.
LEASING = LeasePolicy(
    lease=timedelta(hours=1),
    reconcile_interval=timedelta(hours=1),
    max_crashes=MAX_CRASHES,
    queue_ttl=timedelta(days=1),
)

WORKERS = st.sampled_from(["one", "two", "three"])
#: Whose token is shown: the holder's (or the last one's), the first one's, or none that there was.
Writer = Literal["holder", "first", "forged"]
WRITERS = st.sampled_from(["holder", "holder", "first", "forged"])
#: What Celery writes by itself, and why.
WRITES: dict[str, tuple[str, Callable[[], object]]] = {
    "success": ("SUCCESS", lambda: HEAD),
    "failed": ("FAILURE", lambda: JobFailedError("page_timeout", {"page": 1, "seconds": 4})),
    "broken": ("FAILURE", KeyError),
    "unknown": ("FAILURE", lambda: NotRegistered("tubehunt.scrape-channels")),
    "hard_limit": ("FAILURE", lambda: TimeLimitExceeded(60)),
    "started": ("STARTED", dict),
    "retry": ("RETRY", KeyError),
    "revoked": ("REVOKED", KeyError),
}
#: What each ends a job as, if it may; '' is a result.
ENDING_WRITES = {
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
class Expected:
    """What must be true of one job."""

    job: JobRequest
    state: JobState = JobState.PENDING
    holder: str = ""
    worker: str = ""
    tokens: list[str] = field(default_factory=list)
    attempt: int = 0
    crashes: int = 0
    progress: int = 0
    said: ProgressMessage | None = None
    #: By page, in the order in which they came.
    pages: dict[int, list[dict[str, Any]]] = field(default_factory=dict)
    cancelled: bool = False
    has_waited_long: bool = False
    is_due: bool = False
    code: str | None = None
    started_at: datetime | None = None
    #: All that Redis kept of it when it ended.
    frozen: object = None

    @property
    def items(self) -> list[dict[str, Any]]:
        """In the order in which their pages came."""
        return [item for items in self.pages.values() for item in items]

    def token(self, writer: Writer) -> str:
        if writer == "forged" or not self.tokens:
            return "forged"
        return self.tokens[0] if writer == "first" else self.holder or self.tokens[-1]

    def take(self, token: str, worker: str) -> None:
        self.state, self.holder, self.worker = JobState.PROCESSING, token, worker
        self.tokens.append(token)
        self.attempt += 1
        self.said = self.said or STARTING
        self.is_due = False

    def end(self, code: str | None = None) -> None:
        self.state = JobState.FAILED if code else JobState.COMPLETED
        self.code = code
        self.progress = self.progress if code else 100
        self.is_due = False

    def reconcile(self, *, leases_run_out: bool) -> set[str]:
        """Go on as a look at a job that is due must; return the words that may tell of it."""
        if self.holder and not leases_run_out:
            return {"held"}
        words = {"taken"} if self.holder else {"queued", "kept"}
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
        return words


class Dying(Completer):
    """A worker that dies when it has to end a job."""

    def complete(self, *_: object) -> NoReturn:
        raise RedisError


class JobMachine(RuleBasedStateMachine):
    """See the module's own text."""

    submitted = Bundle("submitted")

    def __init__(self, jobs: Jobs) -> None:
        super().__init__()
        self.jobs = jobs
        self.redis = jobs.redis
        self.read_all = jobs.redis.register_script(
            Path(__file__).with_name("read_all.lua").read_text(encoding="utf-8")
        )
        self.redis.flushall()
        self.expected: dict[str, Expected] = {}
        #: Whose turn it is to reconcile.
        self.turn = ""
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
        # Looks go by the order of ids: the same steps shall lead to the same end.
        job = self.jobs.submit(id=f"job-{len(self.expected)}")
        self.expected[job.id] = Expected(job)
        assert self.jobs.queued(job) == 1
        return job.id

    @rule(job_id=submitted)
    def submit_again(self, job_id: str) -> None:
        with self.unchanged():
            self.jobs.ask(lambda front: front.submit(self.expected[job_id].job))

    @rule(job_id=submitted, dies=st.booleans())
    def cancel(self, job_id: str, *, dies: bool) -> None:
        """Cancel; an API that `dies` does so between the two steps of it."""
        this = self.expected[job_id]
        if this.state.is_final:
            with self.unchanged():
                assert not self.jobs.cancel(this.job)
            return
        this.cancelled = True
        if dies:
            self.jobs.ask(lambda front: front._cancel(keys=[keys.record(job_id)]))
            return
        assert self.jobs.cancel(this.job)
        if not this.holder:
            this.end("cancelled")

    # --- the queue -----------------------------------------------------------------------------

    @rule(job_id=submitted, what=st.sampled_from(["lose", "double", "receive", "restore"]))
    def trouble_queue(self, job_id: str, what: str) -> None:
        """Lose or double a job's messages, move the queue's next to `unacked`, or all back."""
        texts = self.messages(job_id)
        if what == "lose":
            for text in texts:
                self.redis.lrem(keys.JOB_QUEUE, 0, text)
        elif what == "double" and texts:
            self.redis.lpush(keys.JOB_QUEUE, texts[0])
        elif what == "receive":
            self.receive()
        else:
            self.restore()

    def receive(self) -> None:
        """Take the next message as kombu does; it stays there if its worker dies now."""
        if text := self.redis.rpop(keys.JOB_QUEUE):
            tag = json.loads(str(text))["properties"]["delivery_tag"]
            self.redis.hset("unacked", tag, json.dumps([json.loads(str(text)), "", keys.JOB_QUEUE]))

    def restore(self) -> None:
        """Put what was taken back, marked as kombu marks it."""
        for tag, text in self.redis.hgetall("unacked").items():
            message = json.loads(text)[0]
            message["headers"]["redelivered"] = True
            message["properties"]["delivery_info"]["redelivered"] = True
            self.redis.hdel("unacked", tag)
            self.redis.rpush(keys.JOB_QUEUE, json.dumps(message))

    # --- workers -------------------------------------------------------------------------------

    @rule(job_id=submitted, worker=WORKERS)
    def claim(self, job_id: str, worker: str) -> None:
        """Begin a delivery, wherever its message came from."""
        this = self.expected[job_id]
        refusal, lease = self.refusal(this), None
        told: str | None = None
        with self.unchanged(refusal in {"final", "busy"}):
            try:
                lease = claim_or_finish(self.jobs.backend, job_id, worker, MAX_CRASHES)
            except NotClaimableError as nothing:
                told = nothing.reason
        assert told == refusal
        if lease:
            assert lease.done_pages == this.pages.keys()
            assert lease.record.progress == this.progress
            this.take(lease.token, worker)
        elif refusal in FAILURE_BY_REASON:
            this.end(FAILURE_BY_REASON[refusal])

    @staticmethod
    def refusal(this: Expected) -> str | None:
        if this.state.is_final:
            return "final"
        if this.holder:
            return "busy"
        if this.cancelled:
            return "cancelled"
        return "poison" if this.crashes >= MAX_CRASHES else None

    @rule(job_id=submitted, writer=WRITERS)
    def heartbeat(self, job_id: str, writer: Writer) -> None:
        this, token, holds = self.writer(job_id, writer)
        with self.unchanged(not holds):
            said = self.jobs.leases.renew(job_id, token)
        assert said == ("lost" if not holds else "cancelled" if this.cancelled else "held")
        this.is_due = this.is_due and not holds

    @rule(job_id=submitted, writer=WRITERS, percent=st.integers(0, 99), door=st.booleans())
    def progress(self, job_id: str, writer: Writer, percent: int, *, door: bool) -> None:
        """Tell how far the job is, directly or through Celery's backend."""
        this, token, holds = self.writer(job_id, writer)
        said = ProgressMessage("opening_page", {"page": percent, "pages": 99})
        with self.refused(not holds):
            if door:
                meta = progress_meta(percent, said)
                self.jobs.store(this.job, token, "PROGRESS", meta)
            else:
                self.jobs.leases.set_progress(job_id, token, percent, said)
        if holds and percent >= this.progress:
            this.progress, this.said = percent, said

    @rule(job_id=submitted, writer=WRITERS, number=st.integers(1, 4), count=st.integers(0, 3))
    def append(self, job_id: str, writer: Writer, number: int, count: int) -> None:
        """Add a page; one that is there already, maybe with other items, stays as it is."""
        this, token, holds = self.writer(job_id, writer)
        items = [{"page": number, "n": n, "attempt": this.attempt} for n in range(count)]
        with self.refused(not holds):
            self.jobs.leases.append_page(job_id, token, FinishedPage(number, items))
        if holds:
            this.pages.setdefault(number, items)

    @rule(job_id=submitted, writer=WRITERS)
    def release(self, job_id: str, writer: Writer) -> None:
        this, token, holds = self.writer(job_id, writer)
        before = self.jobs.queued(this.job)
        with self.unchanged(not holds):
            assert self.jobs.leases.release(this.job.task_name, this.job.id, token) is holds
        if holds:
            this.holder, this.is_due = "", False
            assert self.jobs.queued(this.job) == before + 1

    @rule(
        job_id=submitted,
        writer=WRITERS | st.none(),
        what=st.sampled_from(list(WRITES)),
        worker=WORKERS,
    )
    def write_as_celery(self, job_id: str, writer: Writer | None, what: str, worker: str) -> None:
        """Store what Celery does after, before and instead of a task; some of it ends the job."""
        this = self.expected[job_id]
        token = this.token(writer) if writer else None
        state, make = WRITES[what]
        code = self.ending_of(this, token, what, worker)
        with self.unchanged(code is None):
            self.jobs.store(this.job, token, state, make(), worker)
        if code is not None:
            this.end(code or None)

    @staticmethod
    def ending_of(this: Expected, token: str | None, what: str, worker: str) -> str | None:
        """Return the code that a write ends a job with, '' if it completes it, None if neither."""
        code = ENDING_WRITES.get(what)
        if code is None or this.state.is_final:
            return None
        if token is not None:
            return code if token == this.holder else None
        # What a main process tells by itself: its own children's jobs are its to end, and a job
        # that is not to be run at all is anyone's while it waits.
        of_its_child = what in {"hard_limit", "revoked"} and this.holder and this.worker == worker
        waits = what in {"unknown", "revoked"} and not this.holder
        return code if of_its_child or waits else None

    # --- time, and who looks -------------------------------------------------------------------

    @rule(job_id=submitted)
    def pass_time(self, job_id: str) -> None:
        """Crash its worker, if it has one: nothing is heard until the lease is over."""
        self.jobs.pass_time(self.expected[job_id].job)
        self.expected[job_id].is_due = not self.expected[job_id].state.is_final

    @rule(job_id=submitted, what=st.sampled_from(["wait", "lock", "gap", "grace"]))
    def trouble_time(self, job_id: str, what: str) -> None:
        """Let a job have waited long, the lock or the grace run out, nobody have looked."""
        this = self.expected[job_id]
        if what == "wait" and not this.state.is_final:
            self.redis.hset(keys.record(job_id), "created_at", 1)
            this.has_waited_long = True
        elif what == "lock":
            self.redis.delete(keys.RECONCILER)
            self.turn = ""
        elif what == "gap":
            self.have_gap()
        else:
            self.redis.delete(keys.GRACE)
            self.in_grace = False

    def have_gap(self) -> None:
        self.redis.set(keys.LAST_RECONCILED, 0)
        self.has_gap = True

    @rule(
        job_id=submitted,
        name=st.sampled_from(["one", "one", "two"]),
        gap=st.booleans(),
        dies=st.booleans(),
    )
    def reconcile(self, job_id: str, name: str, *, gap: bool, dies: bool) -> None:
        """Look when a job is due, maybe after a gap.

        One who `dies` does so at the first job that has to be ended.
        """
        self.pass_time(job_id)
        if gap:
            self.have_gap()
        policy = CompletionPolicy(timedelta(days=1), LEASING.lease)
        endings = (Dying if dies else Completer)(self.redis, policy)
        reconciler = Reconciler(self.redis, LEASING, endings, name, publish_end=lambda _: None)
        if self.turn not in {"", name}:
            with self.unchanged():
                assert reconciler.run_once() == {}
            return
        self.turn = name
        self.in_grace = self.in_grace or self.has_gap
        self.has_gap = False
        done: dict[str, str] = {}
        had_message = self.queued_ids()
        with suppress(RedisError):
            done = reconciler.run_once()
        self.follow_look(done, had_message, dies=dies)

    def follow_look(self, done: dict[str, str], had_message: set[str], *, dies: bool) -> None:
        has_message = self.queued_ids()
        due = sorted(job_id for job_id, this in self.expected.items() if this.is_due)
        died = False
        for job_id in due:
            this = self.expected[job_id]
            words = this.reconcile(leases_run_out=not self.in_grace)
            died = dies and bool(words & FAILURE_BY_REASON.keys())
            if died:
                break
            for word in words & FAILURE_BY_REASON.keys():
                this.end(FAILURE_BY_REASON[word])
            assert not done or done[job_id] in words
            if not this.is_due and not this.state.is_final:
                assert job_id in has_message
                assert done.get(job_id) != "kept" or job_id in had_message
        assert died or done.keys() == set(due)

    # --- what must hold ------------------------------------------------------------------------

    @invariant()
    def everyone_tells_the_same(self) -> None:
        pipeline = self.redis.pipeline(transaction=False)
        for job_id in self.expected:
            pipeline.hgetall(keys.record(job_id))
            pipeline.get(keys.result(job_id))
            pipeline.lrange(keys.items(job_id), 0, -1)
            pipeline.lrange(keys.item_totals(job_id), 0, -1)
            pipeline.zscore(keys.ACTIVE, job_id)
            pipeline.zscore(keys.WORKER_LOST, job_id)
            names = (keys.tombstone, keys.record, keys.result, keys.items, keys.pages)
            for name in names:
                pipeline.ttl(name(job_id))
        replies = iter(pipeline.execute())
        for this in self.expected.values():
            record, result, blocks, totals, active, given_up, *lives_s = islice(replies, 11)
            self.check_record(this, record)
            self.check_items(this, blocks, totals)
            self.check_celery(this, self.jobs.celery_meta(result))
            self.check_lives(this, lives_s)
            assert (active is None) is this.state.is_final
            assert (given_up is not None) is (this.code == "worker_lost")
            if this.state.is_final:
                this.frozen = this.frozen or (record, result)
                assert (record, result) == this.frozen

    @invariant()
    def lists_and_counters_tell_the_same(self) -> None:
        for group in ("", "tubehunt", "tubehunt.scrape-channels"):
            listed = {
                job_id: state
                for state in JobState
                for job_id in self.redis.zrange(keys.state_index(state, group), 0, -1)
            }
            assert listed == {this.job.id: this.state for this in self.expected.values()}
        counted = cast("dict[str, str]", self.redis.hgetall(keys.COUNTERS))
        ended = Counters.decode(counted).counts.get("ended", {})
        outcomes = Counter(
            this.code or "completed" for this in self.expected.values() if this.state.is_final
        )
        assert {outcome: number for (_, outcome), number in ended.items()} == outcomes

    @staticmethod
    def check_record(this: Expected, fields: dict[str, str]) -> None:
        record = JobRecord.decode(this.job.id, fields)
        told = (record.state, record.progress, record.attempt, record.message)
        assert told == (this.state, this.progress, this.attempt, this.said)
        assert (record.failure.code if record.failure else None) == this.code
        assert (record.started_at is None) is (this.attempt == 0)
        this.started_at = this.started_at or record.started_at
        assert record.started_at == this.started_at
        assert (record.ended_at is not None) is this.state.is_final
        assert int(fields["crashes"]) == this.crashes
        assert this.state.is_final or fields.get("token", "") == this.holder

    @staticmethod
    def check_items(this: Expected, blocks: list[str], totals: list[str]) -> None:
        """Until its end a job's items are in the list; then they are in its result alone."""
        decoded = [decode_block(block) for block in blocks]
        expected = [] if this.state is JobState.COMPLETED else this.items
        assert [json.loads(item) for items in decoded for item in items] == expected
        assert [int(total) for total in totals] == list(accumulate(map(len, decoded)))

    @staticmethod
    def check_celery(this: Expected, meta: dict[str, Any]) -> None:
        if this.state is JobState.COMPLETED:
            assert (meta["status"], meta["result"]) == ("SUCCESS", HEAD.as_dict(this.items))
        elif this.state is JobState.FAILED:
            assert (meta["status"], meta["result"].code) == ("FAILURE", this.code)
        elif this.said is None:
            assert meta["status"] == "PENDING"
        else:
            assert meta["status"] == "PROGRESS"
            assert meta["result"] == progress_meta(this.progress, this.said)

    @staticmethod
    def check_lives(this: Expected, lives_s: list[int]) -> None:
        tombstone_s, *others_s = lives_s
        assert (tombstone_s > 7 * 24 * 3600) is this.state.is_final
        # -2 is a key that is not there, -1 one that stays.
        assert all(life_s == -2 or (life_s > 0) is this.state.is_final for life_s in others_s)

    def check_clients(self) -> None:
        """Look as the API and other programs that know Celery do."""
        for this in self.expected.values():
            record = self.jobs.look(this.job).record
            result: Any = AsyncResult(this.job.id, app=self.jobs.celery)
            assert (record.state, record.progress) == (this.state, this.progress)
            if this.state is JobState.COMPLETED:
                assert self.jobs.read_result(this.job) == result.get(timeout=1)
            elif this.state is JobState.FAILED:
                assert record.failure
                assert result.result.code == record.failure.code

    def teardown(self) -> None:
        """Be fair from now on: what is queued is run, what is due is looked at. Nothing is lost."""
        self.check_clients()
        waiting = {i for i, this in self.expected.items() if not this.state.is_final}
        for _ in range(2):
            while text := self.redis.rpop(keys.JOB_QUEUE):
                self.run(id_of(str(text)))
            for job_id in waiting:
                self.jobs.pass_time(self.expected[job_id].job)
            self.jobs.reconcile()
        while text := self.redis.rpop(keys.JOB_QUEUE):
            self.run(id_of(str(text)))
        for job_id in waiting:
            record = self.jobs.look(self.expected[job_id].job).record
            assert record.state.is_final, f"lost: {record}"
            self.expected.pop(job_id)
        self.everyone_tells_the_same()

    def run(self, job_id: str) -> None:
        job = self.expected[job_id].job
        with suppress(NotClaimableError):
            lease = claim_or_finish(self.jobs.backend, job_id, "fair", MAX_CRASHES)
            self.jobs.store(job, lease.token, "SUCCESS", HEAD, "fair")

    # --- by the way ----------------------------------------------------------------------------

    def writer(self, job_id: str, writer: Writer) -> tuple[Expected, str, bool]:
        """Return what is expected of the job, the token that is shown, and whether it holds."""
        this = self.expected[job_id]
        token = this.token(writer)
        return this, token, not this.state.is_final and token == this.holder

    def messages(self, job_id: str) -> list[str]:
        texts = map(str, self.redis.lrange(keys.JOB_QUEUE, 0, -1))
        return [text for text in texts if id_of(text) == job_id]

    def queued_ids(self) -> set[str]:
        return {id_of(str(text)) for text in self.redis.lrange(keys.JOB_QUEUE, 0, -1)}

    def dump(self) -> dict[str, object]:
        """Read all of Redis; a hash has no order."""
        return {
            name: dict(zip(value[::2], value[1::2], strict=True)) if kind == "hash" else value
            for name, kind, value in self.read_all()
        }

    @contextmanager
    def unchanged(self, applies: bool = True) -> Iterator[None]:  # noqa: FBT001, FBT002 - reads so
        before = self.dump() if applies else None
        try:
            yield
        finally:
            assert not applies or self.dump() == before

    @contextmanager
    def refused(self, applies: bool) -> Iterator[None]:  # noqa: FBT001 - reads as a sentence
        with self.unchanged(applies):
            if not applies:
                yield
                return
            try:
                yield
            except LeaseLostError:
                return
            raise AssertionError("it was not refused")


class TestJobs:
    @pytest.mark.timeout(600)  # 150 examples of up to 40 steps, each checked in full
    def test_keep_every_promise_in_any_order(self) -> None:
        with Stack() as stack, Jobs(stack.redis().url, LEASING) as jobs:
            # It is not to outlive anything, and each step writes.
            jobs.redis.config_set("appendonly", "no")
            # Whatever makes a machine will do; its type asks for the class itself.
            make = cast("type[RuleBasedStateMachine]", partial(JobMachine, jobs))
            run_state_machine_as_test(make, settings=SETTINGS)
