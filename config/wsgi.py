"""What the web server calls."""

from __future__ import annotations

import multiprocessing
import os

from django.core.wsgi import get_wsgi_application

from config import celery  # noqa: F401  # who saves an instance rings for its first poll
from config.processes import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

if multiprocessing.parent_process() is not None:
    # A worker of the web server must not hold the port when a kill -9 took the server from it.
    end_with_parent()

application = get_wsgi_application()
