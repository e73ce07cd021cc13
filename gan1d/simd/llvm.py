"""LLVM code compiled for, and loaded into, this process."""

import ctypes
import functools
import hashlib
from typing import NamedTuple

import llvmlite
import llvmlite.binding as llvm

from gan1d.simd import kept


@functools.cache
def _target() -> llvm.Target:
    llvm.initialize_native_target()
    llvm.initialize_native_asmprinter()
    return llvm.Target.from_triple(llvm.get_process_triple())


def _machine() -> llvm.TargetMachine:
    return _target().create_target_machine(
        cpu=llvm.get_host_cpu_name(),
        features=llvm.get_host_cpu_features().flatten(),
        opt=3,
        reloc="pic",
        codemodel="small",
    )


def register_width() -> int:
    """How many floats one of this processor's vector registers holds."""
    _target()
    features = llvm.get_host_cpu_features()
    if features.get("avx512f"):
        return 16
    return 8 if features.get("avx2") else 4


def compile(code: str, name: str) -> "Function":
    """The function of this name in LLVM code.

    What was compiled before is taken from where it is kept.
    """
    image = kept.get(_key(code)) or _compiled(code)
    # JITLink keeps code and its constants within reach of each other, however much is mapped.
    jit = llvm.create_lljit_compiler(_machine(), use_jit_link=True)
    library = llvm.JITLibraryBuilder().add_object_img(image).add_current_process()
    tracker = library.export_symbol(name).link(jit, name)
    return Function(tracker[name], (jit, tracker))


class Function(NamedTuple):
    """Native code, which stays for as long as this does."""

    address: int
    owners: tuple[object, ...]

    def __call__(self, *pointers: int) -> None:
        """Call it, where pointers are all it takes; this drops the GIL."""
        ctypes.CFUNCTYPE(None, *[ctypes.c_void_p] * len(pointers))(self.address)(*pointers)


def _compiled(code: str) -> bytes:
    machine = _machine()
    module = llvm.parse_assembly(code, llvm.create_context())
    # All is vectors, fused and in loops already: LLVM's own pipelines take longer than everything
    # else, for code that is no faster.
    passes = llvm.create_new_module_pass_manager()
    passes.add_always_inliner_pass()
    passes.add_sroa_pass()
    passes.add_simplify_cfg_pass()
    passes.run(module, llvm.create_pass_builder(machine, llvm.create_pipeline_tuning_options()))
    image = machine.emit_object(module)
    kept.put(_key(code), image)
    return image


def _key(code: str) -> str:
    """The name of code that is compiled for this processor."""
    parts = [code, llvmlite.__version__, llvm.get_host_cpu_name()]
    parts.append(llvm.get_host_cpu_features().flatten())
    return f"simd-{hashlib.sha256(chr(0).join(parts).encode()).hexdigest()[:32]}"
