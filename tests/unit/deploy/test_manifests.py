"""The Kubernetes manifests: each is valid, and what they name is there."""

import re
import tomllib
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]  # it says nothing of its types
import pytest

from tests.support.manifests import (
    CONTAINERS,
    EXAMPLE,
    FILES,
    FOLDER,
    KUSTOMIZATIONS,
    NAME,
    OBJECTS,
    SECRETS,
    WORKLOADS,
    Object,
    find_values,
    list_objects,
    read,
)
from tests.support.paths import ROOT

#: The oldest that has all the fields in use, and the newest that the library knows.
_VERSIONS = ("1.30", "1.37")
#: These have no schema in Kubernetes: TestScaling looks at what matters.
_OF_KEDA = {"ScaledObject", "TriggerAuthentication"}
#: Read by programs that we only start, so not in .env.example.
_OF_OTHERS = {"REMAP_SIGTERM", "FLOWER_BASIC_AUTH", "REDISCLI_AUTH"}


def _label(one: Object) -> str:
    return f"{one['kind']}-{one['metadata']['name']}"


def _named(folder: Path) -> set[Path]:
    """List what a kustomization names: files and folders."""
    one = KUSTOMIZATIONS[folder]
    names = [*one.get("resources", []), *one.get("components", [])]
    for generator in one.get("configMapGenerator", []):
        names += [*generator.get("files", []), *generator.get("envs", [])]
    return {folder / name for name in names}


class TestManifests:
    @pytest.mark.parametrize("version", _VERSIONS)
    @pytest.mark.parametrize(
        "one",
        [one for one in [*OBJECTS, *read(EXAMPLE)] if one["kind"] not in _OF_KEDA],
        ids=_label,
    )
    def test_fit_the_schemas_of_kubernetes(self, one: Object, version: str) -> None:
        kubernetes_validate.validate(one, version, strict=True)

    @pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
    def test_are_there_where_a_kustomization_names_them(self, folder: Path) -> None:
        named = _named(folder)
        assert named
        for path in named:
            assert path.is_file() or (path / "kustomization.yaml").is_file()

    def test_are_each_named_by_a_kustomization(self) -> None:
        named = {path for folder in KUSTOMIZATIONS for path in _named(folder)}

        assert set(FILES) <= named

    def test_use_the_images_that_the_kustomization_gives_this_version(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        tags = {image["name"]: image["newTag"] for image in KUSTOMIZATIONS[FOLDER]["images"]}
        ours = {one["image"] for name, one in CONTAINERS.items() if name != "redis"}

        assert tags == dict.fromkeys(ours, project["version"])


class TestReferences:
    @pytest.mark.parametrize("name", WORKLOADS)
    def test_of_a_workload_select_its_own_pods(self, name: str) -> None:
        spec = WORKLOADS[name]["spec"]

        assert spec["template"]["metadata"]["labels"] == {NAME: name}
        assert spec["selector"]["matchLabels"] == {NAME: name}

    def test_of_a_service_are_pods_with_that_port(self) -> None:
        for service in list_objects("Service"):
            container = CONTAINERS[service["spec"]["selector"][NAME]]
            ports = {port["name"] for port in container["ports"]}
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports

    def test_of_budgets_and_policies_are_our_pods(self) -> None:
        ours = [*list_objects("PodDisruptionBudget"), *list_objects("NetworkPolicy")]
        selected = {labels[NAME] for labels in find_values(ours, "matchLabels") if NAME in labels}
        for expressions in find_values(ours, "matchExpressions"):
            selected |= {name for each in expressions for name in each["values"]}

        assert selected == WORKLOADS.keys()

    def test_to_secrets_are_those_of_the_example(self) -> None:
        used: dict[str, set[str]] = {name: set() for name in SECRETS}
        for reference in find_values(OBJECTS, "secretKeyRef"):
            used[reference["name"]].add(reference["key"])
        for reference in find_values(OBJECTS, "secretRef"):
            used[reference["name"]] |= set(SECRETS[reference["name"]])
        for references in find_values(OBJECTS, "secretTargetRef"):
            for reference in references:
                used[reference["name"]].add(reference["key"])

        assert used == {name: set(data) for name, data in SECRETS.items()}

    def test_to_config_maps_are_generated_or_optional(self) -> None:
        generated = {
            generator["name"]
            for one in KUSTOMIZATIONS.values()
            for generator in one.get("configMapGenerator", [])
        }
        used = [*find_values(OBJECTS, "configMapRef"), *find_values(OBJECTS, "configMap")]

        assert {one["name"] for one in used if not one.get("optional")} == generated


class TestSettings:
    def test_are_known_to_our_programs(self) -> None:
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        known = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)) | _OF_OTHERS
        shared = (FOLDER / "base/settings.env").read_text(encoding="utf-8")
        named = set(re.findall(r"^([A-Z_]+)=", shared, re.MULTILINE))
        named |= set(SECRETS["garimpo-sites"])
        for variables in find_values(OBJECTS, "env"):
            named |= {variable["name"] for variable in variables}

        assert named <= known

    def test_that_are_secret_come_from_secrets(self) -> None:
        for variables in find_values(OBJECTS, "env"):
            for variable in variables:
                is_secret = re.search(r"URL|AUTH|PASSWORD|USERNAME|KEY|SECRET", variable["name"])
                assert ("secretKeyRef" in variable.get("valueFrom", {})) == bool(is_secret)

    def test_of_the_sites_reach_workers_only(self) -> None:
        with_sites = [
            name
            for name, container in CONTAINERS.items()
            if {"name": "garimpo-sites"} in find_values(container, "secretRef")
        ]
        assert with_sites == ["worker"]

    def test_keep_redis_from_losing_jobs(self) -> None:
        lines = (FOLDER / "redis/redis.conf").read_text(encoding="utf-8").splitlines()

        assert {"appendonly yes", "appendfsync always", "maxmemory-policy noeviction"} <= set(lines)
