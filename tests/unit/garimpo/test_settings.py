"""Rules of the command line's settings."""

from pathlib import Path

import pytest

from garimpo.settings import Settings, SettingsError, read_settings

_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    for name in (*_LOCALE, "GARIMPO_URL"):
        monkeypatch.delenv(name, raising=False)
    return tmp_path


class TestSettings:
    @pytest.mark.parametrize(
        ("locale", "language"),
        [
            ({}, "en"),
            ({"LANG": "pt_BR.UTF-8"}, "pt"),
            ({"LANG": "pt_BR.UTF-8", "LC_ALL": "C"}, "en"),
            ({"LANG": "C.UTF-8", "LC_MESSAGES": "pt_PT"}, "pt"),
        ],
    )
    def test_take_the_language_from_the_locale(
        self, monkeypatch: pytest.MonkeyPatch, locale: dict[str, str], language: str
    ) -> None:
        for name, value in locale.items():
            monkeypatch.setenv(name, value)
        assert Settings().language == language

    def test_read_the_env_file_and_let_the_environment_win(
        self, in_an_empty_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (in_an_empty_folder / ".env").write_text("GARIMPO_URL=http://file:1\n")
        assert Settings().garimpo_url == "http://file:1"
        monkeypatch.setenv("GARIMPO_URL", "http://environment:2")
        assert Settings().garimpo_url == "http://environment:2"

    def test_take_an_empty_value_as_none(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GARIMPO_URL", "")
        monkeypatch.setenv("TUBEHUNT_BASE_URL", "")
        assert Settings().garimpo_url == "http://127.0.0.1:8000"
        assert Settings().tubehunt_base_url is None

    def test_do_not_show_the_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("TUBEHUNT_PASSWORD", "hush-hush")
        assert "hush-hush" not in repr(Settings())


class TestReadSettings:
    def test_prefers_the_flag(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GARIMPO_LANGUAGE", "en")
        assert read_settings("pt").language == "pt"

    def test_names_the_setting_that_is_wrong(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GARIMPO_LANGUAGE", "fr")
        with pytest.raises(SettingsError, match=r"^GARIMPO_LANGUAGE: "):
            read_settings()

    def test_names_a_file_that_is_not_utf_8(self, in_an_empty_folder: Path) -> None:
        (in_an_empty_folder / ".env").write_bytes("TUBEHUNT_PASSWORD=açaí".encode("latin-1"))
        with pytest.raises(SettingsError, match=r"^\.env .* is not UTF-8"):
            read_settings()
