"""A compiler from one run's arrays to SIMD code in which every scalar is a vector over runs.

XLA on a CPU runs batches of tiny networks at a few percent of what the processor can do. Here each
scalar of one GAN's update becomes one vector register, which holds it for as many runs as it is
wide, so that a whole GAN stays in the processor's first caches and no operation is too small.

The passes, in the order in which someone new reads them:

- front: `nodes` and `graph`, the intermediate representation; `jaxpr` lowers a jaxpr to it, by the
  rules of `primitives` and, for what is random, `threefry`.
- middle: `fusion` cuts a graph into kernels, `allocation` gives them memory, `plan` is both.
- back: `codegen` writes a plan as an LLVM function, `loops` and `kernels` write its kernels, once
  where some are alike (`sharing`), with `writer` for memory and loops, and `instructions`, `functions` and `vector` for what is computed;
  `llvm` compiles it.
- `arrays`, how arrays get in and out; `runtime`, which calls functions on vectors of runs; and
  `Program`, which ties these together and is what to use.
"""

from gan1d.simd.nodes import Unsupported
from gan1d.simd.program import Program
from gan1d.simd.runtime import Task, execute

__all__ = ["Program", "Task", "Unsupported", "execute"]
