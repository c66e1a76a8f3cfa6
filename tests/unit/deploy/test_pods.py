"""Pods in Kubernetes: permissions, resources, probes, network policies, scaling."""

import re
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Any

import pytest
import yaml

from jobs.redis import keys
from network.address_policy import is_public
from scraper.settings import ChromeSettings
from tests.support.manifests import (
    CONTAINERS,
    FOLDER,
    KUSTOMIZATIONS,
    NAME,
    PODS,
    SECRETS,
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


#: Networks without a public address, by the registries of special-purpose addresses (RFC 6890), of
#: services of clouds, and IPv6 networks that embed IPv4 addresses.
_NOT_PUBLIC = (
    *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32"),
    *("169.254.0.0/16", "172.16.0.0/12", "192.0.0.0/24", "192.0.2.0/24", "192.168.0.0/16"),
    *("198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
    *("::/128", "::1/128", "::ffff:10.0.0.0/104", "64:ff9b::a00:0/104", "64:ff9b:1::/48"),
    *("100::/64", "2001:db8::/32", "2001::/32", "2002:a00::/24", "fc00::/7", "fe80::/10"),
    *("fec0::/10", "ff00::/8"),
)
#: Addresses of ordinary sites.
_PUBLIC = ("1.1.1.1", "8.8.8.8", "100.128.0.1", "172.32.0.1", "192.0.1.1", "198.20.0.1",
           "223.255.255.254", "2606:4700::1111", "2a00:1450:4001::1", "2400:cb00::1")  # fmt: skip


def _allows(policy: str, address: IPv4Address | IPv6Address) -> bool:
    """Return whether a network policy allows traffic to an address."""
    [spec] = (
        item["spec"] for item in list_objects("NetworkPolicy") if item["metadata"]["name"] == policy
    )
    blocks: list[dict[str, Any]] = list(find_values(spec["egress"], "ipBlock"))
    return any(
        address in ip_network(block["cidr"])
        and not any(address in ip_network(part) for part in block["except"])
        for block in blocks
    )


def _edges(network: IPv4Network | IPv6Network) -> list[IPv4Address | IPv6Address]:
    """Return the first and last address of a network, one in the middle, and both neighbours."""
    first, last = int(network[0]), int(network[-1])
    kind = type(network[0])
    highest = 2**network.max_prefixlen - 1
    numbers = {first, (first + last) // 2, last, max(first - 1, 0), min(last + 1, highest)}
    return [kind(number) for number in sorted(numbers)]


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

    def test_have_a_redis_user_of_their_own(self, name: str) -> None:
        urls = {
            variable["name"]: variable["valueFrom"]["secretKeyRef"]
            for variable in CONTAINERS[name].get("env", [])
            if variable["name"] == "REDIS_URL"
        }
        if name == "redis":
            assert not urls
            return
        url = SECRETS["garimpo-redis"][urls["REDIS_URL"]["key"]]
        user = {"callbacks": "webhooks"}.get(name, name)
        assert url.startswith(f"redis://{user}:")
        assert f"redis://{user}:$" in _COMPOSE["services"][name]["environment"]["REDIS_URL"]


@pytest.mark.parametrize("name", ["api", "worker", "callbacks", "flower"])
class TestImages:
    def test_have_the_user_of_the_pod(self, name: str) -> None:
        assert f"\nUSER {PODS[name]['securityContext']['runAsUser']}\n" in _dockerfile(name)


class TestApi:
    def test_reads_its_keys_from_a_file_that_is_updated(self) -> None:
        container = CONTAINERS["api"]
        [path] = (
            variable["value"]
            for variable in container["env"]
            if variable["name"] == "API_KEYS_FILE"
        )
        [mount] = (mount for mount in container["volumeMounts"] if mount["name"] == "keys")
        [volume] = (volume for volume in PODS["api"]["volumes"] if volume["name"] == "keys")
        folder, _, name = path.rpartition("/")

        assert mount == {"name": "keys", "mountPath": folder, "readOnly": True}
        # Without `optional`: the API must not start without keys.
        assert volume["secret"] == {"secretName": "garimpo-api"}
        assert set(SECRETS["garimpo-api"]) == {name}

    def test_is_probed_without_a_key(self) -> None:
        for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
            assert CONTAINERS["api"][probe]["httpGet"]["path"] == "/api/live"

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

    @pytest.mark.parametrize("policy", ["worker", "callbacks"])
    @pytest.mark.parametrize("network", _NOT_PUBLIC)
    def test_refuses_the_addresses_that_webhooks_refuse(self, policy: str, network: str) -> None:
        for address in _edges(ip_network(network)):
            if not is_public(address):
                assert not _allows(policy, address), address
            elif isinstance(address, IPv4Address):
                assert _allows(policy, address), address

    @pytest.mark.parametrize("policy", ["worker", "callbacks"])
    def test_makes_no_other_exceptions(self, policy: str) -> None:
        [spec] = (
            item["spec"]
            for item in list_objects("NetworkPolicy")
            if item["metadata"]["name"] == policy
        )
        for excepted in find_values(spec["egress"], "except"):
            for part in map(ip_network, excepted):
                # IPv6 networks that embed IPv4 addresses, or are not in every version of Python.
                if str(part) not in {"2001::/23", "2002::/16", "3fff::/20"}:
                    assert not is_public(part[0]), part
                    assert not is_public(part[-1]), part
        for address in map(ip_address, _PUBLIC):
            assert _allows(policy, address), address

    def test_lets_workers_reach_redis_and_no_other_pod(self) -> None:
        selectors = [
            policy["spec"]["podSelector"].get("matchLabels", {}).get(NAME)
            for policy in list_objects("NetworkPolicy")
            for rule in policy["spec"].get("ingress", [])
            if "from" not in rule or list(find_values(rule["from"], "podSelector"))
        ]
        # The API's clients connect from anywhere, and workers connect to public addresses only.
        assert sorted(selectors) == ["api", "redis"]
        for address in ("10.0.0.7", "172.17.0.2", "192.168.1.9", "100.64.0.5", "fd00::7"):
            assert not _allows("worker", ip_address(address))

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
        parameters = {
            reference["parameter"]: SECRETS[reference["name"]][reference["key"]]
            for reference in authentication["spec"]["secretTargetRef"]
        }
        assert parameters["username"] == "keda"
        assert "password" in parameters
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
