"""Objects and workloads of the manifests in `deploy/kubernetes`."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml

from tests.support.paths import ROOT

FOLDER = ROOT / "deploy/kubernetes"
#: Label that selects pods.
NAME = "app.kubernetes.io/name"

Object = dict[str, Any]


class _Strict(yaml.SafeLoader):
    """Rejects duplicate keys in a mapping, as Compose and Kubernetes do."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002 - PyYAML's signature
        keys = [key.value for key, _ in node.value if key.tag != "tag:yaml.org,2002:merge"]
        duplicates = {key for key in keys if keys.count(key) > 1}
        assert not duplicates, f"duplicate keys, {node.start_mark}: {duplicates}"
        return super().construct_mapping(node, deep)


def read(path: Path) -> list[Object]:
    """Return the objects in a file."""
    return list(yaml.load_all(path.read_text(encoding="utf-8"), _Strict))


def find_values(node: object, key: str) -> Iterator[Any]:
    """Yield all values of a key, at any depth."""
    if isinstance(node, dict):
        if key in node:
            yield node[key]
        for value in node.values():
            yield from find_values(value, key)
    elif isinstance(node, list):
        for value in node:
            yield from find_values(value, key)


def list_objects(kind: str) -> list[Object]:
    """Return all objects of a kind."""
    return [item for item in OBJECTS if item["kind"] == kind]


KUSTOMIZATIONS = {
    path.parent: read(path)[0]
    # The configuration of Redis is outside, because Compose uses it too.
    for path in (*FOLDER.rglob("kustomization.yaml"), ROOT / "deploy/redis/kustomization.yaml")
}
EXAMPLE = FOLDER / "secrets.example.yaml"
SECRETS: dict[str, dict[str, str]] = {
    item["metadata"]["name"]: item["stringData"] for item in read(EXAMPLE)
}
#: Files that a kustomization may list.
FILES = sorted(
    path
    for path in FOLDER.rglob("*")
    if path.is_file() and path.name != "kustomization.yaml" and path != EXAMPLE
)
OBJECTS = [item for path in FILES if path.suffix == ".yaml" for item in read(path)]
WORKLOADS = {
    item["metadata"]["name"]: item
    for item in OBJECTS
    if item["kind"] in {"Deployment", "StatefulSet"}
}
PODS = {name: item["spec"]["template"]["spec"] for name, item in WORKLOADS.items()}
CONTAINERS = {name: pod["containers"][0] for name, pod in PODS.items()}
