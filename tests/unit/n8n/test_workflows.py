"""The workflows for n8n: whole, alike where they must be, and true to the API's addresses."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from api.app import create_app
from tests.support.paths import ROOT

_FOLDER = ROOT / "n8n"
_FILES = sorted(_FOLDER.glob("*.json"))
_CREDENTIAL = _FOLDER / "credentials" / "api-key.json"
#: With or without a slash at its end.
_BASE = "={{ $('Settings').first().json.base_url.replace(/\\/+$/, '') }}"
_DEFAULT = "http://127.0.0.1:8000"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for inner in value.values():
            yield from _texts(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from _texts(inner)
    elif isinstance(value, str):
        yield value


def _load(file: Path) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return read


def _nodes(workflow: dict[str, Any], kind: str) -> list[dict[str, Any]]:
    return [node for node in workflow["nodes"] if node["type"] == f"n8n-nodes-base.{kind}"]


def _targets(workflow: dict[str, Any]) -> list[str]:
    return [
        link["node"]
        for outputs in workflow["connections"].values()
        for output in outputs["main"]
        for link in output
    ]


@pytest.fixture(params=_FILES, ids=lambda file: file.stem)
def workflow(request: pytest.FixtureRequest) -> dict[str, Any]:
    return _load(request.param)


class TestWorkflow:
    def test_can_be_imported(self, workflow: dict[str, Any]) -> None:
        assert workflow["id"]
        assert workflow["name"].startswith("Garimpo: ")
        ids = [node["id"] for node in workflow["nodes"]]
        assert len(set(ids)) == len(ids)
        assert "active" not in workflow

    def test_has_every_node_on_a_way_from_a_trigger(self, workflow: dict[str, Any]) -> None:
        names = {node["name"] for node in workflow["nodes"]}
        assert workflow["connections"].keys() <= names
        assert set(_targets(workflow)) <= names
        triggers = {
            node["name"]
            for node in workflow["nodes"]
            if node["type"].endswith(("Trigger", ".webhook"))
        }
        assert triggers
        assert names - triggers <= set(_targets(workflow))

    def test_has_its_address_in_one_setting(self, workflow: dict[str, Any]) -> None:
        (settings,) = _nodes(workflow, "set")
        assert settings["name"] == "Settings"
        setting = settings["parameters"]["assignments"]["assignments"][0]
        assert setting["name"] == "base_url"
        hosts = re.findall(r"https?://[^'\"\s/]+", json.dumps(workflow))
        assert hosts == [_DEFAULT]
        assert _DEFAULT in setting["value"]

    def test_calls_what_the_api_has(self, workflow: dict[str, Any]) -> None:
        paths = create_app().openapi()["paths"]
        calls = _nodes(workflow, "httpRequest")
        assert calls
        for call in calls:
            url = call["parameters"]["url"]
            assert url.startswith(_BASE)
            path = re.sub(r"\{\{.*?\.job_id \}\}", "{job_id}", url.removeprefix(_BASE))
            assert call["parameters"].get("method", "GET").lower() in paths[path]

    def test_has_one_credential_and_no_secret(self, workflow: dict[str, Any]) -> None:
        (credential,) = json.loads(_CREDENTIAL.read_text(encoding="utf-8"))
        assert credential["data"]["value"] == ""
        # Without an id n8n looks for the name; an unknown id is "Credentials not found".
        named = {credential["type"]: {"id": None, "name": credential["name"]}}
        for call in _nodes(workflow, "httpRequest"):
            assert call["credentials"] == named
            assert call["parameters"]["genericAuthType"] == credential["type"]
        assert not [
            text for text in _texts(workflow) if re.search(r"whsec_|Bearer |api[_-]?key=", text)
        ]

    def test_starts_nothing_twice(self, workflow: dict[str, Any]) -> None:
        (start,) = [node for node in workflow["nodes"] if node["name"] == "Start the job"]
        (header,) = start["parameters"]["headerParameters"]["parameters"]
        assert header["name"] == "Idempotency-Key"
        assert start["retryOnFail"] is True
        # Another n8n has the same ids of executions, and of workflows imported by command: so the
        # key has the time too, of a node that a repeated start does not repeat.
        assert re.findall(r"\{\{ (.+?) \}\}", header["value"]) == [
            "$execution.id",
            "$workflow.id",
            "$('Settings').first().json.started_at",
        ]
        (settings,) = _nodes(workflow, "set")
        (started_at,) = [
            setting
            for setting in settings["parameters"]["assignments"]["assignments"]
            if setting["name"] == "started_at"
        ]
        assert (started_at["type"], started_at["value"]) == ("number", "={{ $now.toMillis() }}")

    def test_ends_with_the_message_of_a_failed_job(self, workflow: dict[str, Any]) -> None:
        (stop,) = _nodes(workflow, "stopAndError")
        assert re.search(r"\.error\b", stop["parameters"]["errorMessage"])


class TestFolder:
    def test_has_four_workflows_with_ids_of_their_own(self) -> None:
        assert len({_load(file)["id"] for file in _FILES}) == len(_FILES) == 4

    @pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
    def test_shows_and_explains_each(self, file: Path) -> None:
        help_text = (_FOLDER / "README.md").read_text(encoding="utf-8")
        assert f"]({file.name})" in help_text
        assert f"]({file.stem}.png)" in help_text
        assert (_FOLDER / f"{file.stem}.png").read_bytes().startswith(b"\x89PNG")
