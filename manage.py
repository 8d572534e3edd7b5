#!/usr/bin/env python
"""Django's command line."""

import os
import sys

from django.core.management import execute_from_command_line

import config.celery  # noqa: F401  # commands ask workers: without it they would look for some other broker

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    # People read what commands print; lines for machines between it are in their way.
    os.environ.setdefault("LOG_LEVEL", "WARNING")
    execute_from_command_line(sys.argv)
