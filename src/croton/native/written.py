"""What is computed, in C: of numbers, and of whole numbers and truths."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

# What is written in C for each primitive.
WRITTEN = {
    "add": "{0} + {1}",
    "sub": "{0} - {1}",
    "mul": "{0} * {1}",
    "div": "{0} / {1}",
    "neg": "-{0}",
    "abs": "fabsf({0})",
    "sqrt": "sqrtf({0})",
    "rsqrt": "1.0f / sqrtf({0})",
    "square": "{0} * {0}",
    "integer_pow": "{0} * {0}",
    "max": "{0} != {0} || {0} > {1} ? {0} : {1}",
    "min": "{0} != {0} || {0} < {1} ? {0} : {1}",
    "sign": "{0} > 0 ? 1.0f : {0} < 0 ? -1.0f : {0}",
    "lt": "{0} < {1}",
    "le": "{0} <= {1}",
    "gt": "{0} > {1}",
    "ge": "{0} >= {1}",
    "eq": "{0} == {1}",
    "ne": "{0} != {1}",
    "select_n": "{0} ? {2} : {1}",
    "broadcast_in_dim": "{0}",
}
# Besides, in the loops that know MATH: of numbers, and of whole numbers and truths.
ROWWISE = {
    **WRITTEN,
    "add_any": WRITTEN["add"],
    "tanh": "tanh_({0})",
    "exp": "exp_({0})",
    "log": "log_({0})",
    "logistic": "1.0f / (1.0f + exp_(-{0}))",
    "zero_keeping_product": "{1} == 0 ? 0.0f : {0} * {1}",
    "and": "{0} & {1}",
    "or": "{0} | {1}",
    "not": "!{0}",
    "convert_element_type": "{0}",
    "copy": "{0}",
}
COUNTING = {
    **{name: WRITTEN[name] for name in ("add", "sub", "mul", "neg", "lt", "le", "gt", "ge", "eq", "ne", "select_n")},
    **{name: ROWWISE[name] for name in ("and", "or")},
    "rem": "{1} == 0 ? {0} : {1} == -1 ? 0 : {0} % {1}",
}
# Of the headers that declare these, one is long to read in C++.
HEAD = """#define fabsf __builtin_fabsf
#define sqrtf __builtin_sqrtf
#define rintf __builtin_rintf
#define memcpy __builtin_memcpy
#define memset __builtin_memset
#define INFINITY __builtin_inff()
#define NAN __builtin_nanf("")
#if defined(__clang__)
#define EACH _Pragma("clang loop vectorize(assume_safety)")
#else
#define EACH _Pragma("GCC ivdep")
#endif
"""
# ``multiplied`` of kernels.cc.
PRODUCT = "typedef void Product(const float*, long, bool, const float*, float*, long, long, long, long, bool);\n"
# tanh is the quotient of polynomials that Eigen has; exp sums a series around the nearest whole power of 2, and log one
# around the power of 2 that is nearest to x in its logarithm (as Cephes).
MATH = """static inline float power_(int n) {
  int bits = (n + 127) << 23;
  float x;
  memcpy(&x, &bits, 4);
  return x;
}
static inline float exp_(float x) {
  x = x < -105.0f ? -105.0f : x;
  x = x > 89.0f ? 89.0f : x;
  const float n = rintf(x * 1.44269504f);
  const float r = (x - n * 0.693359375f) - n * -2.12194440e-4f;
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  p = p * r * r + r + 1.0f;
  const int whole = (int)n, half = whole >> 1;
  return p * power_(half) * power_(whole - half);
}
static inline float log_(float x) {
  const float y = x < 1.17549435e-38f ? x * 8388608.0f : x;
  int bits;
  memcpy(&bits, &y, 4);
  const int from = bits - 0x3f3504f3;
  const float e = (float)(from >> 23) - (x < 1.17549435e-38f ? 23.0f : 0.0f);
  bits = (from & 0x7fffff) + 0x3f3504f3;
  float m;
  memcpy(&m, &bits, 4);
  const float f = m - 1.0f, z = f * f;
  float p = 7.0376836292e-2f;
  p = p * f + -1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f + -1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f + -1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f + -2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  p = p * f * z + e * -2.12194440e-4f - 0.5f * z;
  p = f + p + e * 0.693359375f;
  p = x == INFINITY ? x : p;
  p = x == 0 ? -INFINITY : p;
  return x >= 0 ? p : NAN;
}
static inline float tanh_(float x) {
  float y = x < -7.90531111f ? -7.90531111f : x;
  y = y > 7.90531111f ? 7.90531111f : y;
  const float z = y * y;
  float p = -2.76076847742355e-16f;
  p = p * z + 2.00018790482477e-13f;
  p = p * z + -8.60467152213735e-11f;
  p = p * z + 5.12229709037114e-08f;
  p = p * z + 1.48572235717979e-05f;
  p = p * z + 6.37261928875436e-04f;
  p = p * z + 4.89352455891786e-03f;
  float q = 1.19825839466702e-06f;
  q = q * z + 1.18534705686654e-04f;
  q = q * z + 2.26843463243900e-03f;
  q = q * z + 4.89352518554385e-03f;
  return fabsf(x) < 0.0004f ? x : y * p / q;
}
"""


class Unfit(Exception):
    """Why a loop cannot be written so."""


def number(value: float) -> str:
    if math.isfinite(value):
        return f"({float(np.float32(value)).hex()}f)"
    return "NAN" if math.isnan(value) else f"({'-' * (value < 0)}INFINITY)"


def in_c(eqn: Any, table: dict[str, str]) -> str:
    """What an elementwise equation is in C."""
    name, params = eqn.primitive.name, eqn.params
    chosen = name == "select_n" and (len(eqn.invars) != 3 or eqn.invars[0].aval.dtype != np.bool_)
    odd = chosen or (name == "integer_pow" and params["y"] != 2)
    if odd or name not in table:
        raise Unfit(f"{name} of {', '.join(v.aval.str_short() for v in eqn.invars)}")
    return table[name]
