"""The environment of a browser, which any process of the same user can read."""

import pytest

from scraper.browser.chromedriver import make_environment

OWNER = {
    "PATH": "/usr/bin",
    "HOME": "/home/ops",
    "LANG": "pt_BR.UTF-8",
    "LC_TIME": "C",
    "TZ": "America/Sao_Paulo",
    "TMPDIR": "/var/tmp",  # noqa: S108 - not used
    "XDG_CONFIG_HOME": "/home/ops/.config",
    "https_proxy": "http://proxy:3128",
    "REDIS_URL": "redis://:secret@redis:6379/0",
    "SHOP_USERNAME": "secret",
    "SHOP_PASSWORD": "secret",
    "API_KEYS": "secret",
    "LCX": "secret",
    "HTTP_PROXY": "http://me:secret@proxy:3128",
}


class TestMakeEnvironment:
    def test_passes_on_what_a_browser_needs(self) -> None:
        assert make_environment(OWNER, "/tmp/g-1") == {  # noqa: S108 - not used
            "PATH": "/usr/bin",
            "LANG": "pt_BR.UTF-8",
            "LC_TIME": "C",
            "TZ": "America/Sao_Paulo",
            "https_proxy": "http://proxy:3128",
            "HOME": "/tmp/g-1",  # noqa: S108 - not used
            "TMPDIR": "/tmp/g-1",  # noqa: S108 - not used
        }

    @pytest.mark.parametrize("name", ["DISPLAY", "XDG_RUNTIME_DIR", "DBUS_SESSION_BUS_ADDRESS"])
    def test_passes_on_nothing_else(self, name: str) -> None:
        assert name not in make_environment({name: "x"}, "/s")
