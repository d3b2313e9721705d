"""All rows of the contract test."""

from __future__ import annotations

from tests.contract.basic import BASIC
from tests.contract.images import IMAGES
from tests.contract.kinds import OTHERS
from tests.contract.rows import Row
from tests.contract.sequences import SEQUENTIAL

ROWS: dict[str, Row] = {**BASIC, **IMAGES, **OTHERS, **SEQUENTIAL}
