"""Storing a callback: one statement that finds the inbox, decides, and keeps what came.

What is unknown costs the same statement and leaves no row.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from django.conf import settings
from django.db import IntegrityError

from events.addressing import MOST_INSTANCES
from events.impatient import fetch_within
from instances.encryption import fingerprint

STORED, CLOSED, EMPTY, REFUSED, FULL = "stored", "closed", "empty", "refused", "full"

GUESSABLE_PART = 20
"""Only this part of what may wait can come to addresses that anybody guesses: no stranger fills up an inbox."""
_SHARE = 8
"""One process stores this part of what may still wait before it counts again."""
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """A callback as it is to be kept."""

    method: str
    query: str = field(repr=False)
    content_type: str
    signature: str = field(repr=False)
    body: bytes = field(repr=False)
    unsigned_reason: str
    """Why an inbox that wants a signature refuses it; empty for what is signed."""
    is_empty: bool = False
    """Neither body nor query say anything: a browser or a health check asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of it at one instance."""

    instance_id: int | None
    """None once the instance is gone."""
    result: str
    """STORED; CLOSED: nobody wants it; EMPTY: without a body it is no callback; REFUSED: counted, not stored;
    FULL: too many wait."""


def for_token(received: Received, *, element_key: str, token: str) -> list[Outcome]:
    """Store it at the inbox with this token. An empty list: there is none. Raises Django's database errors."""
    limit = settings.CALLBACKS_WAITING_LIMIT
    return _store(
        _OF_TOKEN, received, element_key=element_key, owner=fingerprint(token), limit=limit, is_allowed_uncounted=True
    )


def for_instances(received: Received, *, element_key: str, instance_ids: Sequence[int]) -> list[Outcome]:
    """Store it at these instances, as far as they are known. Raises Django's database errors."""
    limit = _guessable_limit()
    return _store(_OF_INSTANCES, received, element_key=element_key, owner=list(instance_ids), limit=limit)


def for_accounts(received: Received, *, element_key: str, accounts: Sequence[str]) -> list[Outcome]:
    """Store it at every open inbox of these provider accounts. Raises Django's database errors."""
    limit = _guessable_limit()
    return _store(_OF_ACCOUNTS, received, element_key=element_key, owner=list(accounts), limit=limit)


def instances_of_token(*, element_key: str, token: str) -> list[int]:
    """The instance whose open inbox has this token, if any. Raises Django's database errors."""
    values = {"owner": fingerprint(token), "element_key": element_key}
    return [instance_id for (instance_id,) in fetch_within(settings.CALLBACK_STORE_SECONDS, _FIND, values)]


def _guessable_limit() -> int:
    return max(1, int(settings.CALLBACKS_WAITING_LIMIT) // GUESSABLE_PART)


def _store(
    statement: str,
    received: Received,
    *,
    element_key: str,
    owner: Any,
    limit: int,
    is_allowed_uncounted: bool = False,
) -> list[Outcome]:
    # Strangers choose what guessable addresses look like, so these have no allowance: each time it is counted.
    key = b""
    if is_allowed_uncounted:
        key = hashlib.sha256(repr((element_key, owner)).encode("utf-8", "surrogatepass")).digest()
    unchecked = _unchecked.get(key, 0)
    values = {
        "owner": owner,
        "element_key": element_key,
        "is_counting": unchecked <= 0,
        "limit": limit,
        "is_empty": received.is_empty,
        "is_bodiless": not received.body,
        "is_signed": not received.unsigned_reason,
        "method": received.method,
        "query": received.query,
        "content_type": received.content_type,
        "signature": received.signature,
        "body": received.body,
        "reason": received.unsigned_reason,
        "most": MOST_INSTANCES,
    }
    try:
        rows = fetch_within(settings.CALLBACK_STORE_SECONDS, statement, values)
    except IntegrityError:
        # The instance was deleted while we stored: it is gone now.
        rows = fetch_within(settings.CALLBACK_STORE_SECONDS, statement, values)
    if key and len(rows) == 1 and rows[0][1] == STORED:
        _note(key, unchecked - 1 if unchecked > 0 else (limit - rows[0][2]) // _SHARE)
    return [Outcome(instance_id=instance_id, result=result) for instance_id, result, _ in rows]


def _note(key: bytes, unchecked: int) -> None:
    if len(_unchecked) >= _MOST_REMEMBERED:
        _unchecked.clear()
    _unchecked[key] = unchecked


_unchecked: dict[bytes, int] = {}
"""How many callbacks may come to an address before those that wait are counted again: counting costs with each."""

# The rows that refuse are locked in order, so that two requests to the same instances do not wait for each other.
_STORE = """
WITH addressed AS (
    SELECT inbox.id, inbox.instance_id, inbox.is_open, inbox.accepts_unsigned, (
        SELECT count(*) FROM (
            SELECT FROM events_callback AS waiting
            WHERE %(is_counting)b AND waiting.instance_id = inbox.instance_id AND waiting.state = 'waiting'
            LIMIT %(limit)b
        ) AS counted
    ) AS waiting
    FROM events_inbox AS inbox
    WHERE inbox.element_key = %(element_key)b AND {found}
), decided AS MATERIALIZED (
    SELECT id, instance_id, waiting, CASE
        WHEN instance_id IS NULL OR NOT is_open THEN 'closed'
        WHEN %(is_empty)b OR (%(is_bodiless)b AND accepts_unsigned) THEN 'empty'
        WHEN NOT (%(is_signed)b OR accepts_unsigned) THEN 'refused'
        WHEN waiting >= %(limit)b THEN 'full'
        ELSE 'stored' END AS result
    FROM addressed
), stored AS (
    INSERT INTO events_callback
        (instance_id, state, reason, method, query, content_type, signature, body, message_id, attempts_made, epoch)
    SELECT instance_id, 'waiting', '', %(method)b, %(query)b, %(content_type)b, %(signature)b, %(body)b, '', 0, 0
    FROM decided WHERE result = 'stored'
), refused AS (
    UPDATE events_inbox AS inbox SET refused_count = inbox.refused_count + 1,
        last_refused_at = statement_timestamp(), last_refused_reason = %(reason)b
    FROM (
        SELECT locked.id FROM events_inbox AS locked
        WHERE locked.id IN (SELECT id FROM decided WHERE result = 'refused') ORDER BY locked.id FOR NO KEY UPDATE
    ) AS due
    WHERE inbox.id = due.id
)
SELECT instance_id, result, waiting FROM decided
"""

_FIND = """
SELECT instance_id FROM events_inbox
WHERE token_hash = %(owner)b AND element_key = %(element_key)b AND is_open AND instance_id IS NOT NULL
"""
_OF_TOKEN = _STORE.format(found="inbox.token_hash = %(owner)b")
_OF_INSTANCES = _STORE.format(found="inbox.instance_id = ANY(%(owner)b::bigint[])")
_OF_ACCOUNTS = _STORE.format(
    found="""inbox.is_open AND inbox.instance_id IN (
        SELECT id FROM instances_instance WHERE provider_account = ANY(%(owner)b::varchar[])
    ) ORDER BY inbox.id LIMIT %(most)b"""
)
