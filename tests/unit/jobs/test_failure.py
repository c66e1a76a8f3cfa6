import pickle

import pytest
from celery.exceptions import NotRegistered

from jobs.failure import FailureCode, JobFailedError
from jobs.result_backend import to_job_failure


class TestJobFailedError:
    def test_can_be_pickled(self) -> None:
        error = JobFailedError(FailureCode.LOGIN_FAILED, {"reason": "Senha incorreta"})

        unpickled = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own data

        assert (unpickled.code, unpickled.details) == (
            "login_failed",
            {"reason": "Senha incorreta"},
        )

    def test_rejects_an_unknown_code(self) -> None:
        with pytest.raises(ValueError, match="no_such_code"):
            JobFailedError("no_such_code")


class TestToJobFailure:
    def test_keeps_a_failure_with_a_code(self) -> None:
        error = JobFailedError(FailureCode.PAGE_TIMEOUT, {"page": "/long/", "seconds": 180})

        assert to_job_failure(error) is error

    def test_converts_an_unregistered_task_to_an_unknown_recipe(self) -> None:
        assert to_job_failure(NotRegistered("a.b")).code == "recipe_unknown"

    def test_hides_an_internal_error(self) -> None:
        failure = to_job_failure(KeyError("password"))

        assert (failure.code, failure.details) == ("internal_error", {})
