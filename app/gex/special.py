"""exp, log and erfcx without branches, for kernels to call.

`math.exp` under numba takes one number at a time; these the compiler turns into vector instructions. They expect finite
arguments in their stated ranges: whoever calls a kernel filters first.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import types
from numba.extending import intrinsic

from app.gex.jit import inline

SQRT_HALF = 0.7071067811865476
INVERSE_SQRT_2_PI = 0.3989422804014327


def _bit_cast(source: Any, target: Any) -> Any:
    """A function for kernels that reads the bits of one 64-bit type as another."""

    def cast(_context: Any, _value: Any) -> Any:
        def generate(context: Any, builder: Any, _signature: Any, args: Any) -> Any:
            return builder.bitcast(args[0], context.get_value_type(target))

        return target(source), generate

    return intrinsic(cast)


# Positive numbers are in the order of their bits, whose maximum the compiler finds in vectors; that of floats it can't.
as_float = _bit_cast(types.int64, types.float64)
as_bits = _bit_cast(types.float64, types.int64)


@inline
def fast_exp(value: float) -> float:
    """e to the value, 2e-16 relative, for |value| up to 700; below -700 it is as good as zero."""
    bounded = min(max(value, -700.0), 700.0)
    n = np.floor(bounded * 1.4426950408889634 + 0.5)
    r = (bounded - n * 0.6931471803691238) - n * 1.9082149292705877e-10
    p = 1.6059043836821613e-10
    p = p * r + 2.08767569878681e-09
    p = p * r + 2.505210838544172e-08
    p = p * r + 2.755731922398589e-07
    p = p * r + 2.7557319223985893e-06
    p = p * r + 2.48015873015873e-05
    p = p * r + 0.0001984126984126984
    p = p * r + 0.001388888888888889
    p = p * r + 0.008333333333333333
    p = p * r + 0.041666666666666664
    p = p * r + 0.16666666666666666
    p = p * r + 0.5
    p = p * r + 1.0
    p = p * r + 1.0
    return p * as_float((np.int64(n) + 1023) << 52)  # type: ignore[no-any-return]


@inline
def fast_log(value: float) -> float:
    """The natural logarithm of a positive normal number, 1e-16 absolute near one and relative elsewhere."""
    bits = as_bits(value)
    # the mantissa between sqrt(1/2) and sqrt(2)
    shifted = bits - 0x3FE6A09E667F3BCD
    n = shifted >> 52
    m = as_float(bits - (n << 52))
    s = (m - 1.0) / (m + 1.0)
    w = s * s
    # atanh(s) / s in s²
    p = -39.5674752381055
    p = ((p * w + 4.750206427454088) * w - 0.14887216674177992) * w + 0.09661111199763861
    p = ((p * w + 0.11103061517899958) * w + 0.14285776919940743) * w + 0.19999999753899866
    p = (p * w + 0.3333333333372939) * w + 0.9999999999999987
    return 2.0 * s * p + np.float64(n) * 0.6931471805599453  # type: ignore[no-any-return]


@inline
def fast_erfcx(z: float) -> float:
    """exp(z²) erfc(z), 4e-14 relative, for z of -1.5 and more."""
    # erfcx(z) (z + 4.5) as a polynomial in u, interpolated at Chebyshev nodes; four chains that run side by side
    scale = 1.0 / (z + 4.5)
    u = (z - 1.5) * scale
    v = u * u * u * u
    a = (
        (2.5937506170184526e-06 * v - 9.102123267776159e-05) * v - 0.0022410621730336467
    ) * v - 0.024317673765099343
    a = ((a * v + 1.9604775908163914) * v + 10.36795017648603) * v + 1.9295124987259271
    b = (
        (4.949117148364032e-07 * v + 8.281842046589759e-06) * v - 0.00010336643046887021
    ) * v - 0.01688846686041685
    b = ((b * v - 0.42753625178602694) * v - 9.799678389312215) * v - 3.9609125396457383
    c = (
        (-7.205332318941752e-07 * v + 6.988715742611224e-06) * v + 0.0004940097196342523
    ) * v + 0.009187196826507225
    c = ((c * v - 0.11393900666653428) * v + 7.538595574740092) * v + 6.597287030757213
    d = (
        (-2.963071757996522e-06 * v - 1.0263487099480156e-05) * v + 0.0016807545967081011
    ) * v + 0.12480919757870809
    d = (d * v - 4.54575902262332) * v - 9.074342058331982
    return ((d * u + c) * u + b) * u * scale + a * scale
