"""A ConnectWise PSA to develop and test against, on loopback: `python -m connectors.sandbox --port 8101`.

It is strict. What ConnectWise refuses, it refuses, with the same status and body; where its behaviour is not known,
the sandbox takes the reading that is harder on us. It needs no Django and knows nothing of Switchyard.

A request goes through `server` (HTTP), `sandbox` (log, hook, scripted misbehaviour), `api` (credentials) and
`endpoints` (routing) to `listing` (conditions, order, pages) or `writing` (POST, PUT, PATCH); the records lie in
`collection`, and `stock` fills them. A kind of records has a module that says what it is, such as `notes`, and a line
in `subjects`; `setup_tables` holds lists that are only read.

A collection tells `consequences` of every change, which saves other records and tells `callbacks`; `registering` knows
whom it concerns, `signing` the keys, and `sending` posts. What can go wrong is switched on at `Sandbox.callbacks`, or
over HTTP, as `control` says.
"""

from connectors.sandbox.callbacks import SentCallback
from connectors.sandbox.sandbox import LoggedRequest, Sandbox, SandboxFailed

__all__ = ["LoggedRequest", "Sandbox", "SandboxFailed", "SentCallback"]
