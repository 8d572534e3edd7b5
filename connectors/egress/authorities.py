"""Whose certificates we believe: certifi's authorities, and those of `EGRESS_CA_BUNDLE` (a path, or "")."""

from __future__ import annotations

import atexit
import os
import ssl
import tempfile
from functools import lru_cache
from pathlib import Path

import certifi


@lru_cache(maxsize=8)
def tls_context(ca_bundle: str) -> ssl.SSLContext:
    """Verifies certificates and host names. Making one takes 20 ms: share it."""
    context = ssl.create_default_context(cafile=certifi.where())
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    if ca_bundle:
        context.load_verify_locations(cafile=ca_bundle)
    return context


@lru_cache(maxsize=8)
def ca_file(ca_bundle: str) -> str:
    """The path of a file that holds all of them, for libcurl: it reads a file once for many connections."""
    if not ca_bundle:
        return certifi.where()
    descriptor, path = tempfile.mkstemp(prefix="switchyard-ca-", suffix=".pem")
    with os.fdopen(descriptor, "wb") as joined:
        joined.write(Path(certifi.where()).read_bytes() + b"\n" + Path(ca_bundle).read_bytes())
    atexit.register(_remove, path, os.getpid())
    return path


def _remove(path: str, made_by: int) -> None:
    if os.getpid() == made_by:  # a fork inherits the duty, not the right
        Path(path).unlink(missing_ok=True)
