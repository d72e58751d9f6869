"""What the README says is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TOP = Path(__file__).resolve().parents[2]
README = (TOP / "README.md").read_text(encoding="utf-8")


def architecture_tree() -> list[tuple[str, str]]:
    """Return (path, words) of the tree under the heading Architecture; folders end in a slash."""
    block = re.search(r"## Architecture\n.*?```text\n(.*?)```", README, re.DOTALL)
    assert block, "the README has no tree under Architecture"
    found: list[tuple[str, str]] = []
    parents: list[tuple[int, str]] = []
    for line in block.group(1).splitlines():
        if not line.strip():
            continue
        indent = len(line) - len(line.lstrip())
        name, _, words = line.strip().partition(" ")
        if not re.fullmatch(r"[\w.\-]+/|[\w.\-]+\.(py|md|toml)", name):
            continue  # a line that goes on with the description of the one above
        while parents and parents[-1][0] >= indent:
            parents.pop()
        path = (parents[-1][1] if parents else "") + name
        found.append((path, words))
        if name.endswith("/"):
            parents.append((indent, path))
    return found


def test_the_tree_names_what_exists() -> None:
    missing = []
    for path, words in architecture_tree():
        if not (TOP / path).exists():
            missing.append(path)
        if path.endswith("/"):
            missing += [path + name for name in re.findall(r"\b(\w+\.py)\b", words) if not (TOP / path / name).exists()]
    assert not missing


def test_the_tree_names_every_package() -> None:
    named = {path.rstrip("/") for path, _ in architecture_tree()}
    packages = {str(p.parent.relative_to(TOP)) for p in (TOP / "photopipe_gui").rglob("__init__.py")}
    assert packages - named == set()


def test_pictures_and_files_that_it_links_to_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if not link.startswith(("http", "#"))]
    assert links
    assert [link for link in links if not (TOP / link.split("#")[0]).exists()] == []


@pytest.mark.parametrize("command", ["bash packaging/run", "bash packaging/test"])
def test_the_two_commands_come_first(command: str) -> None:
    first = "\n".join(README.splitlines()[:14])
    assert command in first
    script = TOP / command.split()[1]
    assert script.exists()
    assert script.read_text(encoding="utf-8").startswith("#!/usr/bin/env bash")


def test_every_command_of_the_command_line_is_mentioned() -> None:
    from photopipe_gui.cli import COMMANDS

    missing = [name for name in COMMANDS if name not in ("window", "options") and name not in README]
    assert not missing
