"""What all answers have in common."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Answer(BaseModel):
    """A frozen value; fields that this client does not know are passed over."""

    model_config = ConfigDict(frozen=True, extra="ignore", protected_namespaces=())
