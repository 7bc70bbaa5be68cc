"""How long and how fast a network learns; free of torch, because the command line shows it."""

from __future__ import annotations

from dataclasses import dataclass

from recon3d.core.errors import require


@dataclass(frozen=True, kw_only=True)
class Schedule:
    """How long and how fast to learn."""

    steps: int = 20_000
    """Length of the whole run at most; the learning rate falls to zero along half a cosine."""
    seconds: int = 0
    """End after so many seconds on the clock instead, the learning rate having fallen to zero by
    then; the last validation is within them, and so is what `recon3d train multiview` renders. 0 =
    when the steps are done."""
    learning_rate: float = 1e-3
    """Highest, reached after the warm-up."""
    warmup_steps: int = 100
    """The learning rate rises linearly over these."""
    weight_decay: float = 1e-2
    """Of AdamW; raising it keeps weights smaller."""
    gradient_clip: float = 1.0
    """Largest norm of a step's gradient; one odd batch then does no harm."""
    ema: float = 0.998
    """Share that the running mean of the weights keeps at each step; that mean is what is
    validated and shipped."""
    validate_every: int = 500
    """Steps between two validations."""
    save_every: int = 200
    """Steps between two checkpoints; Ctrl-C writes one at once."""
    patience: int = 0
    """Stop after so many validations without a better one; 0 = never."""

    def __post_init__(self) -> None:
        """Refuse what cannot work."""
        require(self.steps >= 1, "steps", self.steps, "1 or more")
        require(self.seconds >= 0, "seconds", self.seconds, "0 or more")
        require(self.learning_rate > 0, "learning_rate", self.learning_rate, "above 0")
        require(0 <= self.ema < 1, "ema", self.ema, "0 or more and below 1")
        require(self.validate_every >= 1, "validate_every", self.validate_every, "1 or more")
        require(self.save_every >= 1, "save_every", self.save_every, "1 or more")
