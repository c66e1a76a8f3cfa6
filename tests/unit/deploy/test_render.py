"""Blueprint for Render (`render.yaml`): services, references, and no secrets.

No package contains Render's schema, so only what is likely to break is checked.
"""

import re
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

_BLUEPRINT: dict[str, Any] = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))
_SERVICES: dict[str, dict[str, Any]] = {
    service["type"]: service for service in _BLUEPRINT["services"]
}
_BUILT_TYPES = ["web", "worker"]
#: Variables of Render and Celery.
_THIRD_PARTY = {"PORT", "REMAP_SIGTERM", "FORWARDED_ALLOW_IPS"}


def _variables(kind: str) -> dict[str, dict[str, Any]]:
    return {variable["key"]: variable for variable in _SERVICES[kind]["envVars"]}


def _dockerfile(kind: str) -> str:
    path: str = _SERVICES[kind]["dockerfilePath"]
    return (ROOT / path).read_text(encoding="utf-8")


class TestBlueprint:
    def test_has_the_three_services(self) -> None:
        assert _BLUEPRINT.keys() == {"services"}
        assert [service["type"] for service in _BLUEPRINT["services"]] == [
            "keyvalue",
            *_BUILT_TYPES,
        ]

    @pytest.mark.parametrize("kind", _BUILT_TYPES)
    def test_builds_from_an_existing_dockerfile(self, kind: str) -> None:
        assert _SERVICES[kind]["runtime"] == "docker"
        assert _dockerfile(kind)

    @pytest.mark.parametrize("kind", _BUILT_TYPES)
    def test_uses_the_redis_of_the_blueprint(self, kind: str) -> None:
        reference = {
            "type": "keyvalue",
            "name": _SERVICES["keyvalue"]["name"],
            "property": "connectionString",
        }
        assert _variables(kind)["REDIS_URL"]["fromService"] == reference

    def test_keeps_redis_durable_and_private(self) -> None:
        redis = _SERVICES["keyvalue"]

        assert redis["maxmemoryPolicy"] == "noeviction"
        assert redis["ipAllowList"] == []
        assert redis["plan"] != "free"

    @pytest.mark.parametrize("kind", _BUILT_TYPES)
    def test_sets_only_known_settings(self, kind: str) -> None:
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        known = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)) | _THIRD_PARTY

        assert _variables(kind).keys() <= known

    @pytest.mark.parametrize("kind", _BUILT_TYPES)
    def test_contains_no_secret(self, kind: str) -> None:
        for name, variable in _variables(kind).items():
            if re.search(r"USERNAME|PASSWORD", name):
                assert variable == {"key": name, "sync": False}
            if "KEY" in name:
                assert variable == {"key": name, "generateValue": True}

    def test_publishes_only_the_api_and_requires_a_key(self) -> None:
        public = [service["type"] for service in _BLUEPRINT["services"] if service["type"] == "web"]

        assert public == ["web"]
        assert "API_KEYS" in _variables("web")
        assert "API_KEYS" not in _variables("worker")

    def test_has_the_port_and_health_check_of_the_api(self) -> None:
        port = _variables("web")["PORT"]["value"]
        path = _SERVICES["web"]["healthCheckPath"]

        assert f"http://127.0.0.1:{port}{path}'" in _dockerfile("web")

    def test_has_time_to_release_a_job(self) -> None:
        assert 15 <= _SERVICES["worker"]["maxShutdownDelaySeconds"] <= 300  # the maximum of Render
