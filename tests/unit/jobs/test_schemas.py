from datetime import UTC, datetime, timedelta
from typing import Any

from jobs import schemas
from jobs.failure import FailureCode
from jobs.model.i18n import Language
from jobs.model.job import JobState
from jobs.model.record import Failure, JobRecord, ProgressMessage
from jobs.store.job_store import JobSnapshot, SubmitResult

CREATED = datetime(2026, 1, 1, 22, 0, 0, tzinfo=UTC)
STARTED = CREATED + timedelta(seconds=5)
ENDED = STARTED + timedelta(seconds=330, milliseconds=500)


def make_record(**changes: object) -> JobRecord:
    fields: dict[str, Any] = {
        "id": "550e8400-e29b-41d4-a716-446655440000",
        "site": "tubehunt",
        "job": "scrape-channels",
        "recipe_digest": "digest",
        "params": {"pages": 1},
        "caller": "",
        "state": JobState.PENDING,
        "progress": 0,
        "attempt": 0,
        "message": None,
        "failure": None,
        "created_at": CREATED,
        "started_at": None,
        "ended_at": None,
    }
    return JobRecord(**{**fields, **changes})


RUNNING = make_record(
    state=JobState.PROCESSING,
    progress=45,
    attempt=1,
    message=ProgressMessage(
        "extracting", {"label": {"pt": "canais", "en": "channels"}, "done": 45, "total": 50}
    ),
    started_at=STARTED,
)


class TestBuildStart:
    def test_matches_the_contract(self) -> None:
        body = schemas.build_start(
            SubmitResult("an-id", CREATED, "accepted"), "/api/v1/a/b/result/an-id", Language.PT
        )

        contract = {
            "job_id": "an-id",
            "status": "pending",
            "message": "Job enfileirado com sucesso",
            "created_at": "2026-01-01T22:00:00.000000+00:00",
        }
        assert body.model_dump(mode="json").items() >= contract.items()


class TestBuildStatus:
    def test_matches_the_contract_for_a_pending_job(self) -> None:
        body = schemas.build_status(JobSnapshot(make_record(), CREATED), Language.PT)

        contract = {
            "job_id": "550e8400-e29b-41d4-a716-446655440000",
            "status": "pending",
            "progress": 0,
            "message": "Job enfileirado",
            "started_at": None,
        }
        assert body.model_dump(mode="json").items() >= contract.items()

    def test_matches_the_contract_for_a_running_job(self) -> None:
        body = schemas.build_status(
            JobSnapshot(RUNNING, CREATED + timedelta(seconds=60)), Language.PT
        )

        contract = {
            "job_id": "550e8400-e29b-41d4-a716-446655440000",
            "status": "processing",
            "progress": 45,
            "message": "Extraindo dados de canais... 45/50 concluído",
            "started_at": "2026-01-01T22:00:05.000000+00:00",
        }
        assert body.model_dump(mode="json").items() >= contract.items()

    def test_has_no_error_key_which_n8n_would_treat_as_a_failure(self) -> None:
        for record in (make_record(), RUNNING):
            assert (
                "error"
                not in schemas.build_status(JobSnapshot(record, CREATED), Language.PT).model_dump()
            )

    def test_changes_with_every_poll(self) -> None:
        polls = [
            schemas.build_status(
                JobSnapshot(make_record(), CREATED + timedelta(milliseconds=ms)), Language.PT
            )
            for ms in (0, 500, 1000)
        ]

        assert len({poll.elapsed_seconds for poll in polls}) == 3

    def test_suggests_a_poll_interval_of_up_to_ten_seconds(self) -> None:
        statuses = [
            schemas.build_status(
                JobSnapshot(make_record(), CREATED + timedelta(seconds=s)), Language.PT
            )
            for s in (0, 40, 3600)
        ]

        assert [status.retry_after_seconds for status in statuses] == [1, 4, 10]


RESULT = {"success": True, "channels": [], "error": None, "warnings": []}


class TestBuildResult:
    def test_matches_the_contract(self) -> None:
        completed = make_record(
            state=JobState.COMPLETED, progress=100, attempt=1, started_at=STARTED, ended_at=ENDED
        )

        body = schemas.build_result(completed, RESULT, Language.PT).model_dump(mode="json")

        contract = {
            "job_id": "550e8400-e29b-41d4-a716-446655440000",
            "status": "completed",
            "execution_time_seconds": 330.5,
            "completed_at": "2026-01-01T22:05:35.500000+00:00",
            "result": RESULT,
        }
        assert body.items() >= contract.items()
        assert "error" not in body

    def test_adds_messages_to_warnings(self) -> None:
        warning = {"code": "required_field_empty", "page": 2, "field": "channel_link", "count": 3}
        completed = make_record(state=JobState.COMPLETED, started_at=STARTED, ended_at=ENDED)

        stored = {**RESULT, "warnings": [warning]}

        body = schemas.build_result(completed, stored, Language.EN)

        assert body.result["warnings"] == [
            {**warning, "message": "Page 2: 3 item(s) without channel_link"}
        ]


class TestBuildError:
    def test_matches_the_contract(self) -> None:
        failure = Failure(FailureCode.PAGE_TIMEOUT, {"page": "/long/?page=2", "seconds": 180.0})
        failed = make_record(
            state=JobState.FAILED, failure=failure, started_at=STARTED, ended_at=ENDED
        )

        body = schemas.build_error(failed, Language.PT).model_dump(mode="json")

        contract = {
            "job_id": "550e8400-e29b-41d4-a716-446655440000",
            "status": "failed",
            "error": "Erro ao fazer scraping: timeout na página /long/?page=2 após 180 s",
            "error_code": "page_timeout",
            "failed_at": "2026-01-01T22:05:35.500000+00:00",
        }
        assert body.items() >= contract.items()

    def test_has_no_start_for_a_job_that_never_ran(self) -> None:
        failure = Failure(FailureCode.RECIPE_UNKNOWN, {})
        failed = make_record(state=JobState.FAILED, failure=failure, ended_at=ENDED)

        body = schemas.build_error(failed, Language.PT)

        assert (body.started_at, body.execution_time_seconds) == (None, 0.0)
