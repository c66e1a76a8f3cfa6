"""Pods in Kubernetes: permissions, resources, probes, network policies, scaling."""

import re

import pytest
import yaml

from jobs.redis import keys
from scraper.settings import ChromeSettings
from tests.support.manifests import (
    CONTAINERS,
    FOLDER,
    KUSTOMIZATIONS,
    NAME,
    PODS,
    WORKLOADS,
    find_values,
    list_objects,
    read,
)
from tests.support.paths import ROOT

[_COMPOSE] = read(ROOT / "docker-compose.yml")


def _dockerfile(name: str) -> str:
    image: str = CONTAINERS[name]["image"]
    return (ROOT / image.replace("garimpo-", "Dockerfile.")).read_text(encoding="utf-8")


@pytest.mark.parametrize("name", WORKLOADS)
class TestPods:
    def test_run_without_privileges(self, name: str) -> None:
        pod, container = PODS[name], CONTAINERS[name]

        assert pod["automountServiceAccountToken"] is False
        assert pod["enableServiceLinks"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "readOnlyRootFilesystem": True,
            "capabilities": {"drop": ["ALL"]},
        }

    def test_have_resource_limits_and_probes(self, name: str) -> None:
        container = CONTAINERS[name]

        assert container["resources"]["limits"].keys() == {"cpu", "memory"}
        assert container["resources"]["requests"].keys() == {"cpu", "memory"}
        assert {"startupProbe", "livenessProbe"} <= container.keys()

    def test_mount_volumes_that_they_have(self, name: str) -> None:
        volumes = {volume["name"] for volume in PODS[name]["volumes"]}
        for claim in WORKLOADS[name]["spec"].get("volumeClaimTemplates", []):
            volumes.add(claim["metadata"]["name"])
        claims = {claim["metadata"]["name"] for claim in list_objects("PersistentVolumeClaim")}

        assert {mount["name"] for mount in CONTAINERS[name]["volumeMounts"]} == volumes
        assert set(find_values(PODS[name], "claimName")) <= claims

    def test_run_the_same_commands_as_compose(self, name: str) -> None:
        service = _COMPOSE["services"][name]

        assert service["image"].partition(":${")[0] == CONTAINERS[name]["image"]
        if name in {"worker", "callbacks", "flower"}:
            assert service["command"] == CONTAINERS[name]["args"]


@pytest.mark.parametrize("name", ["api", "worker", "callbacks", "flower"])
class TestImages:
    def test_have_the_user_of_the_pod(self, name: str) -> None:
        assert f"\nUSER {PODS[name]['securityContext']['runAsUser']}\n" in _dockerfile(name)


class TestApi:
    def test_has_the_liveness_check_of_its_image(self) -> None:
        (port,) = CONTAINERS["api"]["ports"]
        probe = CONTAINERS["api"]["livenessProbe"]["httpGet"]

        assert probe["port"] == port["name"]
        assert f"http://127.0.0.1:{port['containerPort']}{probe['path']}'" in _dockerfile("api")


class TestWorker:
    def test_has_room_for_the_largest_browser_and_python(self) -> None:
        limit = CONTAINERS["worker"]["resources"]["limits"]["memory"]
        browser_mb = ChromeSettings.model_fields["browser_memory_mb"].default

        assert int(limit.removesuffix("Gi")) * 1024 >= browser_mb + 300

    def test_has_the_grace_period_of_compose(self) -> None:
        grace = PODS["worker"]["terminationGracePeriodSeconds"]

        assert f"{grace}s" == _COMPOSE["services"]["worker"]["stop_grace_period"]

    def test_has_the_liveness_check_of_its_image(self) -> None:
        check = re.search(r"HEALTHCHECK .*\\\n +CMD (.*)", _dockerfile("worker"))

        assert check
        assert CONTAINERS["worker"]["livenessProbe"]["exec"]["command"] == ["sh", "-c", check[1]]


class TestWebhookSender:
    def test_has_the_liveness_check_of_compose(self) -> None:
        check = _COMPOSE["services"]["callbacks"]["healthcheck"]["test"].replace("$$", "$")

        assert CONTAINERS["callbacks"]["livenessProbe"]["exec"]["command"] == ["sh", "-c", check]


class TestNetwork:
    def test_denies_traffic_by_default(self) -> None:
        (default,) = (
            policy for policy in list_objects("NetworkPolicy") if not policy["spec"]["podSelector"]
        )

        assert default["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def test_allows_ingress_only_to_api_and_redis(self) -> None:
        specs = [policy["spec"] for policy in list_objects("NetworkPolicy")]
        targets = {spec["podSelector"]["matchLabels"][NAME] for spec in specs if "ingress" in spec}

        assert targets == {"api", "redis"}

    @pytest.mark.parametrize("folder", ["redis", "external-redis"])
    def test_allows_egress_to_redis_for_all_pods_with_its_url(self, folder: str) -> None:
        policies = read(FOLDER / folder / "network.yaml")
        (policy,) = (policy for policy in policies if policy["metadata"]["name"] == "to-redis")
        (allowed,) = policy["spec"]["podSelector"]["matchExpressions"]
        with_redis_url = {
            name
            for name, container in CONTAINERS.items()
            if "REDIS_URL" in find_values(container, "name")
        }

        assert set(allowed["values"]) == with_redis_url == {"api", "worker", "callbacks", "flower"}


class TestScaling:
    def test_scales_the_workers_with_the_credentials_of_redis(self) -> None:
        (scaled_object,) = list_objects("ScaledObject")
        (trigger,) = scaled_object["spec"]["triggers"]
        (authentication,) = list_objects("TriggerAuthentication")

        assert scaled_object["spec"]["scaleTargetRef"] == {
            "name": WORKLOADS["worker"]["metadata"]["name"]
        }
        assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}

    def test_uses_the_number_of_unfinished_jobs(self) -> None:
        (triggers,) = find_values(list_objects("ScaledObject"), "triggers")
        metadata = triggers[0]["metadata"]
        (redis,) = (
            service for service in list_objects("Service") if service["metadata"]["name"] == "redis"
        )
        host = f"redis.{KUSTOMIZATIONS[FOLDER]['namespace']}.svc.cluster.local"

        assert metadata["listName"] == keys.ACTIVE
        assert metadata["address"] == f"{host}:{redis['spec']['ports'][0]['port']}"

    def test_removes_the_replica_count_from_the_manifest(self) -> None:
        (patch,) = KUSTOMIZATIONS[FOLDER / "autoscaling"]["patches"]

        assert patch["target"] == {"kind": "Deployment", "name": "worker"}
        assert yaml.safe_load(patch["patch"]) == [{"op": "remove", "path": "/spec/replicas"}]
