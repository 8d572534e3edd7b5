"""How states look: a word in a pill. The colour repeats what the word says, for those who see colours."""

from __future__ import annotations

from django.utils.html import format_html
from django.utils.safestring import SafeString

from instances.console.home import BAD, GOOD, PLAIN, WARNING

TONES = {
    # Instances.
    "ready": GOOD,
    "needs attention": BAD,
    "disabled": PLAIN,
    "registrations incomplete": WARNING,
    "on": GOOD,
    "off": PLAIN,
    # Deliveries and events.
    "delivered": GOOD,
    "pending": PLAIN,
    "queued": WARNING,
    "abandoned": BAD,
    "new": PLAIN,
    "notified": GOOD,
    # Subscriptions and circuits.
    "active": GOOD,
    "deactivated": BAD,
    "closed": GOOD,
    "open": BAD,
    "recovering": WARNING,
    "paused": WARNING,
    # Replays, jobs, bulk downloads.
    "running": PLAIN,
    "finished": GOOD,
    "completed": GOOD,
    "success": GOOD,
    "cancelled": PLAIN,
    "failed": BAD,
    "error": BAD,
    # Registrations and callbacks.
    "missing": WARNING,
    "refused": BAD,
    "waiting": PLAIN,
    "parked": WARNING,
    "done": GOOD,
    # Pollers.
    "polling": GOOD,
    "behind": WARNING,
    "failing": WARNING,
    "stopped": BAD,
}


def badge(text: object, tone: str = "") -> SafeString:
    """The pill of a state. Without a tone, that of the word; PLAIN for words that are not in TONES."""
    word = str(text)
    return format_html(
        '<span class="console-badge is-{}">{}</span>',
        tone or TONES.get(word.lower(), PLAIN),
        word[:1].upper() + word[1:],
    )
