"""The base class of a spec's parts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Declaration(BaseModel):
    """A part of a spec; unknown keys are faults."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True)
