"""Which failures of the network are our own machine's, so that nobody else is charged with them."""

from __future__ import annotations

import errno
import socket

OWN_ERRNOS = frozenset(
    {
        errno.EMFILE,
        errno.ENFILE,
        errno.ENOMEM,
        errno.ENOBUFS,
        errno.EADDRNOTAVAIL,
        errno.ENETUNREACH,
        errno.ENETDOWN,
    }
)
"""No more files, memory or ports, or no way out: the same whoever was to be reached."""
OWN_LOOKUP_ERRORS = frozenset({socket.EAI_MEMORY, socket.EAI_SYSTEM})


def is_own(error: OSError) -> bool:
    """Of a socket, or of a look-up that failed for reasons that have nothing to do with the name.

    `EAI_AGAIN` is left to whoever knows whether other names are found: it stands for a name server of ours that does
    not answer as well as for one of theirs.
    """
    return error.errno in (OWN_LOOKUP_ERRORS if isinstance(error, socket.gaierror) else OWN_ERRNOS)
