"""`render.yaml`: what it names is there, and no secret stands in it.

Render publishes a schema, but no package has it; so this looks at what would break.
"""

import re
from typing import Any

import pytest
import yaml

from tests.support.paths import ROOT

_BLUEPRINT: dict[str, Any] = yaml.safe_load((ROOT / "render.yaml").read_text(encoding="utf-8"))
_SERVICES: dict[str, dict[str, Any]] = {one["type"]: one for one in _BLUEPRINT["services"]}
_BUILT = ["web", "worker"]
#: Read by Render itself, and by Celery.
_OF_OTHERS = {"PORT", "REMAP_SIGTERM"}


def _variables(kind: str) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in _SERVICES[kind]["envVars"]}


def _dockerfile(kind: str) -> str:
    path: str = _SERVICES[kind]["dockerfilePath"]
    return (ROOT / path).read_text(encoding="utf-8")


class TestBlueprint:
    def test_has_the_three_services(self) -> None:
        assert _BLUEPRINT.keys() == {"services"}
        assert [one["type"] for one in _BLUEPRINT["services"]] == ["keyvalue", *_BUILT]

    @pytest.mark.parametrize("kind", _BUILT)
    def test_builds_from_a_dockerfile_that_is_there(self, kind: str) -> None:
        assert _SERVICES[kind]["runtime"] == "docker"
        assert _dockerfile(kind)

    @pytest.mark.parametrize("kind", _BUILT)
    def test_takes_the_redis_of_its_own(self, kind: str) -> None:
        wanted = {
            "type": "keyvalue",
            "name": _SERVICES["keyvalue"]["name"],
            "property": "connectionString",
        }
        assert _variables(kind)["REDIS_URL"]["fromService"] == wanted

    def test_keeps_redis_from_losing_jobs_and_from_strangers(self) -> None:
        redis = _SERVICES["keyvalue"]

        assert redis["maxmemoryPolicy"] == "noeviction"
        assert redis["ipAllowList"] == []
        assert redis["plan"] != "free"

    @pytest.mark.parametrize("kind", _BUILT)
    def test_sets_nothing_that_our_programs_do_not_know(self, kind: str) -> None:
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        known = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)) | _OF_OTHERS

        assert _variables(kind).keys() <= known

    @pytest.mark.parametrize("kind", _BUILT)
    def test_holds_no_secret(self, kind: str) -> None:
        for name, variable in _variables(kind).items():
            if re.search(r"USERNAME|PASSWORD|KEY", name):
                assert variable == {"key": name, "sync": False}

    def test_says_where_the_api_answers(self) -> None:
        port, path = _variables("web")["PORT"]["value"], _SERVICES["web"]["healthCheckPath"]

        assert f"http://127.0.0.1:{port}{path}'" in _dockerfile("web")

    def test_gives_the_hand_over_time(self) -> None:
        assert 15 <= _SERVICES["worker"]["maxShutdownDelaySeconds"] <= 300  # Render's most
