"""Where webhooks may go: https to the public internet, whatever a name means at that moment.

An admin's address is a way to make this service call something. So an address has one reading (characters on which
parsers differ are refused), and what its name resolves to is looked at in the moment of connecting, not when it is
registered: names move (DNS rebinding). The networks are those of IANA's special-purpose registries, with the addresses
at which clouds tell machines their credentials.
"""

import re
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

IPAddress = IPv4Address | IPv6Address

LONGEST = 2048
"""Characters of an address."""

_ADDRESS = re.compile(
    r"(?P<scheme>https?)://(?P<host>[a-z0-9](?:[a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(?::(?P<port>[1-9][0-9]{0,4}))?"
    r"(?P<path>/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*)?(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?"
)

_REFUSED_4 = [
    ip_network(one)
    for one in (
        *("0.0.0.0/8", "10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "169.254.0.0/16", "172.16.0.0/12"),
        *("192.0.0.0/24", "192.0.2.0/24", "192.31.196.0/24", "192.52.193.0/24", "192.88.99.0/24", "192.168.0.0/16"),
        *("192.175.48.0/24", "198.18.0.0/15", "198.51.100.0/24", "203.0.113.0/24", "224.0.0.0/4", "240.0.0.0/4"),
        "168.63.129.16/32",  # Azure's, though its network is public
    )
]
_GLOBAL_6 = ip_network("2000::/3")
_REFUSED_6 = [ip_network(one) for one in ("2001::/23", "2001:db8::/32", "2002::/16", "2620:4f:8000::/48", "3fff::/20")]
_TRANSLATED = ip_network("64:ff9b::/96")
"""NAT64: the last four bytes are the IPv4 address that is really called."""


class UnusableAddressError(ValueError):
    """The address is refused; the text says why, to the admin who wrote it."""


def check(address: str, *, private: bool) -> None:
    """UnusableAddressError for what is no address of a receiver. `private`: http and private targets may be."""
    found = _ADDRESS.fullmatch(address)
    if found is None or len(address) > LONGEST:
        raise UnusableAddressError(
            "An address is https://host/path with a host in small letters; no user, no fragment, nothing to be escaped."
        )
    if int(found["port"] or 443) > 65535:
        raise UnusableAddressError("A port is at most 65535.")
    if private:
        return
    if found["scheme"] != "https":
        raise UnusableAddressError("The address must be https.")
    try:
        literal = ip_address(found["host"].strip("[]"))
    except ValueError:
        return  # a name: what it means is looked at each time
    if not is_public(literal):
        raise UnusableAddressError("The address is not on the public internet.")


def is_public(address: IPAddress) -> bool:
    """Whether it is one of the public internet, that of the IPv4 address within it included."""
    if isinstance(address, IPv4Address):
        return not any(address in network for network in _REFUSED_4)
    if address.scope_id is not None:
        return False
    if address.ipv4_mapped is not None:
        return is_public(address.ipv4_mapped)
    if address in _TRANSLATED:
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_6 and not any(address in network for network in _REFUSED_6)
