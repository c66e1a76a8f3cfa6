"""What runs in Kubernetes: with which rights, bounds, neighbours, and how many workers."""

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
    def test_run_without_any_right(self, name: str) -> None:
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

    def test_have_bounds_and_a_health_check(self, name: str) -> None:
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

    def test_run_what_compose_runs(self, name: str) -> None:
        service = _COMPOSE["services"][name]

        assert service["image"].partition(":${")[0] == CONTAINERS[name]["image"]
        if name in {"worker", "callbacks", "flower"}:
            assert service["command"] == CONTAINERS[name]["args"]


@pytest.mark.parametrize("name", ["api", "worker", "callbacks", "flower"])
class TestImages:
    def test_have_the_pods_user(self, name: str) -> None:
        assert f"\nUSER {PODS[name]['securityContext']['runAsUser']}\n" in _dockerfile(name)


class TestApi:
    def test_is_alive_by_the_images_own_check(self) -> None:
        (port,) = CONTAINERS["api"]["ports"]
        probe = CONTAINERS["api"]["livenessProbe"]["httpGet"]

        assert probe["port"] == port["name"]
        assert f"http://127.0.0.1:{port['containerPort']}{probe['path']}'" in _dockerfile("api")


class TestWorker:
    def test_has_room_for_the_largest_browser_and_python(self) -> None:
        limit = CONTAINERS["worker"]["resources"]["limits"]["memory"]
        browser_mb = ChromeSettings.model_fields["browser_memory_mb"].default

        assert int(limit.removesuffix("Gi")) * 1024 >= browser_mb + 300

    def test_has_the_time_that_compose_gives_it_to_stop(self) -> None:
        grace = PODS["worker"]["terminationGracePeriodSeconds"]

        assert f"{grace}s" == _COMPOSE["services"]["worker"]["stop_grace_period"]

    def test_is_alive_by_the_images_own_check(self) -> None:
        check = re.search(r"HEALTHCHECK .*\\\n +CMD (.*)", _dockerfile("worker"))

        assert check
        assert CONTAINERS["worker"]["livenessProbe"]["exec"]["command"] == ["sh", "-c", check[1]]


class TestCallbacks:
    def test_is_alive_by_composes_own_check(self) -> None:
        check = _COMPOSE["services"]["callbacks"]["healthcheck"]["test"].replace("$$", "$")

        assert CONTAINERS["callbacks"]["livenessProbe"]["exec"]["command"] == ["sh", "-c", check]


class TestNetwork:
    def test_is_closed_but_for_what_is_opened(self) -> None:
        (closed,) = (one for one in list_objects("NetworkPolicy") if not one["spec"]["podSelector"])

        assert closed["spec"] == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}

    def test_lets_nobody_call_workers_and_flower(self) -> None:
        specs = [policy["spec"] for policy in list_objects("NetworkPolicy")]
        called = {spec["podSelector"]["matchLabels"][NAME] for spec in specs if "ingress" in spec}

        assert called == {"api", "redis"}

    @pytest.mark.parametrize("folder", ["redis", "external-redis"])
    def test_leads_all_that_have_its_address_to_redis(self, folder: str) -> None:
        policies = read(FOLDER / folder / "network.yaml")
        (leads,) = (one for one in policies if one["metadata"]["name"] == "to-redis")
        (allowed,) = leads["spec"]["podSelector"]["matchExpressions"]
        with_address = {
            name for name, one in CONTAINERS.items() if "REDIS_URL" in find_values(one, "name")
        }

        assert set(allowed["values"]) == with_address == {"api", "worker", "callbacks", "flower"}


class TestScaling:
    def test_is_of_the_workers_by_the_secret(self) -> None:
        (scaled,) = list_objects("ScaledObject")
        (trigger,) = scaled["spec"]["triggers"]
        (authentication,) = list_objects("TriggerAuthentication")

        assert scaled["spec"]["scaleTargetRef"] == {"name": WORKLOADS["worker"]["metadata"]["name"]}
        assert trigger["authenticationRef"] == {"name": authentication["metadata"]["name"]}

    def test_counts_the_jobs_that_have_not_ended(self) -> None:
        (triggers,) = find_values(list_objects("ScaledObject"), "triggers")
        asked = triggers[0]["metadata"]
        (redis,) = (one for one in list_objects("Service") if one["metadata"]["name"] == "redis")
        host = f"redis.{KUSTOMIZATIONS[FOLDER]['namespace']}.svc.cluster.local"

        assert asked["listName"] == keys.ACTIVE
        assert asked["address"] == f"{host}:{redis['spec']['ports'][0]['port']}"

    def test_is_not_undone_by_a_number_in_the_manifest(self) -> None:
        (patch,) = KUSTOMIZATIONS[FOLDER / "autoscaling"]["patches"]

        assert patch["target"] == {"kind": "Deployment", "name": "worker"}
        assert yaml.safe_load(patch["patch"]) == [{"op": "remove", "path": "/spec/replicas"}]
