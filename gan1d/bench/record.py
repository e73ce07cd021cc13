"""What bench.json holds."""

from collections.abc import Mapping
from typing import TypedDict


class Measured(TypedDict):
    """One contender's measurements of one workload."""

    runs: int
    steps: int  # updates a measurement
    compile_seconds: float | None  # None where nothing is compiled
    seconds: list[dict[str, float]]  # of each measurement, by its parts
    updates_per_second: list[float]  # of GANs


class Throughput(TypedDict):
    """One workload by all contenders."""

    operations: int  # of an update, floating-point
    contenders: dict[str, Measured]


class Scaling(TypedDict):
    """Whole sweeps of so many runs."""

    workload: str
    steps: int
    seconds: dict[str, list[float]]  # by the number of runs


class Record(TypedDict):
    """Everything that was measured."""

    provenance: Mapping[str, object]
    cores: int
    runs: int
    rounds: int
    workloads: dict[str, Throughput]
    peak: dict[str, list[float]]  # operations a second, by the number of threads
    scaling: Scaling
