"""What the apps have to say about one instance on its page, and about what happens when it is switched off or deleted.

An app adds what it knows in the modules that its `admin.py` imports:

    @overview.troubles
    def stopped_pollers(instance: Instance) -> list[Trouble]: ...
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from instances.console.home import BAD, Figure
from instances.models import Instance

Stop = Literal["switch off", "disable", "delete"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """Something is in the way, and what to do about it."""

    title: str
    order: int
    said: str = ""
    """By the provider or the receiver, in its own words."""
    advice: str = ""
    url: str = ""
    """Where it can be done; `action` says what."""
    action: str = ""
    tone: str = BAD


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """One line of the list of facts. `value` is text, or SafeString made by `format_html`."""

    label: str
    value: object
    order: int
    note: str = ""
    """A few words below it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A small table of the latest, with the tab behind it."""

    name: str
    """Its id on the page."""
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[object]]
    """Each cell text, or SafeString."""
    order: int
    url: str
    empty: str
    """What to say where there is none."""


TroublesOf = Callable[[Instance], Iterable[Trouble]]
FactsOf = Callable[[Instance], Iterable[Fact]]
NumbersOf = Callable[[Instance], Iterable[Figure]]
PanelsOf = Callable[[Instance], Iterable[Panel]]
ConsequencesOf = Callable[[Instance, Stop], Iterable[str]]
_troubles: list[TroublesOf] = []
_facts: list[FactsOf] = []
_numbers: list[NumbersOf] = []
_panels: list[PanelsOf] = []
_consequences: list[ConsequencesOf] = []


def troubles(asked: TroublesOf) -> TroublesOf:
    _troubles.append(asked)
    return asked


def facts(asked: FactsOf) -> FactsOf:
    _facts.append(asked)
    return asked


def numbers(asked: NumbersOf) -> NumbersOf:
    """Of the last 24 hours, or of this moment."""
    _numbers.append(asked)
    return asked


def panels(asked: PanelsOf) -> PanelsOf:
    _panels.append(asked)
    return asked


def consequences(asked: ConsequencesOf) -> ConsequencesOf:
    """Sentences for those who are about to do it."""
    _consequences.append(asked)
    return asked


def troubles_of(instance: Instance) -> list[Trouble]:
    return sorted((one for asked in _troubles for one in asked(instance)), key=lambda one: one.order)


def facts_of(instance: Instance) -> list[Fact]:
    return sorted((one for asked in _facts for one in asked(instance)), key=lambda one: one.order)


def numbers_of(instance: Instance) -> list[Figure]:
    return sorted((one for asked in _numbers for one in asked(instance)), key=lambda one: one.order)


def panels_of(instance: Instance) -> list[Panel]:
    return sorted((one for asked in _panels for one in asked(instance)), key=lambda one: one.order)


def consequences_of(instance: Instance, stop: Stop) -> list[str]:
    return [one for asked in _consequences for one in asked(instance, stop)]
