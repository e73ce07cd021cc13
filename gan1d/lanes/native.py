"""LLVM code made to run on this processor, and called on blocks of runs by several threads."""

import ctypes
import functools
import hashlib
import threading
from typing import Any

import llvmlite.binding as llvm
import numpy as np

CALL = ctypes.CFUNCTYPE(
    None,
    ctypes.c_void_p,
    ctypes.c_int32,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_int64,
    ctypes.c_void_p,
)
_COMPILING = threading.Lock()


@functools.cache
def _target() -> Any:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple())


def _machine() -> Any:
    return _target().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
    )


def lanes() -> int:
    """How many floats one of this processor's vector registers holds."""
    _target()
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


def compile(text: str, name: str) -> Any:
    """The function of this name in LLVM code, as something to call, which drops the GIL."""
    machine = _machine()
    context = llvm.create_context()
    module = llvm.parse_assembly(text, context)
    options = llvm.create_pipeline_tuning_options(speed_level=2)
    options.loop_vectorization = options.slp_vectorization = False
    builder = llvm.create_pass_builder(machine, options)
    builder.getModulePassManager().run(module, builder)
    image = machine.emit_object(module)
    jit = llvm.create_lljit_compiler(machine, use_jit_link=False, suppress_errors=False)
    library = hashlib.sha256(image).hexdigest()
    tracker = (
        llvm.JITLibraryBuilder()
        .add_object_img(image)
        .add_current_process()
        .export_symbol(name)
        .link(jit, library)
    )
    function = CALL(tracker[name])
    function.keep = (jit, tracker)
    return function


def aligned(shape: tuple[int, ...], alignment: int = 64) -> np.ndarray:
    """Zeroed float32 memory that starts at a multiple of `alignment` bytes."""
    size = int(np.prod(shape)) * 4
    raw = np.zeros(size + alignment, np.uint8)
    start = -raw.ctypes.data % alignment
    return raw[start : start + size].view(np.float32).reshape(shape)
