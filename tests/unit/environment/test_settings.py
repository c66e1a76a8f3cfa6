"""Secrets in files."""

from pathlib import Path

import pytest
from pydantic import SecretStr

from environment.settings import EnvironmentSettings, SecretFileError


class Example(EnvironmentSettings):
    """Settings of each kind."""

    token: SecretStr | None = None
    url: SecretStr = SecretStr("default")
    name: str = ""
    #: Read when it changes, and so no file of `keys`.
    keys: SecretStr = SecretStr("")
    keys_file: Path | None = None


@pytest.fixture
def secret_file(tmp_path: Path) -> Path:
    file = tmp_path / "secret"
    file.write_text("from the file\n")
    return file


class TestSecretFiles:
    @pytest.mark.parametrize(
        ("content", "secret"),
        [("a b\n", "a b"), ("a\r\n", "a"), ("a\n\n", "a\n"), (" a ", " a "), ("ção", "ção")],
    )
    def test_are_read_without_the_line_end(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: str, secret: str
    ) -> None:
        file = tmp_path / "secret"
        file.write_bytes(content.encode())
        monkeypatch.setenv("TOKEN_FILE", str(file))

        token = Example(_env_file=None).token

        assert token
        assert token.get_secret_value() == secret

    def test_yield_to_the_variable(
        self, monkeypatch: pytest.MonkeyPatch, secret_file: Path
    ) -> None:
        monkeypatch.setenv("URL_FILE", str(secret_file))
        monkeypatch.setenv("URL", "from the variable")

        assert Example(_env_file=None).url.get_secret_value() == "from the variable"

    def test_have_the_prefix_of_their_settings(
        self, monkeypatch: pytest.MonkeyPatch, secret_file: Path
    ) -> None:
        monkeypatch.setenv("SHOP_TOKEN_FILE", str(secret_file))

        assert Example(_env_file=None).token is None
        assert Example(_env_file=None, _env_prefix="SHOP_").token == SecretStr("from the file")

    def test_can_be_named_in_env_files(self, secret_file: Path, tmp_path: Path) -> None:
        env_file = tmp_path / ".env"
        env_file.write_text(f"URL_FILE={secret_file}\n")

        assert Example(_env_file=env_file).url == SecretStr("from the file")

    def test_are_of_secrets_only(self, monkeypatch: pytest.MonkeyPatch, secret_file: Path) -> None:
        monkeypatch.setenv("NAME_FILE", str(secret_file))
        monkeypatch.setenv("KEYS_FILE", str(secret_file))

        settings = Example(_env_file=None)

        assert (settings.name, settings.keys, settings.keys_file) == (
            "",
            SecretStr(""),
            secret_file,
        )

    def test_that_are_missing_are_named(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        monkeypatch.setenv("SHOP_TOKEN_FILE", str(tmp_path / "missing"))

        with pytest.raises(SecretFileError, match=r"SHOP_TOKEN_FILE: .*missing cannot be read"):
            Example(_env_file=None, _env_prefix="SHOP_")
