from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.errors import RequestRefused
from connectors.vendors.connectwise_hosts import api_sibling, server_origin, sibling_hosts


@pytest.mark.parametrize(
    ("text", "origin"),
    [
        ("https://api-na.myconnectwise.net", "https://api-na.myconnectwise.net"),
        ("api-na.myconnectwise.net", "https://api-na.myconnectwise.net"),
        ("sample.connectwisedev.com/", "https://sample.connectwisedev.com"),
        (" HTTPS://NA.MyConnectWise.Net/v2025_1/services/x.rails?a=b#c ", "https://na.myconnectwise.net"),
        ("na.myconnectwise.net/v4_6_release/apis/3.0", "https://na.myconnectwise.net"),
        ("https://cw.acme.example:443/", "https://cw.acme.example"),
        ("cw.acme.example:8443/x", "https://cw.acme.example:8443"),
        ("cw.acme.example.", "https://cw.acme.example"),
        ("https://bücher.example", "https://xn--bcher-kva.example"),
        # Credentials do not go in clear beyond one's own network.
        ("http://api-cloudelements.connectwisedev.com", "https://api-cloudelements.connectwisedev.com"),
        ("http://cw.acme.example:80/", "https://cw.acme.example"),
        ("http://cw.acme.example:8080", "https://cw.acme.example:8080"),
        ("http://127.0.0.1:9/", "http://127.0.0.1:9"),
        ("http://192.168.1.5", "http://192.168.1.5"),
        ("http://[::1]:8080/x", "http://[::1]:8080"),
        ("http://[::1]:80", "http://[::1]"),
        ("http://localhost:8000", "http://localhost:8000"),
        ("http://cwserver", "http://cwserver"),
        ("cwserver", "https://cwserver"),
        ("127.0.0.1:9", "https://127.0.0.1:9"),
    ],
)
def test_server_is_scheme_host_and_port(text, origin):
    assert server_origin(text, key="server.url") == origin


@pytest.mark.parametrize(
    "text",
    [
        "",
        " ",
        "/",
        "https://",
        "https:///x",
        "http:cw.example.com",
        "https:/cw.example.com",
        "ftp://cw.example.com",
        "javascript://cw.example.com",
        "cw.example.com:99999",
        "cw.example.com:port",
        "https://[::1",
        "cw..example.com",
        "cw example.com",
        "cw.example.com\\@evil.example",
        "cw%2eexample.com",
        "https://jsmith:word@cw.example.com",
    ],
)
def test_what_is_no_server_is_refused_by_the_name_of_the_entry(text):
    with pytest.raises(RequestRefused, match=r"^server\.url "):
        server_origin(text, key="server.url")


@given(st.text(st.sampled_from("ahtps:/.@-[]0189 #?\\ü"), max_size=24))
def test_any_text_is_a_plain_origin_or_refused(text):
    try:
        origin = server_origin(text, key="server.url")
    except RequestRefused:
        return
    assert server_origin(origin, key="server.url") == origin
    assert not set(origin.partition("://")[2]) & set("/@?#\\ ")


@pytest.mark.parametrize(
    ("origin", "sibling"),
    [
        ("https://na.myconnectwise.net", "https://api-na.myconnectwise.net"),
        ("https://sample.connectwisedev.com:8443", "https://api-sample.connectwisedev.com:8443"),
        ("https://api-na.myconnectwise.net", None),
        ("https://myconnectwise.net", None),
        ("https://cw.acme.example", None),
        ("https://na.myconnectwise.net.evil.example", None),
        ("https://evilmyconnectwise.net", None),
        ("https://na.evilmyconnectwise.net", None),
        ("http://127.0.0.1:9", None),
        (f"https://{'a' * 62}.myconnectwise.net", None),
    ],
)
def test_only_the_cloud_has_a_host_for_programs_beside(origin, sibling):
    assert api_sibling(origin) == sibling


@pytest.mark.parametrize(
    ("host", "sibling"),
    [
        ("na.myconnectwise.net", "api-na.myconnectwise.net"),
        ("api-na.myconnectwise.net", "na.myconnectwise.net"),
        ("API-NA.MyConnectWise.Net.", "na.myconnectwise.net"),
        ("sample.connectwisedev.com", "api-sample.connectwisedev.com"),
    ],
)
def test_hosts_of_the_cloud_have_a_sibling(host, sibling):
    own = host.lower().removesuffix(".")

    assert sibling_hosts(host) == {own, sibling}
    assert sibling_hosts(sibling) == {own, sibling}


@pytest.mark.parametrize(
    "host",
    [
        "localhost",
        "acme.com",
        "cw.acme.example",
        "api-cw.acme.co.uk",
        "myconnectwise.net",
        "na.myconnectwise.net.evil.example",
        "evilmyconnectwise.net",
        "127.0.0.1",
        "::1",
        "api-.myconnectwise.net",
        f"{'a' * 62}.myconnectwise.net",
        "",
    ],
)
def test_others_have_themselves_only(host):
    assert sibling_hosts(host) == {host}
