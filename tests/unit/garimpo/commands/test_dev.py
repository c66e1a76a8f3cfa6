"""Which site `garimpo dev` uses, by the settings."""

from pathlib import Path

import pytest

from garimpo.commands.dev import DevSettingsError, wants_stand_in
from garimpo.settings import Settings


@pytest.fixture(autouse=True)
def without_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("TUBEHUNT_BASE_URL", "TUBEHUNT_USERNAME", "TUBEHUNT_PASSWORD"):
        monkeypatch.delenv(name, raising=False)


class TestWantsStandIn:
    def test_without_any_setting(self) -> None:
        assert wants_stand_in(Settings())

    def test_not_with_an_account(self) -> None:
        Path(".env").write_text("TUBEHUNT_USERNAME=me@example.com\nTUBEHUNT_PASSWORD=secret\n")
        assert not wants_stand_in(Settings())

    def test_not_with_an_address(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUBEHUNT_BASE_URL", "http://127.0.0.1:1")
        assert not wants_stand_in(Settings())

    @pytest.mark.parametrize(
        ("given", "missing"),
        [
            ("TUBEHUNT_USERNAME", "TUBEHUNT_PASSWORD"),
            ("TUBEHUNT_PASSWORD", "TUBEHUNT_USERNAME"),
        ],
    )
    def test_says_which_half_of_an_account_is_missing(
        self, monkeypatch: pytest.MonkeyPatch, given: str, missing: str
    ) -> None:
        monkeypatch.setenv(given, "something")
        with pytest.raises(DevSettingsError, match=f"^{missing} is not set"):
            wants_stand_in(Settings())
