"""Workflows for n8n: structure, URLs, credentials, and their documentation."""

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
#: Accepts a base URL with or without a trailing slash.
_BASE = "={{ $('Settings').first().json.base_url.replace(/\\/+$/, '') }}"
_DEFAULT = "http://127.0.0.1:8000"


def _texts(value: object) -> Iterator[str]:
    if isinstance(value, dict):
        for item in value.values():
            yield from _texts(item)
    elif isinstance(value, list):
        for item in value:
            yield from _texts(item)
    elif isinstance(value, str):
        yield value


def _load(file: Path) -> dict[str, Any]:
    workflow: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
    return workflow


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

    def test_connects_every_node_to_a_trigger(self, workflow: dict[str, Any]) -> None:
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

    def test_has_the_base_url_in_one_setting(self, workflow: dict[str, Any]) -> None:
        (settings,) = _nodes(workflow, "set")
        assert settings["name"] == "Settings"
        setting = settings["parameters"]["assignments"]["assignments"][0]
        assert setting["name"] == "base_url"
        hosts = re.findall(r"https?://[^'\"\s/]+", json.dumps(workflow))
        assert hosts == [_DEFAULT]
        assert _DEFAULT in setting["value"]

    def test_calls_existing_endpoints(self, workflow: dict[str, Any]) -> None:
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
        # Without an id, n8n finds a credential by name; an unknown id is "Credentials not found".
        reference = {credential["type"]: {"id": None, "name": credential["name"]}}
        for call in _nodes(workflow, "httpRequest"):
            assert call["credentials"] == reference
            assert call["parameters"]["genericAuthType"] == credential["type"]
        assert not [
            text for text in _texts(workflow) if re.search(r"whsec_|Bearer |api[_-]?key=", text)
        ]

    def test_has_a_unique_idempotency_key(self, workflow: dict[str, Any]) -> None:
        (start,) = [node for node in workflow["nodes"] if node["name"] == "Start the job"]
        (header,) = start["parameters"]["headerParameters"]["parameters"]
        assert header["name"] == "Idempotency-Key"
        assert start["retryOnFail"] is True
        # Ids of executions, and of workflows imported from the command line, are not unique across
        # instances of n8n. The key therefore contains the time too, from a node that is not run
        # again when the start is retried.
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


class TestCallback:
    def test_waits_on_after_a_post_about_another_job(self) -> None:
        workflow = _load(_FOLDER / "callback.json")
        (wait,) = _nodes(workflow, "wait")
        (check,) = _nodes(workflow, "if")
        (switch,) = _nodes(workflow, "switch")
        outputs = workflow["connections"][check["name"]]["main"]

        assert workflow["connections"][wait["name"]]["main"] == [
            [{"node": check["name"], "type": "main", "index": 0}]
        ]
        assert [[link["node"] for link in output] for output in outputs] == [
            [switch["name"]],
            [wait["name"]],
        ]
        (condition,) = check["parameters"]["conditions"]["conditions"]
        assert condition["operator"]["operation"] == "true"
        # Without a body, the wait has ended without any POST.
        assert condition["leftValue"] == (
            "={{ !$json.body || $json.body.data?.job_id === "
            "$('Start the job').first().json.job_id }}"
        )


class TestFolder:
    def test_has_four_workflows_with_different_ids(self) -> None:
        assert len({_load(file)["id"] for file in _FILES}) == len(_FILES) == 4

    @pytest.mark.parametrize("file", _FILES, ids=lambda file: file.stem)
    def test_documents_each_workflow(self, file: Path) -> None:
        readme = (_FOLDER / "README.md").read_text(encoding="utf-8")
        assert f"]({file.name})" in readme
        assert f"]({file.stem}.png)" in readme
        assert (_FOLDER / f"{file.stem}.png").read_bytes().startswith(b"\x89PNG")
