"""Kubernetes manifests: schemas, references, settings."""

import re
import tomllib
from pathlib import Path

import kubernetes_validate  # type: ignore[import-untyped]  # it has no type information
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

#: The oldest version with all fields in use, and the newest one that the library supports.
_VERSIONS = ("1.30", "1.37")
#: Kinds without a schema in Kubernetes; test_pods.py checks them.
_KEDA_KINDS = {"ScaledObject", "TriggerAuthentication"}
#: Variables of third-party programs, which are not in .env.example.
_THIRD_PARTY = {"REMAP_SIGTERM", "FLOWER_BASIC_AUTH", "FLOWER_READ_ONLY", "REDISCLI_AUTH"}
#: Variables of `deploy/redis/start.sh`.
_REDIS_USERS = {
    f"REDIS_{user}_PASSWORD" for user in ("API", "WORKER", "WEBHOOKS", "FLOWER", "KEDA")
}


def _label(manifest: Object) -> str:
    return f"{manifest['kind']}-{manifest['metadata']['name']}"


def _list_references(folder: Path) -> set[Path]:
    """Return the files and folders that a kustomization references."""
    kustomization = KUSTOMIZATIONS[folder]
    names = [*kustomization.get("resources", []), *kustomization.get("components", [])]
    for generator in kustomization.get("configMapGenerator", []):
        names += [*generator.get("files", []), *generator.get("envs", [])]
    return {folder / name for name in names}


class TestManifests:
    @pytest.mark.parametrize("version", _VERSIONS)
    @pytest.mark.parametrize(
        "manifest",
        [
            manifest
            for manifest in [*OBJECTS, *read(EXAMPLE)]
            if manifest["kind"] not in _KEDA_KINDS
        ],
        ids=_label,
    )
    def test_match_the_schemas_of_kubernetes(self, manifest: Object, version: str) -> None:
        kubernetes_validate.validate(manifest, version, strict=True)

    @pytest.mark.parametrize("folder", KUSTOMIZATIONS, ids=lambda folder: folder.name)
    def test_exist_if_a_kustomization_references_them(self, folder: Path) -> None:
        references = _list_references(folder)
        assert references
        for path in references:
            assert path.is_file() or (path / "kustomization.yaml").is_file()

    def test_are_all_referenced_by_a_kustomization(self) -> None:
        references = {path for folder in KUSTOMIZATIONS for path in _list_references(folder)}

        assert set(FILES) <= references

    def test_use_images_with_the_current_version(self) -> None:
        project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
        tags = {image["name"]: image["newTag"] for image in KUSTOMIZATIONS[FOLDER]["images"]}
        images = {container["image"] for name, container in CONTAINERS.items() if name != "redis"}

        assert tags == dict.fromkeys(images, project["version"])


class TestReferences:
    @pytest.mark.parametrize("name", WORKLOADS)
    def test_of_a_workload_select_its_own_pods(self, name: str) -> None:
        spec = WORKLOADS[name]["spec"]

        assert spec["template"]["metadata"]["labels"] == {NAME: name}
        assert spec["selector"]["matchLabels"] == {NAME: name}

    def test_of_a_service_are_ports_of_its_pods(self) -> None:
        for service in list_objects("Service"):
            container = CONTAINERS[service["spec"]["selector"][NAME]]
            ports = {port["name"] for port in container["ports"]}
            assert {port["targetPort"] for port in service["spec"]["ports"]} <= ports

    def test_of_budgets_and_policies_are_all_workloads(self) -> None:
        objects = [*list_objects("PodDisruptionBudget"), *list_objects("NetworkPolicy")]
        selected = {
            labels[NAME] for labels in find_values(objects, "matchLabels") if NAME in labels
        }
        for expressions in find_values(objects, "matchExpressions"):
            selected |= {name for expression in expressions for name in expression["values"]}

        assert selected == WORKLOADS.keys()

    def test_to_secrets_match_the_example(self) -> None:
        used: dict[str, set[str]] = {name: set() for name in SECRETS}
        for reference in find_values(OBJECTS, "secretKeyRef"):
            used[reference["name"]].add(reference["key"])
        for reference in find_values(OBJECTS, "secretRef"):
            used[reference["name"]] |= set(SECRETS[reference["name"]])
        for references in find_values(OBJECTS, "secretTargetRef"):
            for reference in references:
                used[reference["name"]].add(reference["key"])
        for volume in find_values(OBJECTS, "secret"):
            used[volume["secretName"]] |= set(SECRETS[volume["secretName"]])

        assert used == {name: set(data) for name, data in SECRETS.items()}

    def test_to_config_maps_are_generated_or_optional(self) -> None:
        generated = {
            generator["name"]
            for kustomization in KUSTOMIZATIONS.values()
            for generator in kustomization.get("configMapGenerator", [])
        }
        used = [*find_values(OBJECTS, "configMapRef"), *find_values(OBJECTS, "configMap")]

        assert {
            reference["name"] for reference in used if not reference.get("optional")
        } == generated


class TestSettings:
    def test_are_known_settings(self) -> None:
        example = (ROOT / ".env.example").read_text(encoding="utf-8")
        known = set(re.findall(r"^#([A-Z_]+)=", example, re.MULTILINE)) | _THIRD_PARTY
        known |= _REDIS_USERS
        shared = (FOLDER / "base/settings.env").read_text(encoding="utf-8")
        used = set(re.findall(r"^([A-Z_]+)=", shared, re.MULTILINE))
        used |= set(SECRETS["garimpo-sites"])
        for variables in find_values(OBJECTS, "env"):
            used |= {variable["name"] for variable in variables}

        assert used <= known

    def test_that_are_secret_come_from_secrets(self) -> None:
        for variables in find_values(OBJECTS, "env"):
            for variable in variables:
                is_secret = re.search(
                    r"URL|AUTH|PASSWORD|USERNAME|KEY(?!S_FILE)|SECRET", variable["name"]
                )
                assert ("secretKeyRef" in variable.get("valueFrom", {})) == bool(is_secret)

    def test_of_the_sites_are_only_in_workers(self) -> None:
        workloads = [
            name
            for name, container in CONTAINERS.items()
            if {"name": "garimpo-sites"} in find_values(container, "secretRef")
        ]
        assert workloads == ["worker"]

    def test_keep_redis_from_losing_jobs(self) -> None:
        lines = (ROOT / "deploy/redis/redis.conf").read_text(encoding="utf-8").splitlines()

        assert CONTAINERS["redis"]["args"][-2:] == ["--maxmemory", "400mb"]
        assert {"appendonly yes", "appendfsync always", "maxmemory-policy noeviction"} <= set(lines)
