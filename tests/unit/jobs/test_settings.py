import pytest

from jobs.settings import JobSettings


class TestJobSettings:
    def test_require_a_lease_of_two_heartbeats(self) -> None:
        with pytest.raises(ValueError, match="HEARTBEAT_S must be at most half of LEASE_S"):
            JobSettings(_env_file=None, lease_s=5, heartbeat_s=3)

    def test_treat_an_empty_variable_as_missing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", "")

        assert (
            JobSettings(_env_file=None).redis_url.get_secret_value() == "redis://127.0.0.1:6379/0"
        )

    def test_show_no_password_in_an_error(self) -> None:
        with pytest.raises(ValueError, match="HEARTBEAT_S") as error:
            JobSettings(_env_file=None, redis_url="redis://:pw@redis/0", heartbeat_s=10)

        assert "pw" not in str(error.value)

    def test_accept_a_log_level_in_lower_case(self) -> None:
        assert JobSettings(_env_file=None, log_level="debug").log_level == "DEBUG"
