"""The lanes engine: one run's arrays to SIMD code in which every scalar is a vector over runs.

XLA on a CPU runs batches of tiny networks at a few percent of what the processor can do. Here each
scalar of one GAN's update becomes one vector register that holds it for as many runs as there are
lanes, so that a whole GAN stays in the processor's first caches and no operation is too small.

`graph` reads a jaxpr and folds away all movement of data; `plan` cuts what is left into kernels and
gives them memory; `emit` writes them as LLVM code with the operations of `vector`; `native` compiles
that; `Program` ties these together and is what to use.
"""

from gan1d.lanes.graph import Unsupported
from gan1d.lanes.program import Prepared, Program

__all__ = ["Prepared", "Program", "Unsupported"]
