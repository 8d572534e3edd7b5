"""What `events` tells the app to its left."""

from __future__ import annotations

from django.dispatch import Signal

# Argument: instance_ids (list[int]). Callbacks of these instances may have been lost: their reconciling polls should
# come soon. Sent inside the transaction that says so.
polls_wanted = Signal()
