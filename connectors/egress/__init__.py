"""The egress door: everything that Switchyard sends goes through here, and private networks stay out of reach.

`fetch` is for one request at a time (providers), `Sender` for many at once (callbacks).
"""

from connectors.egress.deadlines import deadline
from connectors.egress.destinations import check_url
from connectors.egress.exchange import Answer, fetch
from connectors.egress.outbound import OutboundRequest, Outcome
from connectors.egress.reach import can_reach
from connectors.egress.resolver import Resolver
from connectors.egress.sender import Sender
from connectors.egress.statuses import raise_for_status
from connectors.egress.watching import SentRequest, watched

__all__ = [
    "Answer",
    "OutboundRequest",
    "Outcome",
    "Resolver",
    "Sender",
    "SentRequest",
    "can_reach",
    "check_url",
    "deadline",
    "fetch",
    "raise_for_status",
    "watched",
]
