"""`deploy/kubernetes` as data: its objects, and what the workloads among them run."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "deploy/kubernetes"
#: The label by which everything selects pods.
NAME = "app.kubernetes.io/name"

Object = dict[str, Any]


class _Strict(yaml.SafeLoader):
    """Refuses a key that stands twice in one mapping, as Compose and Kubernetes do."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        twice = {key for key in keys if keys.count(key) > 1}
        assert not twice, f"twice in one mapping, {node.start_mark}: {twice}"
        return super().construct_mapping(node, deep)


def read(path: Path) -> list[Object]:
    """Return the objects of a file."""
    return list(yaml.load_all(path.read_text(encoding="utf-8"), _Strict))


def find(node: object, key: str) -> Iterator[Any]:
    """Give whatever stands under a key, however deep."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for value in node.values():
            yield from find(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from find(value, key)


def of_kind(kind: str) -> list[Object]:
    """Return the objects of a kind."""
    return [one for one in OBJECTS if one["kind"] == kind]


KUSTOMIZATIONS = {path.parent: read(path)[0] for path in FOLDER.rglob("kustomization.yaml")}
EXAMPLE = FOLDER / "secrets.example.yaml"
SECRETS: dict[str, dict[str, str]] = {
    one["metadata"]["name"]: one["stringData"] for one in read(EXAMPLE)
}
#: All that a kustomization may name.
FILES = sorted(
    path
    for path in FOLDER.rglob("*")
    if path.is_file() and path.name != "kustomization.yaml" and path != EXAMPLE
)
OBJECTS = [one for path in FILES if path.suffix == ".yaml" for one in read(path)]
WORKLOADS = {
    one["metadata"]["name"]: one for one in OBJECTS if one["kind"] in {"Deployment", "StatefulSet"}
}
PODS = {name: one["spec"]["template"]["spec"] for name, one in WORKLOADS.items()}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
