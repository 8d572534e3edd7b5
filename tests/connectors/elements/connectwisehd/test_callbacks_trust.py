"""Whose a callback is: the account it may be from, and where its key may be fetched."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.callbacks import CallbackRefused, InboundCallback
from tests.connectors.elements.connectwisehd.bodies import (
    CALLBACKS,
    CLOUD,
    KEY_PATH,
    changed,
    connection,
    inbound,
    payload,
    with_key_url,
)

OWN = f"{CLOUD}{KEY_PATH}?companyName=acme&id=e17e6674"
SECRET = "canary-of-the-query"


def refusal_of(callback: InboundCallback, **account) -> str:
    with pytest.raises(CallbackRefused) as refused:
        CALLBACKS.key_url(callback, connection(**account))
    return str(refused.value)


# Where the key is


def test_the_recorded_address_is_used_as_it_is_with_its_double_slash():
    url = json.loads(payload("contact_updated"))["Metadata"]["key_url"]
    assert "//system/" in url

    assert CALLBACKS.key_url(inbound(payload("contact_updated")), connection()) == url


@pytest.mark.parametrize(
    "server, key_url",
    [
        ("sandbox-na.myconnectwise.net", OWN),
        ("https://api-sandbox-na.myconnectwise.net", OWN),
        ("https://SANDBOX-NA.myconnectwise.net/v4_6_release/", OWN),
        ("https://sandbox-na.myconnectwise.net.", OWN),
        (CLOUD, OWN.replace("sandbox", "api-sandbox")),
        (CLOUD, OWN.replace("https://sandbox", "HTTPS://Sandbox")),
        (CLOUD, OWN.replace(".net/", ".net:443/")),
        (CLOUD, OWN.replace(".net/", ".net./")),
        (CLOUD, f"  {OWN} "),
        (CLOUD, OWN.replace("acme", "ACME")),
        (CLOUD, OWN.replace("companyName", "companyname")),
        (CLOUD, OWN.replace("/system/callbackkey", "/System/CallbackKey")),
        ("https://psa.acme.example", OWN.replace("sandbox-na.myconnectwise.net", "psa.acme.example")),
        ("https://psa.acme.example:8443", OWN.replace("sandbox-na.myconnectwise.net", "psa.acme.example:8443")),
        ("http://127.0.0.1:8101", f"http://127.0.0.1:8101{KEY_PATH}?companyName=acme&id=1"),
        ("http://[::1]:8101", f"http://[0:0::1]:8101{KEY_PATH}?companyName=acme&id=1"),
        ("https://bücher.example", f"https://xn--bcher-kva.example{KEY_PATH}?companyName=acme&id=1"),
    ],
)
def test_the_own_server_is_known_under_all_its_spellings(server, key_url):
    found = CALLBACKS.key_url(with_key_url(key_url), connection(server))

    assert "//system/callbackkey" in found.lower()
    assert "@" not in found


@pytest.mark.parametrize("company", ["acme", " Acme ", "ACME"])
def test_companies_are_compared_without_letter_case(company):
    assert CALLBACKS.key_url(with_key_url(OWN), connection(company=company)) == OWN


def test_an_escaped_company_is_read_before_it_is_compared():
    callback = with_key_url(OWN.replace("acme", "R%26D+S%C3%BCd"), CompanyId="r&d süd")

    assert CALLBACKS.key_url(callback, connection(company="R&D Süd"))


@pytest.mark.parametrize("name", ["Metadata", "metadata", "METADATA"])
def test_the_metadata_are_found_in_any_letter_case(name):
    callback = inbound(changed("contact_updated", Metadata=...) | {name: {"Key_Url": OWN}})

    assert CALLBACKS.key_url(callback, connection()) == OWN


HOSTILE = [
    "https://evil.example" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net@evil.example" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net:x@evil.example" + KEY_PATH,
    "https://evil.example@sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://user:password@sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net%40evil.example" + KEY_PATH,
    "https://evil.example#@sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://evil.example?@sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://evil.example\\@sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net\\@evil.example" + KEY_PATH,
    "https:\\\\sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net\\.evil.example" + KEY_PATH,
    "https:/sandbox-na.myconnectwise.net" + KEY_PATH,
    "https:sandbox-na.myconnectwise.net" + KEY_PATH,
    "//sandbox-na.myconnectwise.net" + KEY_PATH,
    "sandbox-na.myconnectwise.net" + KEY_PATH,
    KEY_PATH,
    "http://sandbox-na.myconnectwise.net" + KEY_PATH,
    "http://sandbox-na.myconnectwise.net:443" + KEY_PATH,
    "ftp://sandbox-na.myconnectwise.net" + KEY_PATH,
    "file:///etc/system/callbackkey",
    "gopher://sandbox-na.myconnectwise.net" + KEY_PATH,
    "javascript://sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net:8443" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net:80" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net:0443x" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net:99999" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net:22" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net..evil.example" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net.." + KEY_PATH,
    "https://sandbox-na.myconnectwise.net.evil.example" + KEY_PATH,
    "https://evil-sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://api-api-sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://api-evil.sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://na.myconnectwise.net" + KEY_PATH,
    "https://myconnectwise.net" + KEY_PATH,
    "https://sandbox-na.myconnectwise.com" + KEY_PATH,
    "https://sandbox-na.myconnectwіse.net" + KEY_PATH,  # a Cyrillic letter
    "https://xn--sandbox-na.myconnectwise.net" + KEY_PATH,
    "https://sandbox%2Dna.myconnectwise.net" + KEY_PATH,
    "https://%73andbox-na.myconnectwise.net" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net%00.evil.example" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net\u0000.evil.example" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net\r\nHost: evil.example" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net\t" + KEY_PATH,
    "https://sandbox-na.myconnectwise.net evil.example" + KEY_PATH,
    "https://[::1]" + KEY_PATH,
    "https://[::ffff:127.0.0.1]" + KEY_PATH,
    "https://[fe80::1%25eth0]" + KEY_PATH,
    "https://127.0.0.1" + KEY_PATH,
    "https://2130706433" + KEY_PATH,
    "https://0x7f.1" + KEY_PATH,
    "https://169.254.169.254" + KEY_PATH,
    "https://localhost" + KEY_PATH,
    "https://" + KEY_PATH,
    "https://" + "a" * 9000 + KEY_PATH,
    "https://evil.example/https://sandbox-na.myconnectwise.net" + KEY_PATH,
]


@pytest.mark.parametrize("url", HOSTILE)
def test_no_other_server_is_asked_for_a_key(url):
    reason = refusal_of(with_key_url(f"{url}?companyName=acme&id={SECRET}"))

    assert "key_url" in reason
    assert SECRET not in reason
    assert len(reason) < 300
    assert reason.isprintable()


def test_the_refusal_of_another_host_names_both():
    callback = with_key_url(f"https://evil.example{KEY_PATH}?companyName=acme")

    assert refusal_of(callback, server="na.myconnectwise.net") == (
        "key_url names the host evil.example, which is not the instance's own (na.myconnectwise.net)"
    )


@pytest.mark.parametrize(
    "server, host",
    [
        ("https://psa.acme.example", "api-psa.acme.example"),
        ("https://api-psa.acme.example", "psa.acme.example"),
        ("https://acme.co.uk", "api-acme.co.uk"),
        ("https://acme.duckdns.org", "api-acme.duckdns.org"),
        ("https://myconnectwise.net", "api-myconnectwise.net"),
        ("https://evilmyconnectwise.net", "api-evilmyconnectwise.net"),
        ("https://psa.evilmyconnectwise.net", "api-psa.evilmyconnectwise.net"),
    ],
)
def test_beyond_the_cloud_a_name_has_no_sibling(server, host):
    reason = refusal_of(with_key_url(f"https://{host}{KEY_PATH}?companyName=acme"), server=server)

    assert reason.startswith(f"key_url names the host {host}, which is not the instance's own")


@pytest.mark.parametrize(
    "server, url",
    [
        ("http://127.0.0.1:8101", f"https://127.0.0.1:8101{KEY_PATH}?companyName=acme"),
        ("http://127.0.0.1:8101", f"http://127.0.0.1:8102{KEY_PATH}?companyName=acme"),
        ("http://127.0.0.1:8101", f"http://127.0.0.2:8101{KEY_PATH}?companyName=acme"),
        ("http://127.0.0.1:8101", f"http://localhost:8101{KEY_PATH}?companyName=acme"),
        ("https://127.0.0.1:8101", f"http://127.0.0.1:8101{KEY_PATH}?companyName=acme"),
    ],
)
def test_scheme_host_and_port_are_all_the_own_ones(server, url):
    assert "key_url" in refusal_of(with_key_url(url), server=server)


@pytest.mark.parametrize(
    "path",
    [
        "",
        "/",
        "/v2025_1/system/callbacks",
        "/v2025_1/system/callbackkeys/x",
        "/v2025_1/xsystem/callbackkey",
        "/v2025_1/system/x/callbackkey",
        "/files/show?path=/system/callbackkey",
        "/v2025_1/system/callbackkey/../../files/7",
        "/v2025_1/system/callbackkey/%2e%2e/%2e%2e/files/7",
        "/v2025_1/system%2Fcallbackkey",
        "/v2025_1/system\\callbackkey",
        "/files/7;/system/callbackkey",
        "/v2025_1/./system/callbackkey",
        "/ſystem/callbackkey",
        "/%00/system/callbackkey",
    ],
)
def test_only_the_keys_of_callbacks_are_asked_for(path):
    url = f"{CLOUD}{path}{'&' if '?' in path else '?'}companyName=acme&id={SECRET}"

    assert refusal_of(with_key_url(url)) == "key_url does not lead to the keys of callbacks (/system/callbackkey)"


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?id=1",
        "?companyName=",
        "?companyName=globex",
        "?companyName=acme2&id=1",
        "?company=acme",
        "?x=companyName%3Dacme",
        "?companyName=acme&companyName=globex",
        "?companyName=globex&companyName=acme",
        "?companyName=acme&CompanyName=globex",
        "?companyName=acme&companyname%00=globex",
        "?companyName=acme&+companyName=globex",
        "?companyName=acme&companyName[]=globex",
        "?companyName[]=acme",
        "?companyName=acme%00",
        "?companyName=acme;companyName=globex",
        "?companyName=globex#?companyName=acme",
        "?companyName=%ff",
        "?" + "&".join(f"x{number}=1" for number in range(60)) + "&companyName=acme",
    ],
)
def test_the_key_is_that_of_the_own_company(query):
    reason = refusal_of(with_key_url(f"{CLOUD}{KEY_PATH}{query}"))

    assert reason == "key_url names another company than the instance's, or none"


def test_recorded_forgeries_are_refused():
    assert "callbackkeys.example" in refusal_of(inbound(payload("key_url_elsewhere")))
    assert "another company" in refusal_of(inbound(payload("key_url_of_another_company")))


@pytest.mark.parametrize("company_id", ["globex", "", "acme2", 7, ["acme"], {"acme": 1}])
def test_the_body_is_the_own_companys_where_it_says_whose_it_is(company_id):
    assert refusal_of(with_key_url(OWN, CompanyId=company_id)) == "CompanyId names another company than the instance's"


@pytest.mark.parametrize("company_id", ["acme", " ACME ", None, ...])
def test_a_body_need_not_say_whose_it_is(company_id):
    assert CALLBACKS.key_url(with_key_url(OWN, CompanyId=company_id), connection()) == OWN


@pytest.mark.parametrize(
    "body, reason",
    [
        (b"", "the body is not JSON, or not all of it"),
        (b"\xff", "the body is not UTF-8"),
        (b"[]", "the body is no JSON object"),
        (b"[" * 100_000, "the body is nested too deeply"),
        ({}, "the body names no key_url, so nothing proves whose it is"),
        (changed("contact_updated", Metadata=None), "the body names no key_url"),
        (changed("contact_updated", Metadata=[OWN]), "the body names no key_url"),
        (changed("contact_updated", Metadata=OWN), "the body names no key_url"),
        (changed("contact_updated", Metadata={}), "the body names no key_url"),
        (changed("contact_updated", Metadata={"key_url": None}), "the body names no key_url"),
        (changed("contact_updated", Metadata={"key_url": " "}), "the body names no key_url"),
        (changed("contact_updated", Metadata={"key_url": [OWN]}), "the body names no key_url"),
        (changed("contact_updated", Metadata={"key_url": "\ud800"}), "key_url cannot be used"),
    ],
)
def test_a_body_that_names_no_key_proves_nothing(body, reason):
    assert reason in refusal_of(inbound(body))


@pytest.mark.parametrize(
    "server", ["", "   ", "ftp://na.myconnectwise.net", "https://", "https://u:p@na.myconnectwise.net"]
)
def test_an_instance_without_a_server_trusts_nobody(server):
    reason = refusal_of(with_key_url(OWN), server=server)

    assert reason.startswith("the instance's own server is not known: ")
    assert "u:p" not in reason


@pytest.mark.parametrize("company", ["", "  "])
def test_an_instance_without_a_company_trusts_nobody(company):
    callback = with_key_url(f"{CLOUD}{KEY_PATH}?companyName={company.strip()}", CompanyId=...)

    assert refusal_of(callback, company=company) == "the instance names no company"


own_words = st.sampled_from(["sandbox-na.myconnectwise.net", "https://", KEY_PATH, "?companyName=acme", "@", ":", "\\"])


@given(st.lists(own_words | st.text(st.characters(codec=None), max_size=3), max_size=8).map("".join))
def test_whatever_key_url_says_only_the_own_host_is_answered(text):
    try:
        found = CALLBACKS.key_url(with_key_url(text), connection())
    except CallbackRefused as refused:
        assert str(refused).isprintable()  # noqa: PT017 (most texts are refused, some are not)
        return
    assert found.startswith((f"{CLOUD}/", CLOUD.replace("sandbox", "api-sandbox") + "/"))


# Which accounts it may be from


@pytest.mark.parametrize(
    "server",
    [
        "sandbox-na.myconnectwise.net",
        "https://sandbox-na.myconnectwise.net/",
        "https://api-sandbox-na.myconnectwise.net",
        "api-sandbox-na.myconnectwise.net/v4_6_release",
        "http://sandbox-na.myconnectwise.net",
    ],
)
@pytest.mark.parametrize("company", ["acme", "ACME"])
@pytest.mark.parametrize("name", ["contact_updated", "company_updated_2019"])
def test_the_account_is_found_by_host_and_company(server, company, name):
    assert connection(server, company=company).account() in CALLBACKS.accounts(inbound(payload(name)))


@pytest.mark.parametrize("members", [{"FromUrl": ...}, {"Metadata": ...}, {"FromUrl": 7}, {"Metadata": {"key_url": 7}}])
def test_either_address_is_enough_to_find_the_account(members):
    assert connection().account() in CALLBACKS.accounts(inbound(changed("contact_updated", **members)))


def test_the_company_of_the_key_finds_the_account_of_a_body_that_names_none():
    assert connection().account() in CALLBACKS.accounts(inbound(changed("contact_updated", CompanyId=...)))


@pytest.mark.parametrize("from_url", ["127.0.0.1:8101", "http://127.0.0.1:8101", "127.0.0.1", ""])
def test_a_server_on_a_port_of_its_own_is_found(from_url):
    key_url = f"http://127.0.0.1:8101{KEY_PATH}?companyName=acme&id=1"

    found = CALLBACKS.accounts(with_key_url(key_url, FromUrl=from_url))

    assert connection("http://127.0.0.1:8101").account() in found


@pytest.mark.parametrize("server, company", [("https://na.myconnectwise.net", "acme"), (CLOUD, "globex")])
def test_other_accounts_are_not_found(server, company):
    callback = inbound(payload("contact_updated"))

    assert connection(server, company=company).account() not in CALLBACKS.accounts(callback)


@pytest.mark.parametrize("body", [b"", b"[]", b"\xff", {}, {"CompanyId": "acme"}, {"FromUrl": "na.myconnectwise.net"}])
def test_a_body_that_names_nobody_is_from_nobody(body):
    assert CALLBACKS.accounts(inbound(body)) == ()


@given(
    st.dictionaries(
        st.sampled_from(["CompanyId", "FromUrl", "Metadata"]), st.text(st.characters(codec=None)) | st.none()
    )
)
def test_no_body_names_many_accounts(members):
    assert len(CALLBACKS.accounts(inbound(changed("contact_updated", **members)))) <= 16
