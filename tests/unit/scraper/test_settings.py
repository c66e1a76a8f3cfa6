import traceback
from ipaddress import ip_address
from pathlib import Path

import pytest
from pydantic import ValidationError

from scraper.browser.browser_settings import BrowserSettings
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

    def test_read_the_accounts_that_have_a_name(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        (tmp_path / "secret").write_text("s3cret\n")
        monkeypatch.setenv("MY_SITE_USERNAME", "me")
        monkeypatch.setenv("MY_SITE__SHOP_2__USERNAME", "you")
        monkeypatch.setenv("MY_SITE__SHOP_2__PASSWORD_FILE", str(tmp_path / "secret"))
        monkeypatch.setenv("MY_SITE__SHOP_2__OTHER", "x")
        monkeypatch.setenv("SITE__SHOP_3__USERNAME", "another site's")
        (tmp_path / ".env").write_text("MY_SITE__B__USERNAME=b\nMY_SITE__C__USERNAME=\n")

        assert SiteSettings.read("my-site").accounts == {
            "default": Credentials("me", ""),
            "b": Credentials("b", ""),
            "shop-2": Credentials("you", "s3cret"),
        }

    def test_read_the_secret_of_a_second_factor(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("X__SHOP2__USERNAME", "me")
        monkeypatch.setenv("X__SHOP2__TOTP_SECRET", "jbsw y3dp ehpk 3pxp")

        account = SiteSettings.read("x").accounts["shop2"]

        assert account.totp is not None
        assert account.secrets == ["", "JBSWY3DPEHPK3PXP"]
        assert "JBSW" not in repr(account).upper()

    def test_name_the_variable_of_a_second_factor_that_is_malformed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("X_TOTP_SECRET", "s3cret-s3cret!")

        with pytest.raises(SettingMalformed, match=r"^X_TOTP_SECRET must be a TOTP") as failure:
            SiteSettings.read("x")

        assert "s3cret" not in "".join(traceback.format_exception(failure.value))

    def test_name_the_variable_of_a_secret_that_cannot_be_read(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("X__SHOP2__PASSWORD_FILE", "/nowhere")

        with pytest.raises(SettingMalformed, match=r"^X__SHOP2__PASSWORD_FILE /nowhere cannot"):
            SiteSettings.read("x")


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
        assert missing_variables("my-site", credentials, has_username=True) == missing

    def test_names_those_of_an_account(self) -> None:
        missing = missing_variables("my-site", Credentials("a", ""), "shop-2", has_username=True)

        assert missing == ["MY_SITE__SHOP_2__PASSWORD"]

    def test_needs_no_user_name_if_the_form_has_none(self) -> None:
        credentials = Credentials("", "b")

        assert missing_variables("my-site", credentials, has_username=False) == []


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

    def test_name_the_private_addresses_that_pages_may_reach(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("BROWSER_ALLOW", "10.1.0.0/16, images:8080")

        allowed = ChromeSettings().browser.allowed_addresses

        assert allowed.is_allowed("images", 8080, ip_address("10.2.0.1"))
        assert allowed.is_allowed("x", 80, ip_address("10.1.0.1"))
        assert not allowed.is_allowed("images", 80, ip_address("10.2.0.1"))

    @pytest.mark.parametrize("url", ["http://proxy:3128", "socks5://10.0.0.1:1080"])
    def test_name_a_proxy(self, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
        monkeypatch.setenv("EGRESS_PROXY", url)

        assert ChromeSettings().browser.egress_proxy == url

    @pytest.mark.parametrize(
        ("variable", "value"),
        [
            ("BROWSER_ALLOW", "http://images"),
            ("EGRESS_PROXY", "http://me:s3cret@proxy:3128"),
            ("EGRESS_PROXY", "proxy:3128"),
            ("EGRESS_PROXY", "direct://"),
            ("CHROME_ARGUMENTS", "--proxy-server=proxy:3128"),
            ("CHROME_ARGUMENTS", "--no-proxy-server"),
            ("CHROME_ARGUMENTS", "--proxy-bypass-list=*"),
        ],
    )
    def test_reject_what_would_bypass_the_relay(
        self, monkeypatch: pytest.MonkeyPatch, variable: str, value: str
    ) -> None:
        monkeypatch.setenv(variable, value)

        with pytest.raises(ValidationError, match=variable.lower()) as failure:
            ChromeSettings()

        assert "s3cret" not in str(failure.value)

    def test_never_show_the_account_of_a_grid(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("SELENIUM_REMOTE_URL", "http://us:s3cret@grid:4444")

        assert "s3cret" not in f"{ChromeSettings()!r} {ChromeSettings().browser!r}"
