from __future__ import annotations

import os
import socket
import threading
from ipaddress import ip_address

import pytest

from connectors.egress.resolver import THREADS, Resolver
from connectors.errors import OwnFault, TryLater


def test_answers_come_in_the_order_of_the_name_server():
    resolver = Resolver(lambda _name: ["9.9.9.9", "2620:fe::fe", "8.8.8.8"])

    assert resolver.resolve("a.test", timeout=5) == tuple(map(ip_address, ["9.9.9.9", "2620:fe::fe", "8.8.8.8"]))


def test_an_answer_is_remembered_and_shared():
    asked = []

    def lookup(name: str) -> list[str]:
        asked.append(name)
        return ["9.9.9.9"]

    resolver = Resolver(lookup)
    for _ in range(3):
        resolver.resolve("a.test", timeout=5)
    resolver.resolve("b.test", timeout=5)

    assert asked == ["a.test", "b.test"]


def test_a_name_is_looked_up_once_at_a_time():
    asked, answering = [], threading.Event()

    def lookup(name: str) -> list[str]:
        asked.append(name)
        answering.wait(5)
        return ["9.9.9.9"]

    resolver = Resolver(lookup, remembered_seconds=0)
    futures = [resolver.start("a.test") for _ in range(5)]
    answering.set()

    assert {future.result(5) for future in futures} == {(ip_address("9.9.9.9"),)}
    assert asked == ["a.test"]


def test_a_slow_name_delays_no_other():
    answering = threading.Event()

    def lookup(name: str) -> list[str]:
        if name == "slow.test":
            answering.wait(10)
        return ["9.9.9.9"]

    resolver = Resolver(lookup)
    slow = resolver.start("slow.test")

    assert resolver.resolve("quick.test", timeout=5)
    with pytest.raises(TryLater, match=r"slow\.test could not be found in time"):
        resolver.resolve("slow.test", timeout=0.01)
    assert not slow.done()
    answering.set()
    assert slow.result(5)


@pytest.mark.parametrize("answer", [[], ["nonsense"], OSError(-3, "Try again")])
def test_no_answer_is_something_to_try_later(answer: list[str] | OSError):
    def lookup(_name: str) -> list[str]:
        if isinstance(answer, OSError):
            raise answer
        return answer

    with pytest.raises(TryLater, match=r"The address of a\.test could not be found"):
        Resolver(lookup).resolve("a.test", timeout=5)


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system cannot fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_fork_looks_up_for_itself():
    resolver = Resolver(lambda _name: ["9.9.9.9"], remembered_seconds=0)
    for number in range(THREADS + 1):  # the child has none of the parent's threads
        resolver.resolve(f"{number}.test", timeout=5)

    child = os.fork()
    if child == 0:
        try:
            os._exit(0 if resolver.resolve("a.test", timeout=5) else 1)
        finally:
            os._exit(2)

    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_a_name_server_that_answers_nothing_is_ours_until_it_answers_for_another_name():
    answering = threading.Event()

    def lookup(name: str) -> list[str]:
        if name == "slow.test":
            answering.wait(10)
        if name == "none.test":
            raise socket.gaierror(socket.EAI_NONAME, "no such name")
        raise socket.gaierror(socket.EAI_AGAIN, "try again")

    resolver = Resolver(lookup, remembered_seconds=0)
    kinds = []
    for name, timeout in (("a.test", 5), ("slow.test", 0.01), ("none.test", 5), ("a.test", 5), ("slow.test", 0.01)):
        with pytest.raises(TryLater) as failed:
            resolver.resolve(name, timeout=timeout)
        kinds.append(type(failed.value))
    answering.set()

    assert kinds == [OwnFault, OwnFault, TryLater, TryLater, TryLater]
