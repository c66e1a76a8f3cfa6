"""How settings are read: from the environment, from `.env`, and secrets also from files."""

from pathlib import Path
from typing import Any, get_args

from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)


class SecretFileError(Exception):
    """The file of a secret cannot be used; the text names the variable and says why."""


class EnvironmentSettings(BaseSettings):
    """Settings from the environment and `.env`; the environment wins.

    A secret `X` may be in a file instead, which `X_FILE` names: Docker and Kubernetes mount secrets
    as files. The line end that an editor leaves there is no part of the secret. `X` wins.
    """

    model_config = SettingsConfigDict(
        env_file=".env",
        env_file_encoding="utf-8",
        # An empty variable counts as unset: Compose files set them so.
        env_ignore_empty=True,
        extra="ignore",
        # An error message would quote all values, secrets among them.
        hide_input_in_errors=True,
    )

    @classmethod
    def list_variables(cls) -> frozenset[str]:
        """Return the names of the variables that the environment and `.env` set, in capitals."""
        sources = (EnvSettingsSource(cls), DotEnvSettingsSource(cls))
        return frozenset(name.upper() for source in sources for name in source.env_vars)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Add the files that the environment and `.env` name, each after its source.

        Raises:
            SecretFileError: A file cannot be read, or is empty.
        """
        assert isinstance(env_settings, EnvSettingsSource)  # noqa: S101 - pydantic-settings' default
        assert isinstance(dotenv_settings, DotEnvSettingsSource)  # noqa: S101 - the same
        return (
            init_settings,
            env_settings,
            _SecretFiles(settings_cls, env_settings),
            dotenv_settings,
            _SecretFiles(settings_cls, dotenv_settings),
            file_secret_settings,
        )


class _SecretFiles(PydanticBaseSettingsSource):
    """Secrets in the files that another source names."""

    def __init__(self, settings_cls: type[BaseSettings], names: EnvSettingsSource) -> None:
        super().__init__(settings_cls)
        self._names = names

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        """Return a secret; None if no file is named."""
        file_name = f"{field_name}_file"
        # A setting of that name has a meaning of its own.
        if not _is_secret(field) or file_name in self.settings_cls.model_fields:
            return None, field_name, False
        path, _, _ = self._names.get_field_value(FieldInfo(annotation=str), file_name)
        value, _, _ = self._names.get_field_value(field, field_name)
        if not path or value is not None:
            return None, field_name, False
        variable = f"{self._names.env_prefix}{file_name}".upper()
        return _read_secret(variable, Path(path)), field_name, False

    def __call__(self) -> dict[str, Any]:
        """Return all secrets that are in files."""
        values = {
            name: self.get_field_value(field, name)[0]
            for name, field in self.settings_cls.model_fields.items()
        }
        return {name: value for name, value in values.items() if value}


def _is_secret(field: FieldInfo) -> bool:
    return SecretStr in {field.annotation, *get_args(field.annotation)}


def _read_secret(variable: str, path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
        message = f"{variable}: {path} cannot be read: {reason}"
        raise SecretFileError(message) from None
    secret = text.removesuffix("\n").removesuffix("\r")
    if not secret:
        message = f"{variable}: {path} is empty"
        raise SecretFileError(message)
    return secret
