"""Docstrings of the engine have networkx's sections, in one order."""

from __future__ import annotations

import inspect
import re
from importlib import import_module
from pkgutil import iter_modules

import pytest

import graph

ORDER = ["Parameters", "Attributes", "Returns", "Raises", "See Also", "Notes", "References"]


def documented() -> dict[str, object]:
    """Modules, classes, functions and methods of the engine, by name."""
    found: dict[str, object] = {}
    for module in [graph, *(import_module(f"graph.{one.name}") for one in iter_modules(graph.__path__))]:
        found[module.__name__] = module
        for name, one in vars(module).items():
            if getattr(one, "__module__", None) != module.__name__ or not (inspect.isclass(one) or callable(one)):
                continue
            found[f"{module.__name__}.{name}"] = one
            if inspect.isclass(one):
                methods = {key: inspect.unwrap(value) for key, value in inspect.getmembers(one, inspect.isroutine)}
                own = {key: value for key, value in methods.items() if key in vars(one)}
                found |= {f"{module.__name__}.{name}.{key}": value for key, value in own.items()}
    return found


DOCUMENTED = documented()


def text_of(name: str) -> str:
    """The docstring of its own, none that it inherits."""
    return inspect.cleandoc(DOCUMENTED[name].__doc__ or "")


def sections(text: str) -> list[str]:
    return re.findall(r"^(\w[\w ]*)\n-{3,}$", text, re.MULTILINE)


@pytest.mark.parametrize("name", DOCUMENTED)
def test_sections_stand_in_order_and_what_is_cited_is_named(name: str) -> None:
    text = text_of(name)
    found = sections(text)
    assert found == sorted(found, key=ORDER.index)
    cited = set(re.findall(r"\[(\d+)\]_", text))
    assert set(re.findall(r"^\.\. \[(\d+)\]", text, re.MULTILINE)) == cited


@pytest.mark.parametrize("name", [name for name in DOCUMENTED if inspect.isroutine(DOCUMENTED[name])])
def test_whoever_names_parameters_names_what_is_returned(name: str) -> None:
    found = sections(text_of(name))
    if "Parameters" in found and inspect.signature(DOCUMENTED[name]).return_annotation != "None":  # type: ignore[arg-type]
        assert "Returns" in found


@pytest.mark.parametrize("name", ["margin.margin_bounds", "margin.margin_of_victory", "tally.star", "tally.tally"])
def test_functions_for_everybody_say_what_they_take_and_give(name: str) -> None:
    assert sections(text_of(f"graph.{name}"))[:2] == ["Parameters", "Returns"]
