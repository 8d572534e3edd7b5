"""What kinds of failure there are, in words for people who never saw an HTTP status."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from events.models import DeliveryAttempt
from events.retries import ErrorClass
from instances.console.home import BAD, GOOD, PLAIN


@dataclass(frozen=True, slots=True)
class Words:
    short: str
    what_to_do: str


ERRORS: Mapping[ErrorClass, Words] = {
    ErrorClass.HTTP_5XX: Words("Receiver failed", "The receiver answered that something went wrong on its side."),
    ErrorClass.HTTP_4XX: Words(
        "Receiver refused it",
        "The receiver answered, and does not take it. See its answer; the callback URL or its access may be wrong.",
    ),
    ErrorClass.TIMEOUT: Words(
        "No answer in time", "The receiver must answer sooner: take the notification first, and work on it afterwards."
    ),
    ErrorClass.CONNECT: Words("No connection", "Nobody listens there, or a firewall is between: is the receiver up?"),
    ErrorClass.DNS: Words("Host name not found", "Look for a typing error in the host name of the callback URL."),
    ErrorClass.TLS: Words("Certificate not accepted", "Its certificate has to be valid for its host name."),
    ErrorClass.REDIRECT: Words(
        "Answered with a redirect", "Redirects are not followed: enter the address it leads to."
    ),
    ErrorClass.PROTOCOL: Words("Answer not understood", "What answers there does not speak HTTP as it should."),
    ErrorClass.REFUSED_DESTINATION: Words(
        "Address not allowed",
        "The callback URL leads into a private network. Who runs the platform can allow it.",
    ),
    ErrorClass.INTERNAL: Words("Our own fault", "It costs the receiver no attempt, and is tried again within minutes."),
}
SUCCESS = Words("Taken", "The receiver took it.")


def words_of(attempt: DeliveryAttempt) -> Words:
    error_class = ErrorClass(attempt.error_class)
    return SUCCESS if error_class == ErrorClass.NONE else ERRORS[error_class]


def said(attempt: DeliveryAttempt) -> str:
    """`Receiver failed (HTTP 503)`."""
    short = words_of(attempt).short
    return f"{short} (HTTP {attempt.status})" if attempt.status else short


def tone_of(attempt: DeliveryAttempt) -> str:
    if not attempt.error_class:
        return GOOD
    return PLAIN if attempt.error_class == ErrorClass.INTERNAL else BAD
