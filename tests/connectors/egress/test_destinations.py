from __future__ import annotations

from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import settings as bounded
from hypothesis import strategies as st

from connectors.egress import check_url
from connectors.egress.destinations import BAD_PORTS, parse
from connectors.errors import DestinationRefused
from tests.connectors.egress.test_addresses import PUBLIC, REFUSED

ODD_LOOPBACKS = [
    "127.1",
    "127.0.1",
    "0x7f000001",
    "0x7f.0.0.1",
    "0x7f.1",
    "2130706433",
    "017700000001",
    "0177.0.0.1",
    "127.0.0.01",
    "00127.0.0.1",
    "127.0.0.1.",
    "0",
    "0x0",
    "localhost",
    "localhost.",
    "LOCALHOST",
    "any.localhost",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "１２７.0.0.1",
    "①②⑦.0.0.1",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[::127.0.0.1]",
    "[::ffff:10.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[2002:7f00:1::]",
    "[fd00:ec2::254]",
    "[fe80::1%25eth0]",
    "[fe80::1%eth0]",
    "[::1%lo]",
    "[2606:4700::1111%1]",
    "[v1.fe]",
    "[127.0.0.1]",
]

MALFORMED = [
    "",
    "example.com/path",
    "//example.com/",
    "https:example.com",
    "https:/example.com",
    "https://",
    "https:///path",
    "https://:443/",
    "https://?q",
    "ftp://example.com/",
    "file:///etc/passwd",
    "gopher://example.com/",
    "javascript:alert(1)",
    "https://user@example.com/",
    "https://user:password@example.com/",
    "https://example.com@127.0.0.1/",
    "https://127.0.0.1:80@example.com/",
    "https://example.com\\@127.0.0.1/",
    "https://example.com\\.evil.com/",
    "https://exa mple.com/",
    " https://example.com/",
    "https://example.com/\r\nHost: evil",
    "https://example.com/\x00",
    "https://example.com\t/",
    "https://example.com:port/",
    "https://example.com:-1/",
    "https://example.com:99999/",
    "https://example.com:443:443/",
    "https://exam%70le.com/",
    "https://%31%32%37.0.0.1/",
    "https://example..com/",
    "https://.example.com/",
    "https://-example.com/",
    "https://example.com,evil.com/",
    "https://[::1/",
    "https://::1/",
    "https://[::1]evil/",
    "https://example.com/" + "x" * 9000,
    "https://" + "a" * 64 + ".com/",
    "https://" + "a." * 130 + "com/",
    "https://1.2.3.4.5/",
    "https://1.2.3.256/",
    "https://example.0x1/",
    "https://example.1/",
]


@pytest.fixture
def nothing_private(settings):
    settings.EGRESS_ALLOW_NETWORKS = []


def bracketed(text: str) -> str:
    return f"[{text}]" if ":" in text else text


@pytest.mark.usefixtures("nothing_private")
@pytest.mark.parametrize("host", ODD_LOOPBACKS)
@pytest.mark.parametrize("scheme", ["http", "https"])
def test_an_odd_spelling_of_a_private_address_is_refused(scheme, host):
    with pytest.raises(DestinationRefused):
        check_url(f"{scheme}://{host}:8080/hook")


@pytest.mark.usefixtures("nothing_private")
@pytest.mark.parametrize("text", [text for text in REFUSED if "%" not in text])
def test_a_refused_address_is_refused_in_a_url(text):
    with pytest.raises(DestinationRefused, match=r"EGRESS_ALLOW_NETWORKS"):
        check_url(f"https://{bracketed(text)}/")


@pytest.mark.usefixtures("nothing_private")
@pytest.mark.parametrize("text", PUBLIC)
def test_a_public_address_is_accepted_in_a_url(text):
    check_url(f"https://{bracketed(text)}/")


@pytest.mark.parametrize("url", MALFORMED)
def test_a_url_that_could_be_misread_is_refused(url):
    with pytest.raises(DestinationRefused):
        check_url(url)


@pytest.mark.parametrize("port", sorted(BAD_PORTS))
def test_a_port_of_another_protocol_is_refused(port):
    with pytest.raises(DestinationRefused, match=str(port)):
        check_url(f"http://example.com:{port}/")


@pytest.mark.parametrize("port", [80, 443, 81, 591, 3000, 5000, 8000, 8080, 8443, 9000, 10443, 65535])
def test_any_other_port_is_spoken_to(port):
    check_url(f"https://example.com:{port}/")


@pytest.mark.parametrize(
    "url, canonical",
    [
        ("HTTPS://Example.COM", "https://example.com/"),
        ("https://example.com.:443/a?b=c#part", "https://example.com/a?b=c"),
        ("http://example.com:0080?x=1", "http://example.com/?x=1"),
        ("http://example.com:/", "http://example.com/"),
        ("https://bücher.example/ü?ä=ß", "https://xn--bcher-kva.example/%C3%BC?%C3%A4=%C3%9F"),
        ('https://example.com/a b?c="d"&e=[2026-01-01]\'', "https://example.com/a%20b?c=%22d%22&e=[2026-01-01]'"),
        ("https://example.com/%41%2f?x=%zz", "https://example.com/%41%2f?x=%zz"),
        ("https://[2606:4700:0:0::1111]:8443/", "https://[2606:4700::1111]:8443/"),
        ("https://my_host.example.com/", "https://my_host.example.com/"),
        ("https://example.com/@user:x", "https://example.com/@user:x"),
    ],
)
def test_a_url_is_written_canonically(url, canonical):
    assert parse(url).url == canonical
    assert parse(canonical).url == canonical


def test_localhost_and_loopback_are_accepted_where_loopback_is_allowed(settings):
    settings.EGRESS_ALLOW_NETWORKS = [ip_network("127.0.0.0/8")]

    check_url("http://127.0.0.1:8000/")
    check_url("http://localhost:8000/")
    check_url("http://[::ffff:127.0.0.1]:8000/")
    with pytest.raises(DestinationRefused):
        check_url("http://[::1]:8000/")


def test_the_setting_is_read_at_every_call(settings):
    settings.EGRESS_ALLOW_NETWORKS = [ip_network("10.0.0.0/8")]
    check_url("http://10.1.2.3/")

    settings.EGRESS_ALLOW_NETWORKS = []
    with pytest.raises(DestinationRefused, match="private"):
        check_url("http://10.1.2.3/")


@bounded(max_examples=60, deadline=None)
@given(url=st.text(max_size=60) | st.from_regex(r"https?://[^/]{0,30}(/.{0,20})?", fullmatch=True))
def test_any_text_is_a_canonical_destination_or_refused(url):
    try:
        destination = parse(url)
    except DestinationRefused:
        return
    assert destination.url.isascii()
    again = parse(destination.url)
    assert (again.host, again.port, again.target) == (destination.host, destination.port, destination.target)
