"""Launches of parallel loops that neither a fork nor a second thread of Python can stop.

Of a parallel loop numba makes a call of its threading layer,

    parallel_for(body, arguments, sizes, strides, data, inner axes, arrays, threads)           (1)

GNU OpenMP is the quickest layer, but its threads do not exist in the child of a fork: a launch
there waits for them for ever, or ends the child, which a pool of processes then replaces for ever.
The layer "workqueue" starts its threads again in a child, but ends the process when two threads
of Python launch at once, and wakes threads for every loop, also for one that a single thread is to
run: arrays of 16 x 16 cells take 2.4 times as long, of 256 x 256 1.3 times.

So kernels are linked to a function of our own in the place of (1). It runs

    body(arguments, sizes, strides, data)                                                      (2)

in the calling thread where one thread is asked for, in forked children of a process that had
threads, and, for "workqueue", while another loop runs; else it calls the layer. The loop is cut in
the same pieces either way, and so the numbers are the same.
"""

import ctypes
import logging
import os
import sys
from multiprocessing import parent_process
from typing import Any

_LAYERS = "numba.np.ufunc.parallel"  # numba's module of threading layers
_SYMBOL = "numba_parallel_for"       # the name under which compiled kernels look for (1)
_ONE_AT_A_TIME = "workqueue"         # the layer that takes no second launch while the first runs

_alone = ctypes.c_int32(0)  # 1: this process has lost the threads of its parent
_busy = ctypes.c_int32(0)   # 1: a loop runs, of a layer that takes one at a time
_engines: list[Any] = []    # the launcher's machine code lives as long as they do


def install() -> None:
    """Link kernels that are loaded from now on to the launcher, and start numba's threads. Where a version of numba has not the
    names that this takes, kernels stay as numba makes them, and one line says so."""
    if _engines:
        return
    try:
        _engines.append(_link())
    except (AttributeError, ImportError) as error:
        _engines.append(None)
        logging.getLogger("crossbar").warning(
            "this version of numba is not known (%s): solves in forked processes may hang, start processes by spawn", error)


def _link() -> Any:
    """The launcher's machine code, where kernels look for (1)."""
    from llvmlite import binding
    from numba.np.ufunc import parallel
    if parallel._is_initialized and parent_process() is not None:
        _alone.value = 1  # started by others, maybe before a fork that nobody here saw
    parallel._launch_threads()
    one_at_a_time = parallel.threading_layer() == _ONE_AT_A_TIME
    text = _launcher(binding.address_of_symbol(_SYMBOL), one_at_a_time)
    machine = binding.Target.from_default_triple().create_target_machine()
    engine = binding.create_mcjit_compiler(binding.parse_assembly(text), machine)
    engine.finalize_object()
    binding.add_symbol(_SYMBOL, engine.get_function_address(_SYMBOL))
    return engine


def _launcher(layer: int, one_at_a_time: bool) -> str:
    """LLVM's assembly of the launcher before the function at the address `layer`."""
    from llvmlite import ir
    void, word = ir.VoidType(), ir.IntType(32)
    address = ir.IntType(8 * ctypes.sizeof(ctypes.c_void_p))
    launch = ir.FunctionType(void, [address] * 7 + [word])
    body = ir.FunctionType(void, [address] * 4)
    function = ir.Function(ir.Module(), launch, name=_SYMBOL)
    blocks = ("entry", "here", "layer", "threads")
    entry, here, try_layer, threads = map(function.append_basic_block, blocks)
    builder = ir.IRBuilder(entry)

    def flag(variable: ctypes.c_int32) -> Any:
        return builder.inttoptr(ir.Constant(address, ctypes.addressof(variable)), word.as_pointer())

    one = builder.icmp_signed("==", function.args[7], word(1))
    lost = builder.icmp_signed("!=", builder.load(flag(_alone)), word(0))
    builder.cbranch(builder.or_(one, lost), here, try_layer)

    builder.position_at_end(here)
    builder.call(builder.inttoptr(function.args[0], body.as_pointer()), function.args[1:5])
    builder.ret_void()

    builder.position_at_end(try_layer)
    if one_at_a_time:
        taken = builder.cmpxchg(flag(_busy), word(0), word(1), "acq_rel", "monotonic")
        builder.cbranch(builder.extract_value(taken, 1), threads, here)
    else:
        builder.branch(threads)

    builder.position_at_end(threads)
    builder.call(builder.inttoptr(ir.Constant(address, layer), launch.as_pointer()), function.args)
    if one_at_a_time:
        builder.store_atomic(word(0), flag(_busy), "release", 4)
    builder.ret_void()
    return str(function.module)


def _lose_threads() -> None:
    """What a forked child does first: threads of its parent are gone, whatever they were doing."""
    layers = sys.modules.get(_LAYERS)
    if layers is not None and layers._is_initialized:
        _alone.value = 1
    _busy.value = 0


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_lose_threads)
