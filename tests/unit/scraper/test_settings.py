import traceback
from pathlib import Path

import pytest

from scraper.browser.chrome import BrowserSettings
from scraper.credentials import Credentials, missing_variables
from scraper.errors import SettingMalformed
from scraper.settings import ChromeSettings, SiteSettings


@pytest.fixture(autouse=True)
def _empty_folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Run in a folder without .env."""
    monkeypatch.chdir(tmp_path)


class TestSiteSettings:
    def test_read_variables_with_the_sites_prefix(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("MY_SITE_BASE_URL", "http://x")
        monkeypatch.setenv("MY_SITE_USERNAME", "me")
        monkeypatch.setenv("MY_SITE_PASSWORD", "s3cret")

        site = SiteSettings.read("my-site")

        assert site.base_url == "http://x"
        assert site.credentials == Credentials("me", "s3cret")

    def test_never_show_the_password(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("X_PASSWORD", "s3cret")

        site = SiteSettings.read("x")

        assert "s3cret" not in f"{site!r} {site} {site.credentials!r} {site.credentials}"

    @pytest.mark.parametrize("line_end", ["\n", "\r\n"])
    def test_remove_one_line_end_from_a_secret(
        self, monkeypatch: pytest.MonkeyPatch, line_end: str
    ) -> None:
        monkeypatch.setenv("X_USERNAME", f"me{line_end}")
        monkeypatch.setenv("X_PASSWORD", f"s3cret {line_end}")

        assert SiteSettings.read("x").credentials == Credentials("me", "s3cret ")

    @pytest.mark.parametrize("url", ["app.example", "http://me:s3cret@x", "http://x/?a=s3cret"])
    def test_name_the_variable_with_an_invalid_base_url(
        self, monkeypatch: pytest.MonkeyPatch, url: str
    ) -> None:
        monkeypatch.setenv("MY_SITE_BASE_URL", url)

        with pytest.raises(SettingMalformed, match=r"^MY_SITE_BASE_URL must ") as failure:
            SiteSettings.read("my-site")

        assert "s3cret" not in "".join(traceback.format_exception(failure.value))

    def test_treat_an_empty_variable_as_not_set(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("BASE_URL", "USERNAME", "PASSWORD"):
            monkeypatch.setenv(f"X_{name}", "")

        site = SiteSettings.read("x")

        assert (site.base_url, site.credentials) == (None, None)

    def test_prefer_the_environment_to_the_env_file(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / ".env").write_text("X_USERNAME=file\nX_PASSWORD=file\nOTHER=1\n")
        monkeypatch.setenv("X_USERNAME", "environment")

        assert SiteSettings.read("x").credentials == Credentials("environment", "file")


class TestCredentials:
    @pytest.mark.parametrize(
        ("password", "can"),
        [
            ("s3cret ção €😀", True),
            ("a\nb", False),
            ("a\tb", False),
            ("a\x7f", False),
            ("a\ue007", False),
        ],
    )
    def test_can_be_typed_without_control_characters(self, password: str, *, can: bool) -> None:
        assert Credentials("me", password).can_be_typed is can
        assert Credentials(password, "x").can_be_typed is can


class TestMissingVariables:
    @pytest.mark.parametrize(
        ("credentials", "missing"),
        [
            (Credentials("a", "b"), []),
            (Credentials("a", ""), ["MY_SITE_PASSWORD"]),
            (Credentials("", ""), ["MY_SITE_USERNAME", "MY_SITE_PASSWORD"]),
        ],
    )
    def test_names_the_empty_ones(self, credentials: Credentials, missing: list[str]) -> None:
        assert missing_variables("my-site", credentials) == missing


class TestChromeSettings:
    def test_are_read_from_the_environment(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("CHROME_BINARY", "/c")
        monkeypatch.setenv("CHROMEDRIVER", "/d")
        monkeypatch.setenv("SELENIUM_REMOTE_URL", "http://grid:4444")
        monkeypatch.setenv("CHROME_ARGUMENTS", "--no-sandbox '--user-agent=a b'")
        monkeypatch.setenv("BROWSER_TIMEOUT_S", "7")
        monkeypatch.setenv("BROWSER_MEMORY_MB", "800")

        assert ChromeSettings().browser == BrowserSettings(
            "/c", "/d", "http://grid:4444", ("--no-sandbox", "--user-agent=a b"), 7, 800
        )

    def test_never_show_the_account_of_a_grid(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SELENIUM_REMOTE_URL", "http://us:s3cret@grid:4444")

        assert "s3cret" not in f"{ChromeSettings()!r} {ChromeSettings().browser!r}"
