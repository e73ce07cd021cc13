"""From one run's arrays to SIMD code in which every scalar is a vector over runs.

XLA on a CPU runs batches of tiny networks at a few percent of what the processor can do. Here each
scalar of one GAN's update becomes one vector register that holds it for as many runs as there are
lanes, so that a whole GAN stays in the processor's first caches and no operation is too small.

Someone new reads the modules in this order: `graph`, what is computed, with all movement of data
folded away; `read`, which makes it of a jaxpr, with `draws` for what is random in that; `plan`,
which cuts it into kernels and gives them memory; `emit`, which writes the function, with `nest` and
`alone` for its kernels, `writer` for memory and loops, `operations`, `functions` and `vector` for
what is computed; `native`, which compiles it; `memory`, how arrays get in and out; `drive`, which
calls functions on blocks of runs; and `Program`, which ties these together and is what to use.
"""

from gan1d.simd.graph import Unsupported
from gan1d.simd.program import Program
from gan1d.simd.runtime import Task, drive

__all__ = ["Program", "Task", "Unsupported", "drive"]
