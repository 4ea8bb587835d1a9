"""Graphs in formats of graph programs, by networkx's readers: GML, GraphML, Pajek, DOT.

Files of which those readers would drop parts without a word (nodes of one name, edges without direction, parts of a
graph) are refused here.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from contextlib import redirect_stdout
from dataclasses import dataclass
from typing import Any
from xml.etree.ElementTree import ParseError

import networkx as nx
import pydot

from democracy.files.malformed import Malformed

# Within so many characters a file has to say what it is.
_HEAD = 20_000
_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
# Comments of all these formats, and what GML may say about its maker.
_PREAMBLE = re.compile(r"#|%|//|(creator|version|comment)\b", re.IGNORECASE)


@dataclass(frozen=True)
class Graph:
    """A graph as it was read. `edges`: follower, followee, and the weight as written or nothing."""

    format: str
    nodes: list[str]
    edges: list[tuple[str, str, str]]


def read_graph(text: str) -> Graph | None:
    """Read the graph, if the text is in one of these formats. Raises Malformed, where possible naming the line."""
    first = _first_line(text)
    if first.startswith("<"):
        if "<graphml" in text[:_HEAD].lower():
            return _graph("GraphML", _parsed("GraphML", _graphml, text))
        raise Malformed("line 1", "this is XML, but not GraphML: save the graph as GraphML or as an edge list.")
    for name, beginning, parse in _FORMATS:
        if beginning.match(first):
            return _graph(name, _parsed(name, parse, text))
    return None


def _first_line(text: str) -> str:
    """The first line that says something, with the next one, on which the brace or bracket may stand."""
    lines = (line.strip() for line in _COMMENT.sub("", text[:_HEAD]).splitlines())
    said = [line for line in lines if line and not _PREAMBLE.match(line)]
    return " ".join(said[:2])


def _parsed(name: str, parse: Callable[[str], Any], text: str) -> Any:
    try:
        return parse(text)
    except Malformed:
        raise
    except ParseError as error:
        raise Malformed(f"line {error.position[0]}", f"this is not {name}: {error}.") from error
    # The readers raise whatever their way through a broken file leads to.
    except Exception as error:
        raise Malformed("", f"This cannot be read as {name}: {error or type(error).__name__}.") from error


def _graph(name: str, graph: Any) -> Graph:
    if not graph.is_directed():
        raise Malformed("", f"The edges of this {name} graph have no direction: who follows whom?")
    edges = []
    for follower, followee, data in graph.edges(data=True):
        weight = data.get("weight", data.get("value", ""))
        edges.append((str(follower), str(followee), str(weight).strip('"')))
    return Graph(name, [str(node) for node in graph.nodes], edges)


def _gml(text: str) -> Any:
    """Name nodes by label where all have one, else by id."""
    labels = len(re.findall(r"\bnode\s*\[[^\]]*\blabel\s", text))
    return nx.parse_gml(text, label="label" if labels and labels == len(re.findall(r"\bnode\s*\[", text)) else "id")


def _graphml(text: str) -> Any:
    if re.search(r"<!(DOCTYPE|ENTITY)", text, re.IGNORECASE):
        raise Malformed("", "GraphML with a document type or entities is not read.")
    # It says how the file was encoded; the text is decoded already.
    return nx.parse_graphml(re.sub(r"\A\s*<\?xml[^>]*\?>", "", text))


def _pajek(text: str) -> Any:
    for number, line in enumerate(text.splitlines(), start=1):
        section = line.strip().lower().split(" ")[0]
        if section.startswith("*") and section not in ("*network", "*vertices", "*arcs"):
            raise Malformed(f"line {number}", f"of Pajek, *Vertices and *Arcs can be read, not {section}.")
    graph = nx.parse_pajek(text)
    said = re.search(r"^\s*\*vertices\s+(\d+)", text, re.IGNORECASE | re.MULTILINE)
    if said is None or int(said[1]) != graph.number_of_nodes():
        raise Malformed("", "The number of vertices is not that of different names.")
    return graph


def _dot(text: str) -> Any:
    told = io.StringIO()
    # pydot prints what it cannot read.
    with redirect_stdout(told):
        graphs = pydot.graph_from_dot_data(text)
    if not graphs:
        line = re.search(r"line:(\d+)", told.getvalue())
        raise Malformed(f"line {line[1]}" if line else "", "this is not DOT.")
    if len(graphs) > 1 or graphs[0].get_subgraphs():
        raise Malformed("", "There is more than one graph or a subgraph: write all edges into one digraph.")
    drawn = [edge.get("dir") or "forward" for edge in graphs[0].get_edges()]
    drawn += [each.get("dir") for each in graphs[0].get_edge_defaults() or () if each.get("dir")]
    if any(way.strip('"') != "forward" for way in drawn):
        raise Malformed("", "An edge's `dir` turns its arrow: write each following as `follower -> followee` without.")
    graph = nx.nx_pydot.from_pydot(graphs[0])
    port = next((node for node in graph.nodes if ":" in str(node)), None)
    if port is not None:
        raise Malformed("", f"{port!r} may be an id or the port of a node: write ids without a colon.")
    return graph


_FORMATS: tuple[tuple[str, re.Pattern[str], Callable[[str], Any]], ...] = (
    ("GML", re.compile(r"graph\s*\[", re.IGNORECASE), _gml),
    ("Pajek", re.compile(r"\*(network|vertices)\b", re.IGNORECASE), _pajek),
    ("DOT", re.compile(r"(strict\s+)?(di)?graph\b[^\[{]*\{", re.IGNORECASE), _dot),
)
