"""Settings of the command line."""

from pathlib import Path

import pytest

from garimpo.settings import Settings, SettingsError, SiteVariables, read_settings

_LOCALE = ("LC_ALL", "LC_MESSAGES", "LANG")


@pytest.fixture(autouse=True)
def empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
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
    def test_language_defaults_to_that_of_the_locale(
        self, monkeypatch: pytest.MonkeyPatch, locale: dict[str, str], language: str
    ) -> None:
        for name, value in locale.items():
            monkeypatch.setenv(name, value)
        assert Settings().language == language

    def test_environment_overrides_the_env_file(
        self, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (empty_folder / ".env").write_text("GARIMPO_URL=http://file:1\n")
        assert Settings().garimpo_url == "http://file:1"
        monkeypatch.setenv("GARIMPO_URL", "http://environment:2")
        assert Settings().garimpo_url == "http://environment:2"

    def test_empty_value_counts_as_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GARIMPO_URL", "")
        assert Settings().garimpo_url == "http://127.0.0.1:8000"


class TestSiteVariables:
    def test_are_those_of_the_site(
        self, empty_folder: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (empty_folder / ".env").write_text("MY_SITE_BASE_URL=http://127.0.0.1:1\n")
        monkeypatch.setenv("OTHER_USERNAME", "me")
        assert SiteVariables.read("my-site").base_url == "http://127.0.0.1:1"
        assert SiteVariables.read("my-site").username is None
        assert SiteVariables.read("my-site").is_configured
        assert SiteVariables.read("other").is_configured
        assert not SiteVariables.read("third").is_configured

    def test_empty_value_counts_as_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_SITE_BASE_URL", "")
        assert not SiteVariables.read("my-site").is_configured

    def test_do_not_show_the_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_SITE_PASSWORD", "hush-hush")
        assert "hush-hush" not in repr(SiteVariables.read("my-site"))


class TestReadSettings:
    def test_option_overrides_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GARIMPO_LANGUAGE", "en")
        assert read_settings("pt").language == "pt"

    def test_names_the_invalid_setting(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("GARIMPO_LANGUAGE", "fr")
        with pytest.raises(SettingsError, match=r"^GARIMPO_LANGUAGE: "):
            read_settings()

    def test_names_an_env_file_that_is_not_utf_8(self, empty_folder: Path) -> None:
        (empty_folder / ".env").write_bytes("TUBEHUNT_PASSWORD=açaí".encode("latin-1"))
        with pytest.raises(SettingsError, match=r"^\.env .* is not valid UTF-8"):
            read_settings()
