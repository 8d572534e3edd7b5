"""What the web server calls."""

from __future__ import annotations

import multiprocessing
import os
from multiprocessing.util import Finalize

from django.core.wsgi import get_wsgi_application

from config import celery  # noqa: F401  # who saves an instance rings for its first poll
from config.callback_chain import with_short_chain
from config.processes import end_with_parent

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

if multiprocessing.parent_process() is not None:
    # A worker of the web server must not hold the port when a kill -9 took the server from it.
    end_with_parent()

application = with_short_chain(get_wsgi_application())

# Nobody took callbacks while there was no server.
from events import suspicion  # noqa: E402  # Django is set up only now
from instances.usage import RECORDER  # noqa: E402

suspicion.note_trouble(reason="the web server was started")

RECORDER.start()
# The server's workers are forked, and leave without what `atexit` keeps.
Finalize(None, RECORDER.stop, exitpriority=0)
