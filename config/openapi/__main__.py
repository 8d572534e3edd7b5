"""`python -m config.openapi` writes docs/openapi.json; with `--check` it says whether that is up to date."""

from __future__ import annotations

import difflib
import os
import sys

import django

from config.environment import BASE_DIR

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
django.setup()

from config.openapi.document import document  # noqa: E402  # Django is set up only now

PLACE = BASE_DIR / "docs" / "openapi.json"
LONGEST_DIFFERENCE = 40


def main(arguments: list[str]) -> int:
    made = document()
    if made.undescribed:
        sys.stderr.write("not described (see instances/describing.py):\n" + "\n".join(made.undescribed) + "\n")
        if "--check" in arguments:
            return 1
    text = made.committed()
    if "--check" not in arguments:
        PLACE.write_text(text)
        return 0
    committed = PLACE.read_text() if PLACE.exists() else ""
    if committed == text:
        return 0
    difference = difflib.unified_diff(
        committed.splitlines(), text.splitlines(), "docs/openapi.json", "the API", lineterm="", n=1
    )
    lines = [line for line, _ in zip(difference, range(LONGEST_DIFFERENCE), strict=False)]
    sys.stderr.write("\n".join([*lines, "docs/openapi.json is out of date: make openapi writes it", ""]))
    return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
