import pytest

from jobs.settings import JobSettings


class TestJobSettings:
    def test_have_a_heartbeat_that_fits_into_the_lease_twice(self) -> None:
        with pytest.raises(ValueError, match="HEARTBEAT_S must be at most half of LEASE_S"):
            JobSettings(_env_file=None, lease_s=5, heartbeat_s=3)

    def test_take_an_empty_variable_for_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("REDIS_URL", "")

        assert JobSettings(_env_file=None).redis_url == "redis://127.0.0.1:6379/0"

    def test_tell_no_password_with_what_is_wrong(self) -> None:
        with pytest.raises(ValueError, match="HEARTBEAT_S") as wrong:
            JobSettings(_env_file=None, redis_url="redis://:pw@redis/0", heartbeat_s=10)

        assert "pw" not in str(wrong.value)

    def test_take_a_level_in_small_letters(self) -> None:
        assert JobSettings(_env_file=None, log_level="debug").log_level == "DEBUG"
