"""A `networkx.DiGraph` over mappings that exist already.

networkx makes a graph's dictionaries by factories that subclasses may replace [1]_. Here they give mappings that
two revisions of a community share, so that a change need not copy, edge by edge, what it does not touch.

References
----------
.. [1] NetworkX Reference, "DiGraph", section "Subclasses (Advanced)".
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

import networkx as nx

from graph.values import Member

Role: TypeAlias = dict[str, Any]
"""The attributes of a member's node."""

Edges: TypeAlias = dict[Member, dict[str, Any]]
"""Neighbours of one member, each with the attributes of the following."""


if TYPE_CHECKING:
    _MembersDiGraph = nx.DiGraph[Member]
else:
    _MembersDiGraph = nx.DiGraph  # takes no type when run


class SharingDiGraph(_MembersDiGraph):
    """A DiGraph on given mappings. Its copies and subgraphs have dictionaries of their own.

    Parameters
    ----------
    incoming_graph_data : optional
        As for `networkx.DiGraph`.
    on : tuple of mapping, optional
        The attributes of each node, the successors of each and the predecessors of each, these two with one attribute
        dictionary for both ends of an edge.
    """

    def __init__(
        self,
        incoming_graph_data: Any = None,
        *,
        on: tuple[Mapping[Member, Role], Mapping[Member, Edges], Mapping[Member, Edges]] | None = None,
        **attributes: Any,
    ) -> None:
        if on is None:
            super().__init__(incoming_graph_data, **attributes)
            return
        roles, followees, followers = on
        # DiGraph asks for the successors first.
        neighbours = iter((followees, followers))
        factories = {"node_dict_factory": lambda: roles, "adjlist_outer_dict_factory": lambda: next(neighbours)}
        vars(self).update(factories)
        super().__init__(**attributes)
        for name in factories:
            delattr(self, name)
