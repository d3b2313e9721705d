"""A network as a graph of layer calls."""

from archcalc.graph.graph import CallMask as CallMask
from archcalc.graph.graph import Cases as Cases
from archcalc.graph.graph import Graph as Graph
from archcalc.graph.graph import GraphError as GraphError
from archcalc.graph.graph import Node as Node
from archcalc.graph.graph import Origin as Origin
from archcalc.graph.graph import Repeat as Repeat
from archcalc.graph.graph import Shapes as Shapes
from archcalc.graph.graph import Tap as Tap
from archcalc.graph.graph import cycle as cycle
from archcalc.graph.graph import owners_first as owners_first
from archcalc.graph.graph import shown_cycle as shown_cycle
from archcalc.graph.graph import topological_order as topological_order
