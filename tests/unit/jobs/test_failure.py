import pickle

import pytest
from celery.exceptions import NotRegistered

from jobs.failure import FailureCode, JobFailedError
from jobs.result_backend import to_job_failure


class TestJobFailedError:
    def test_crosses_a_process_border(self) -> None:
        error = JobFailedError(FailureCode.LOGIN_FAILED, {"reason": "Senha incorreta"})

        again = pickle.loads(pickle.dumps(error))  # noqa: S301 -- our own bytes

        assert (again.code, again.details) == ("login_failed", {"reason": "Senha incorreta"})

    def test_refuses_a_code_that_no_caller_knows(self) -> None:
        with pytest.raises(ValueError, match="no_such_code"):
            JobFailedError("no_such_code")


class TestFailureOf:
    def test_keeps_a_failure_with_a_code(self) -> None:
        error = JobFailedError(FailureCode.PAGE_TIMEOUT, {"page": "/long/", "seconds": 180})

        assert to_job_failure(error) is error

    def test_calls_an_unknown_task_an_unknown_recipe(self) -> None:
        assert to_job_failure(NotRegistered("a.b")).code == "recipe_unknown"

    def test_tells_nothing_of_an_error_of_our_own(self) -> None:
        reason = to_job_failure(KeyError("password"))

        assert (reason.code, reason.details) == ("internal_error", {})
