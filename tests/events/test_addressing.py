"""Every shape of path in which a callback may arrive names one address, and nothing else names any."""

from __future__ import annotations

from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from events.addressing import MOST_INSTANCES, Address, NoAddress, address
from instances.encryption import new_path_secret

TOKEN = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOP-_0"[:43]
KEY = "connectwisehd"


@pytest.mark.parametrize(
    "path, glued",
    [
        (f"{KEY}/{TOKEN}", ""),
        (f"{KEY}/{TOKEN}/", ""),
        (f"{KEY}/{TOKEN}/more/of/it", ""),
        (f"{KEY}/{TOKEN}&recordId=7601&action=updated", "recordId=7601&action=updated"),
        (f"{KEY}/{TOKEN}/&recordId=7601&action=updated", "recordId=7601&action=updated"),
        (f"{KEY}/{TOKEN}?7601&action=updated", "7601&action=updated"),
        (f"{KEY}/{TOKEN}/more&recordId=7601", "recordId=7601"),
    ],
)
def test_what_the_provider_glues_behind_a_token_is_no_part_of_it(path, glued):
    assert address(path) == Address(element_key=KEY, token=TOKEN, glued=glued)


@pytest.mark.parametrize(
    "name", ["20931", "MjA5MzE=", "MjA5MzE", "MjA5MzE==", "MjA5MzE=/", "20931/further", "20931&recordId=7601"]
)
def test_an_instance_is_named_by_its_number_or_that_in_base64(name):
    assert address(f"{KEY}/{name}").instance_ids == (20931,)


@given(st.integers(min_value=1, max_value=2**63 - 1), st.booleans(), st.booleans())
def test_every_instance_can_be_named_and_is_never_taken_for_a_token(number, in_base64, padded):
    name = b64encode(str(number).encode()).decode() if in_base64 else str(number)
    name = name if padded else name.rstrip("=")

    assert address(f"{KEY}/{name}") == Address(element_key=KEY, instance_ids=(number,))


@pytest.mark.parametrize(
    "name", ["0", "-1", "007", "MA==", "LTE=", "abc", "%%%", "ü", "٣", "\x00", "9223372036854775808", "MjA5MzE=x", "="]
)
def test_what_is_no_instance_id_names_nobody(name):
    with pytest.raises(NoAddress):
        address(f"{KEY}/{name}")


def test_a_token_that_reads_as_a_number_is_a_token_all_the_same():
    for token in ("42".zfill(43), b64encode(b"42".zfill(32)).decode(), "1" * 43):
        assert address(f"{KEY}/{token}") == Address(element_key=KEY, token=token)


def test_tokens_as_we_make_them_are_tokens():
    for _ in range(100):
        token = new_path_secret()
        assert address(f"{KEY}/{token}").token == token


@pytest.mark.parametrize("path", [KEY, f"{KEY}/", f"{KEY}&recordId=7", f"{KEY}?7&action=updated"])
def test_without_a_name_the_header_or_the_content_decides(path):
    assert address(path, instances_header="1, 2,2,x,,3").instance_ids == (1, 2, 3)
    assert address(path).instance_ids == ()
    assert address(path).token == ""
    assert address(path).element_key == KEY


def test_a_header_reaches_so_many_instances_and_no_more():
    many = ",".join(str(number) for number in range(1, 1001))

    assert address(KEY, instances_header=many).instance_ids == tuple(range(1, MOST_INSTANCES + 1))
    with pytest.raises(NoAddress):
        address(KEY, instances_header="none, of, them")


def test_the_path_outranks_the_header():
    assert address(f"{KEY}/7", instances_header="1,2").instance_ids == (7,)


@given(st.text(), st.text())
def test_whatever_comes_has_an_answer(path, header):
    try:
        found = address(path, instances_header=header)
    except NoAddress:
        return
    assert all(0 < number < 2**63 for number in found.instance_ids)
    assert not (found.token and found.instance_ids)
