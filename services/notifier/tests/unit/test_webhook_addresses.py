"""Where webhooks may go: https to the public internet, by one reading of every address."""

from ipaddress import ip_address

import pytest

from notifier.webhooks.addresses import UnusableAddressError, check, is_public

PRIVATE = [
    *("0.0.0.0", "10.1.2.3", "127.0.0.1", "127.255.255.254", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *("100.64.0.1", "100.127.255.255"),  # CGNAT
    *("100.100.100.200", "169.254.169.254", "192.0.0.192", "168.63.129.16"),  # metadata: Alibaba, most, Oracle, Azure
    *("169.254.0.1", "192.0.2.1", "198.18.0.1", "198.51.100.1", "203.0.113.1", "192.88.99.1"),
    *("224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "fe80::1", "fe80::1%eth0", "fec0::1", "fc00::1", "fd00:ec2::254", "fd20:ce::254", "ff02::1"),
    *("::ffff:127.0.0.1", "::ffff:10.0.0.1", "::ffff:169.254.169.254", "::127.0.0.1", "::7f00:1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::1", "2002:7f00:1::1", "2001::1", "2001:db8::1", "3fff::1"),
    *("100::1", "4000::1"),
]
PUBLIC = ["1.1.1.1", "93.184.216.34", "100.63.255.255", "172.32.0.1", "192.169.0.1", "2606:4700::1111"]
PUBLIC += ["::ffff:1.1.1.1", "64:ff9b::101:101", "2a00:1450:4001:800::200e"]


@pytest.mark.parametrize("address", PRIVATE)
def test_address_that_is_not_of_the_public_internet__is_refused(address):
    assert not is_public(ip_address(address))


@pytest.mark.parametrize("address", PUBLIC)
def test_address_of_the_public_internet__may_be_called(address):
    assert is_public(ip_address(address))


@pytest.mark.parametrize(
    "url",
    [
        "https://gateway.example.com",
        "https://gateway.example.com/",
        "https://gateway.example.com:8443/hooks/a%20b?token=x&y=1",
        "https://xn--bcher-kva.example/hooks",
        "https://1.1.1.1/hooks",
        "https://[2606:4700::1111]/hooks",
    ],
)
def test_address_of_a_receiver__is_taken(url):
    check(url, private=False)


@pytest.mark.parametrize(
    "url",
    [
        "http://gateway.example.com/",
        "ftp://gateway.example.com/",
        "https://",
        "https:///hooks",
        "https://user@gateway.example.com/",
        "https://user:password@gateway.example.com/",
        "https://evil.example\\@gateway.example.com/",
        "https://gateway.example.com/#part",
        "https://gateway.example.com/a b",
        "https://gateway.example.com/\r\nX: y",
        "https://GATEWAY.example.com/",
        "https://bücher.example/",
        "https://gateway.example.com:0/",
        "https://gateway.example.com:65536/",
        "https://127.0.0.1/",
        "https://[::1]/",
        "https://[::ffff:127.0.0.1]/",
        "https://169.254.169.254/latest/meta-data",
        "https://gateway.example.com/" + "a" * 2048,
    ],
)
def test_address_that_is_none__is_refused(url):
    with pytest.raises(UnusableAddressError):
        check(url, private=False)


@pytest.mark.parametrize("url", ["http://127.0.0.1:4000/hooks", "http://localhost/", "https://[::1]:1/"])
def test_private_target__only_where_the_setting_allows_it(url):
    check(url, private=True)
    with pytest.raises(UnusableAddressError):
        check(url, private=False)
