"""What is the same for a whole sweep: how long runs are, and which seeds there are."""

import dataclasses

from gan1d.gan.judging import Judging
from gan1d.gan.spec import field, section


@dataclasses.dataclass(frozen=True)
class Schedule:
    """How long and how often; the same for a whole sweep."""

    steps: int = field(5000, "updates of each GAN", unit="updates", low=1, high=10**9)
    seeds: str = field("0:128", "how many seeds, or which, for example 128 or 0:100,500:600")
    sweep: tuple[str, ...] = field(
        (), "axes FIELD=V1,V2,...; their product is swept; name=N1,N2,... names points"
    )
    judging: Judging = section(Judging())  # noqa: RUF009 - a field specifier
