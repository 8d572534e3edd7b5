"""Waiting for something to happen at one of many connections, or for another thread to say so."""

from __future__ import annotations

import os
import select
import socket

import pycurl

BLIND_SECONDS = 0.02
"""Where there is no epoll, nobody can end a wait: it ends by itself."""
SELECTABLE = 1024
"""Descriptors that select() sees, which is what libcurl waits with."""

HAS_EPOLL = hasattr(select, "epoll")


class Readiness:
    """Connections are told of once, when they are made, and forgotten when they are closed.

    Each change wakes one wait, which then lets libcurl look at what it has running. Compared with libcurl's own wait
    nothing has to be said per request, and descriptors may be above those that select() sees.
    """

    def __init__(self, multi: pycurl.CurlMulti) -> None:
        self._multi = multi
        if HAS_EPOLL:
            self._epoll = select.epoll()
            self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)
            self._epoll.register(self._bell, select.EPOLLIN | select.EPOLLET)

    def watch(self, connection: socket.socket) -> None:
        """To be called before libcurl has it. What libcurl goes on with is a copy of the descriptor.

        The kernel keeps what is registered until the last copy is closed, under the number that it had here: so
        numbers mean nothing to `wait`.
        """
        if HAS_EPOLL:
            self._epoll.register(connection, select.EPOLLIN | select.EPOLLOUT | select.EPOLLET)

    def wake(self) -> None:
        """End the wait that is under way, or the next one. For any thread."""
        if HAS_EPOLL:
            os.eventfd_write(self._bell, 1)

    def wait(self, seconds: float) -> bool:
        """Until something happened, or the time is up. Says whether to come back to who waits for more than answers."""
        if not HAS_EPOLL:
            self._multi.select(min(seconds, BLIND_SECONDS))
            return True
        return any(descriptor == self._bell for descriptor, _ in self._epoll.poll(seconds))

    def close(self) -> None:
        if HAS_EPOLL:
            self._epoll.close()
            os.close(self._bell)
