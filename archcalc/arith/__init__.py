"""Arithmetic on integers, symbols and arrays; documented in `archcalc.arith.sizes`."""

from archcalc.arith.integers import integer as integer
from archcalc.arith.sizes import Scope as Scope
from archcalc.arith.sizes import Shape as Shape
from archcalc.arith.sizes import Size as Size
from archcalc.arith.sizes import at_most as at_most
from archcalc.arith.sizes import broadcast as broadcast
from archcalc.arith.sizes import ceil_div as ceil_div
from archcalc.arith.sizes import certainly as certainly
from archcalc.arith.sizes import choose as choose
from archcalc.arith.sizes import common_divisor as common_divisor
from archcalc.arith.sizes import equal as equal
from archcalc.arith.sizes import exact_div as exact_div
from archcalc.arith.sizes import floor_div as floor_div
from archcalc.arith.sizes import is_array as is_array
from archcalc.arith.sizes import is_known as is_known
from archcalc.arith.sizes import is_symbolic as is_symbolic
from archcalc.arith.sizes import largest as largest
from archcalc.arith.sizes import prod as prod
from archcalc.arith.sizes import require_at_least as require_at_least
from archcalc.arith.sizes import require_equal as require_equal
from archcalc.arith.sizes import require_integer as require_integer
from archcalc.arith.sizes import scope as scope
from archcalc.arith.sizes import smallest as smallest
from archcalc.arith.sizes import substitute as substitute
from archcalc.arith.sizes import total as total
