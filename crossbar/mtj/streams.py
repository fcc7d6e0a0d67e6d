"""Random streams, one per trajectory: the same numbers whatever the number of trajectories, lanes or threads.

    stream k: xoshiro256++ (Blackman, Vigna, ACM Trans. Math. Softw. 47, 36 (2021)) whose four words are the outputs
              4 k ... 4 k + 3 of splitmix64 started at a root drawn once from the caller's generator
    normals:  sqrt(-2 ln u) (cos phi, sin phi), u in (0, 1) of 52 bits, phi uniform (Box, Muller, Ann. Math. Stat. 29, 610 (1958))

The exact transform of Box and Muller has Gaussian tails, up to 8.57 sigma, and no branches: LLVM runs it on a vector register
of streams at a time. Rejected: the ziggurat (branches), the C library's log and cos (calls, one number at a time), counter-based
generators (several times the work per number).

Streams lie side by side in blocks of LANES, structure of arrays: `words[b, w LANES + c]` is word w of stream b LANES + c. The
blocks are flat so that LLVM sees constant distances and needs no checks for overlap; kernels run whole blocks, and what the
lanes beyond the last trajectory do is thrown away.
"""

import math

import numpy as np
import numpy.typing as npt
from numba import types
from numba.extending import intrinsic

from crossbar import memory
from crossbar.kernel import njit

LANES = 32  # trajectories per block: four AVX-512 registers to hide latencies, and a working set that fits in the L1 cache

_GOLDEN, _MIX_1, _MIX_2 = (np.uint64(x) for x in (0x9E3779B97F4A7C15, 0xBF58476D1CE4E5B9, 0x94D049BB133111EB))
_S17, _S19, _S23, _S41, _S45, _S12 = (np.uint64(x) for x in (17, 19, 23, 41, 45, 12))  # shifts
_SWAP, _FLIP = np.uint64(1), np.uint64(2)
_SQRT_HALF = int(np.float64(math.sqrt(0.5)).view(np.int64))
_ANGLE = math.pi / 4 * 2.0 ** -63  # of a signed 64-bit integer, to [-pi/4, pi/4)


def make_streams(n: int, rng: np.random.Generator) -> npt.NDArray[np.uint64]:
    """States (blocks, 4 LANES) of the streams 0 ... n - 1, and of those that fill the last block. Takes one number from rng.

    Raises SizeError if they would not fit in memory.
    """
    blocks = -(-n // LANES)
    memory.require(f"{n} random streams", 3 * 32.0 * blocks * LANES)
    root = rng.integers(0, 2 ** 64, dtype=np.uint64)
    x = root + _GOLDEN * np.arange(1, 4 * LANES * blocks + 1, dtype=np.uint64)  # modulo 2^64
    x = (x ^ (x >> np.uint64(30))) * _MIX_1
    x = (x ^ (x >> np.uint64(27))) * _MIX_2
    x ^= x >> np.uint64(31)
    return np.ascontiguousarray(x.reshape(blocks, LANES, 4).transpose(0, 2, 1)).reshape(blocks, 4 * LANES)


@intrinsic
def _to_bits(typing, x):  # type: ignore[no-untyped-def]
    """The bits of a float as an integer."""
    return types.int64(types.float64), lambda context, builder, signature, arguments: builder.bitcast(
        arguments[0], context.get_value_type(types.int64))


@intrinsic
def _from_bits(typing, x):  # type: ignore[no-untyped-def]
    """The float that has these bits."""
    return types.float64(types.int64), lambda context, builder, signature, arguments: builder.bitcast(
        arguments[0], context.get_value_type(types.float64))


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def next_word(words, c):  # type: ignore[no-untyped-def]
    """64 random bits of lane c of a block; its state moves on (xoshiro256++)."""
    s0, s1, s2, s3 = words[c], words[LANES + c], words[2 * LANES + c], words[3 * LANES + c]
    total = s0 + s3
    word = ((total << _S23) | (total >> _S41)) + s0
    shifted = s1 << _S17
    s2 ^= s0
    s3 ^= s1
    words[LANES + c] = s1 ^ s2
    words[c] = s0 ^ s3
    words[2 * LANES + c] = s2 ^ shifted
    words[3 * LANES + c] = (s3 << _S45) | (s3 >> _S19)
    return word


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def exponential(word):  # type: ignore[no-untyped-def]
    """-ln u of mean 1, with u = (j + 1/2) 2^-52 of the upper 52 bits j of a word; relative error below 1e-15.

    u = 2^e m, m in [sqrt(1/2), sqrt 2); ln m = 2 artanh(s), s = (m - 1) / (m + 1), by the polynomial of fdlibm's e_log.c.
    """
    u = (np.float64(np.int64(word >> _S12)) + 0.5) * 2.0 ** -52
    bits = _to_bits(u)  # type: ignore[call-arg, var-annotated]
    e = (bits - _SQRT_HALF) >> 52
    m = _from_bits(bits - (e << 52))
    s = (m - 1.0) / (m + 1.0)
    z = s * s
    r = 1.531383769920937332e-01 + z * 1.479819860511658591e-01
    r = 2.222219843214978396e-01 + z * (1.818357216161805012e-01 + z * r)
    r = 6.666666666666735130e-01 + z * (3.999999999940941908e-01 + z * (2.857142874366239149e-01 + z * r))
    return -(np.float64(e) * math.log(2.0) + (s * 2.0 + s * z * r))


@njit(cache=True, error_model="numpy", fastmath={"contract"}, forceinline=True)
def direction(word):  # type: ignore[no-untyped-def]
    """cos phi and sin phi of a uniform angle phi; error below 2e-16.

    An angle in [-pi/4, pi/4) from all bits, by fdlibm's k_cos.c and k_sin.c; the lowest two bits, too small to matter for
    it, say whether the cosine is negated and whether the two are exchanged, which covers the circle evenly.
    """
    x = np.float64(np.int64(word)) * _ANGLE
    z = x * x
    s = -2.50507602534068634195e-08 + z * 1.58969099521155010221e-10
    s = -1.98412698298579493134e-04 + z * (2.75573137070700676789e-06 + z * s)
    s = x + x * z * (-1.66666666666666324348e-01 + z * (8.33333333332248946124e-03 + z * s))
    c = 2.08757232129817482790e-09 + z * -1.13596475577881948265e-11
    c = 2.48015872894767294178e-05 + z * (-2.75573143513906633035e-07 + z * c)
    c = 1.0 + z * (-0.5 + z * (4.16666666666666019037e-02 + z * (-1.38888888888741095749e-03 + z * c)))
    c = -c if word & _FLIP else c
    return (s, c) if word & _SWAP else (c, s)


@njit(cache=True, error_model="numpy", fastmath={"contract"})
def fill_normals(words, out):  # type: ignore[no-untyped-def]
    """Standard normals for a block of streams: out (2 r LANES,) is r pairs of rows, two numbers of each stream per pair."""
    for pair in range(out.size // (2 * LANES)):
        rows = out[2 * LANES * pair:2 * LANES * (pair + 1)]
        for c in range(LANES):
            radius = math.sqrt(2.0 * exponential(next_word(words, c)))
            x, y = direction(next_word(words, c))
            rows[c] = radius * x
            rows[LANES + c] = radius * y
