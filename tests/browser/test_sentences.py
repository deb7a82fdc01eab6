"""Whatever a block can tell or a transaction can ask for, the explorer says it in a sentence."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from node.application.chain import ACTIONS

ROOT = Path(__file__).resolve().parents[2]
SCRIPTS = ROOT / "node" / "explorer" / "js"
TOLD_BY = ("sentences.js", "governance.js")
KIND = re.compile(
    r'"((?:account|agreement|broker|member|order|parameter|proposal|reward|round|satisfaction'
    r'|stake|trade|turn|validators)\.[a-z_]+)"'
)
CALL = re.compile(r'(?:Event\(\s*(?:kind=)?|_note\(\w+, |_depart\([^")]*)f?"([^"]+)"')
CASE = re.compile(r'case "([a-z_.]+)":')


def emitted() -> set[str]:
    """Kinds of events that the pure floors can emit: words in their source that look like one."""
    floors = ("ledger", "auction", "consensus")
    sources = [path for floor in floors for path in (ROOT / floor).rglob("*.py")]
    return {kind for path in sources for kind in KIND.findall(path.read_text(encoding="utf-8"))}


def said() -> set[str]:
    """What the scripts have a case for: kinds of events, types of actions and of changes."""
    text = "".join((SCRIPTS / name).read_text(encoding="utf-8") for name in TOLD_BY)
    return set(CASE.findall(text))


def test_every_kind_of_event_in_the_source_has_a_sentence_and_no_sentence_is_left_over() -> None:
    found = emitted()
    assert len(found) > 25
    assert sorted(found - said()) == []
    assert sorted(kind for kind in said() - found if "." in kind) == []


def test_events_are_only_emitted_under_kinds_that_are_written_out() -> None:
    """Else the test above could miss one."""
    floors = ("ledger", "auction", "consensus")
    for path in (path for floor in floors for path in (ROOT / floor).rglob("*.py")):
        for kind in CALL.findall(path.read_text(encoding="utf-8")):
            assert KIND.fullmatch(f'"{kind}"'), f"{path}: {kind}"


@pytest.mark.parametrize("action", ACTIONS, ids=lambda action: action.__struct_config__.tag)
def test_every_type_of_action_has_a_sentence(action: type) -> None:
    assert action.__struct_config__.tag in said()  # type: ignore[attr-defined]
