"""Addresses that a browser may connect to, and Chrome's rules for names."""

from ipaddress import ip_address

import pytest

from network.address_policy import AddressPolicy
from scraper.browser.network_access import HostRules, NetworkAccess, is_local, split_host_rules

PUBLIC = ip_address("8.8.8.8")
PRIVATE = ip_address("10.0.0.7")
SITE = ("shop.example", 443)


class TestNetworkAccess:
    @pytest.mark.parametrize(
        "address",
        [
            "127.0.0.1",
            "0.0.0.0",
            "10.0.0.7",
            "169.254.169.254",
            "168.63.129.16",
            "224.0.0.1",
            "::1",
            "fd00::7",
            "fe80::1",
            "::ffff:10.0.0.7",
            "64:ff9b::a00:7",
            "2002:a00:7::",
        ],
    )
    def test_refuses_addresses_that_are_not_public(self, address: str) -> None:
        assert NetworkAccess().filter("other.example", 80, [ip_address(address)]) == []

    def test_keeps_the_public_addresses_of_a_name(self) -> None:
        assert NetworkAccess().filter("other.example", 80, [PRIVATE, PUBLIC]) == [PUBLIC]

    @pytest.mark.parametrize(
        ("host", "port", "found"),
        [
            ("shop.example", 443, [PRIVATE]),
            ("SHOP.example.", 443, [PRIVATE]),
            ("shop.example", 8080, []),
            ("www.shop.example", 443, []),
            ("10.0.0.7", 443, []),
        ],
    )
    def test_allows_a_private_site_at_its_own_port(
        self, host: str, port: int, found: list[object]
    ) -> None:
        assert NetworkAccess([SITE]).filter(host, port, [PRIVATE]) == found

    def test_refuses_private_addresses_of_a_site_that_was_public(self) -> None:
        access = NetworkAccess([SITE])

        assert access.filter(*SITE, [PUBLIC]) == [PUBLIC]
        assert access.filter(*SITE, [PRIVATE]) == []

    def test_takes_a_site_with_both_kinds_of_addresses_for_a_public_one(self) -> None:
        assert NetworkAccess([SITE]).filter(*SITE, [PUBLIC, PRIVATE]) == [PUBLIC]

    @pytest.mark.parametrize("other", ["10.0.0.8", "127.0.0.1", "169.254.169.254", "::1"])
    def test_does_not_allow_a_private_site_to_move(self, other: str) -> None:
        access = NetworkAccess([SITE])
        access.filter(*SITE, [PRIVATE])

        assert access.filter(*SITE, [ip_address(other)]) == []
        assert access.filter(*SITE, [PUBLIC]) == [PUBLIC]
        assert access.filter(*SITE, [PRIVATE]) == [PRIVATE]

    def test_never_leads_a_name_to_link_local_addresses(self) -> None:
        metadata = ip_address("169.254.169.254")

        assert NetworkAccess([SITE]).filter(*SITE, [metadata]) == []
        named = (str(metadata), 80)
        assert NetworkAccess([named]).filter(*named, [metadata]) == [metadata]

    def test_decides_for_all_ports_of_a_host(self) -> None:
        name, port = SITE
        access = NetworkAccess([SITE, (name, port + 1)])
        access.filter(name, port, [PUBLIC])

        assert access.filter(name, port + 1, [PRIVATE]) == []

    @pytest.mark.parametrize("setting", ["10.0.0.0/8", "10.0.0.7:81", "other.example"])
    def test_allows_what_the_operator_names(self, setting: str) -> None:
        access = NetworkAccess(allowed=AddressPolicy.parse(setting, "BROWSER_ALLOW"))

        assert access.filter("other.example", 81, [PRIVATE]) == [PRIVATE]


class TestIsLocal:
    @pytest.mark.parametrize("address", ["127.9.9.9", "0.0.0.0", "::1", "::", "::ffff:127.0.0.1"])
    def test_is_every_notation_of_this_machine(self, address: str) -> None:
        assert is_local(ip_address(address))

    def test_is_no_other_machine(self) -> None:
        assert not is_local(PRIVATE)


class TestHostRules:
    @pytest.mark.parametrize(
        ("rules", "target"),
        [
            ("", ("www.shop.example", 80)),
            ("MAP *.shop.example 10.0.0.7", ("10.0.0.7", 80)),
            ("MAP *.shop.example 10.0.0.7:81", ("10.0.0.7", 81)),
            ("MAP *.shop.example [::1]:81", ("::1", 81)),
            ("MAP *.shop.example [::1]", ("::1", 80)),
            ("MAP www.shop.example:80 other", ("other", 80)),
            ("MAP www.shop.example:81 other", ("www.shop.example", 80)),
            ("MAP a b, MAP * c, MAP * d", ("c", 80)),
            ("MAP * a, EXCLUDE *.example", ("www.shop.example", 80)),
            ("map * ~NOTFOUND", None),
            ("MAP *, NONSENSE", ("www.shop.example", 80)),
        ],
    )
    def test_lead_names_elsewhere(self, rules: str, target: tuple[str, int] | None) -> None:
        assert HostRules(rules).apply("www.shop.example", 80) == target

    def test_are_taken_out_of_the_arguments_of_chrome(self) -> None:
        arguments, rules = split_host_rules(["--a", "--host-resolver-rules=MAP x y", "--b"])

        assert arguments == ["--a", "--b"]
        assert rules.apply("x", 1) == ("y", 1)
