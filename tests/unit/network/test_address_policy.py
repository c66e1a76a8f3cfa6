"""IP addresses that are public, and private ones that a setting allows."""

from ipaddress import ip_address

import pytest

from network.address_policy import AddressPolicy, is_public

PRIVATE = [
    "0.0.0.0",
    "10.0.0.1",
    "100.64.0.1",
    "127.0.0.1",
    "168.63.129.16",
    "169.254.169.254",
    "172.16.0.1",
    "192.0.0.192",
    "192.168.1.1",
    "224.0.0.1",
    "240.0.0.1",
    "255.255.255.255",
    "::",
    "::1",
    "::127.0.0.1",
    "::ffff:10.0.0.1",
    "64:ff9b::10.0.0.1",
    "64:ff9b:1::1",
    "2002:7f00:1::",
    "fc00::1",
    "fd00:ec2::254",
    "fe80::1",
    "fe80::1%eth0",
    "fec0::1",
    "ff02::1",
]


class TestIsPublic:
    @pytest.mark.parametrize("address", PRIVATE)
    def test_rejects_private_addresses(self, address: str) -> None:
        assert not is_public(ip_address(address))

    @pytest.mark.parametrize(
        "address", ["8.8.8.8", "2606:4700::1111", "::ffff:8.8.8.8", "64:ff9b::8.8.8.8"]
    )
    def test_accepts_public_addresses(self, address: str) -> None:
        assert is_public(ip_address(address))


class TestAddressPolicy:
    def test_names_the_variable_with_an_invalid_entry(self) -> None:
        with pytest.raises(ValueError, match=r"^BROWSER_ALLOW: 'http://n8n' is not a host"):
            AddressPolicy.parse("http://n8n", "BROWSER_ALLOW")
