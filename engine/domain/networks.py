"""Ranges of network addresses where no camera is, and ranges that are not the public internet.

OWASP's "Server-Side Request Forgery Prevention" lists the encodings that are unwrapped here.
"""

from __future__ import annotations

import ipaddress

PINNED = "pinned_addresses"
"""Key in ``Stream.extra`` of a stream that a remote caller made: the addresses its host stood for
when it was checked. Such a stream never leads anywhere else."""

IPAddress = ipaddress.IPv4Address | ipaddress.IPv6Address

_REFUSED_NETWORKS = tuple(
    ipaddress.ip_network(text)
    for text in (
        "0.0.0.0/8",
        "169.254.0.0/16",  # link-local; 169.254.169.254 is the metadata service of most clouds
        "100.100.100.200/32",  # metadata service of Alibaba Cloud
        "168.63.129.16/32",  # wire server of Azure
        "192.0.0.0/24",  # protocol assignments; metadata service of Oracle Cloud classic
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/128",
        "fe80::/10",
        "ff00::/8",
        "fd00:ec2::/32",  # metadata service of AWS
    )
)
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def unwrapped(address: str) -> IPAddress:
    """The address, or the IPv4 one inside an IPv6 one (mapped, 6to4, Teredo's client, NAT64).

    A zone (``%eth0``) is left out. Raises ValueError if the text is no address.
    """
    ip = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(ip, ipaddress.IPv4Address):
        return ip
    if ip in _NAT64 or (int(ip) >> 32 == 0 and int(ip) > 1):
        return ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    teredo = ip.teredo
    return ip.ipv4_mapped or ip.sixtofour or (teredo[1] if teredo else None) or ip


def is_loopback(address: str) -> bool:
    """True if the address is this machine itself."""
    return unwrapped(address).is_loopback


def holds_no_camera(address: str) -> bool:
    """True for ranges that no camera is in: link-local, metadata, multicast, none."""
    ip = unwrapped(address)
    return any(ip.version == network.version and ip in network for network in _REFUSED_NETWORKS)


def is_public(address: str) -> bool:
    """True if the address is one of the public internet."""
    ip = unwrapped(address)
    return ip.is_global and not ip.is_multicast and not holds_no_camera(address)
