"""How to color: the knobs that every way of using the program has."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ..errors import UserError

ALPHA = 0.33  # of rebalancing at vividness 1: there the bundled network reaches 67% of the true colorfulness
VIVID = 2.0  # the vividness at which it reaches 92%


def _option(default: Any, help: str, usual: str = "") -> Any:
    """A field with the help of its command-line option, and its default in words where that depends on others."""
    return field(default=default, metadata={"help": help, "usual": usual})


@dataclass(frozen=True)
class Settings:
    """How to color. The first four act on what the network finds, the next two on the colors found.

    Attributes:
        vividness: 0 cautious, 1 as usual, 3 vivid: how much of a chance rarer, more vivid colors get. A regression
            knows no others: its chroma is multiplied by `chroma`.
        temperature: of the annealed mean, > 0: lower is more decided; None for the one that suits the vividness.
            Classification only.
        agreement: how far places that are alike agree on their colors, 0 to 1: more is calmer, less is more varied;
            None for the one that suits the vividness. Classification only.
        people: how much it counts what skin and hair look like: 1 as usual; 0 leaves them to the coloring network.
            Classification only.
        saturation: chroma is multiplied by it, as far as sRGB goes at that lightness.
        strength: 1 in full color .. 0 gray; the result is blended with gray.
        working_size: short side, in pixels, of the copy that the network sees; None for the one that suits the
            checkpoint, `Colorizer.working_size`.
    """

    vividness: float = _option(1.0, "0 cautious, 1 as usual, 3 vivid: how much of a chance rarer colors get")
    temperature: float | None = _option(None, "lower is more decided", usual="0.5, to 0.6 where vivid")
    agreement: float | None = _option(
        None, "0 .. 1: how far places that are alike agree on their colors", usual="0.6 cautious, 0.3 as usual, 0 vivid"
    )
    people: float = _option(1.0, "how much it counts what skin and hair look like; 0: not at all")
    saturation: float = _option(1.0, "multiplies chroma")
    strength: float = _option(1.0, "0 gray .. 1 full color")
    working_size: int | None = _option(None, "short side of the copy that the network sees", usual="1.5 training crops")

    def __post_init__(self) -> None:
        for name, highest in (("vividness", 10), ("saturation", 5), ("strength", 1), ("agreement", 1), ("people", 3)):
            if getattr(self, name) is not None and not 0 <= getattr(self, name) <= highest:
                raise UserError(f"The {name} must lie between 0 and {highest}, not {getattr(self, name)}.")
        if self.temperature is not None and not 0 < self.temperature <= 2:
            raise UserError(f"The temperature must be above 0 and at most 2, not {self.temperature}.")
        if self.working_size is not None and not 32 <= self.working_size <= 2048:
            raise UserError(f"The working size must lie between 32 and 2048, not {self.working_size}.")

    @property
    def annealing(self) -> float:
        """The temperature: 0.5, rising to 0.6 at the vivid look, which keeps bold colors from being patchy."""
        return 0.5 + 0.1 * self._boldness if self.temperature is None else self.temperature

    @property
    def consent(self) -> float:
        """The agreement: 0.6 falling to 0.3 as usual, where it costs little, and to 0 at the vivid look."""
        if self.agreement is not None:
            return self.agreement
        return 0.6 - 0.3 * min(self.vividness, 1) - 0.3 * self._boldness

    @property
    def chroma(self) -> float:
        """What a regression's ab is multiplied by: 0.7 cautious, 1 as usual, 1.2 vivid, and so on."""
        return 1 + 0.3 * (self.vividness - 1)

    @property
    def _boldness(self) -> float:
        """0 up to the natural look, 1 from the vivid one on."""
        return min(max((self.vividness - 1) / (VIVID - 1), 0), 1)

    @property
    def alpha(self) -> float:
        """Of `bins.rebalance_logits`."""
        return ALPHA * self.vividness


# What most people choose between: the smallest errors; colors that please and are seldom wrong; as colorful as life.
LOOKS: Mapping[str, Settings] = {
    "cautious": Settings(vividness=0),
    "natural": Settings(),
    "vivid": Settings(vividness=VIVID),
}
