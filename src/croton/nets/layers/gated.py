"""Recurrent layers with gates: LSTM, GRU and MUT1."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from croton import tensor as T
from croton.graph.core import Variable
from croton.nets.layers.recurrent import Recurrent

__all__ = ["GRU", "LSTM", "MUT1"]


class LSTM(Recurrent):
    """Long short-term memory with peepholes. As theanets.layers.LSTM.

    With [a_i, a_f, a_c, a_o] = x_t @ xh + b + h_{t-1} @ hh, four blocks of columns in the order input, forget, cell,
    output, and s the logistic function:

        i = s(a_i + c_{t-1} ci), f = s(a_f + c_{t-1} cf), c_t = f c_{t-1} + i tanh(a_c),
        o = s(a_o + c_t co), h_t = o tanh(c_t).

    The layer's activation is not applied. F. Gers, N. Schraudolph, J. Schmidhuber, "Learning precise timing with LSTM
    recurrent networks", JMLR 3, 2002.

    >>> LSTM(5, 2).num_params == (7 + 4 * 5 + 4 * 2) * 5
    True

    Parameters: ``xh`` (input size, 4 size), ``hh`` (size, 4 size), ``b`` (4 size,) with mean 2, ``ci``, ``cf``,
    ``co`` (size,). Outputs: ``out`` (h), ``cell`` (c). States: ``h_0``, ``c_0``.
    """

    options: ClassVar[tuple[str, ...]] = ("c_0",)
    activates: ClassVar[bool] = False
    kept: ClassVar[Mapping[str, str]] = {"h_0": "out", "c_0": "cell"}

    def setup(self) -> None:
        self.add_weights("xh", self.input_size, 4 * self.size)
        self.add_weights("hh", self.size, 4 * self.size)
        self.add_bias("b", 4 * self.size, mean=2)
        for name in ("ci", "cf", "co"):
            self.add_bias(name, self.size)

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        n, hh, sigmoid = self.size, self.find("hh"), T.nnet.sigmoid
        x = self.in_time(inputs)
        ci, cf, co = (self.find(name) for name in ("ci", "cf", "co"))
        # Each gate has its own columns of xh, so that nothing of the size of all time steps is cut or joined.
        xh: Any = self.find("xh")
        b: Any = self.find("b")
        parts = [T.dot(x, xh[:, k * n : (k + 1) * n]) + b[k * n : (k + 1) * n] for k in range(4)]

        def step(a_i: Any, a_f: Any, a_c: Any, a_o: Any, h: Any, c: Any) -> list[Any]:
            a = T.dot(h, hh)
            i = sigmoid(a_i + a[:, :n] + c * ci)
            f = sigmoid(a_f + a[:, n : 2 * n] + c * cf)
            c = f * c + i * T.tanh(a_c + a[:, 2 * n : 3 * n])
            o = sigmoid(a_o + a[:, 3 * n : 4 * n] + c * co)
            return [o * T.tanh(c), c]

        return self.run(inputs, step, parts)


class GRU(Recurrent):
    """Gated recurrent units. As theanets.layers.GRU.

        r_t = s(x_t @ xr + br + h_{t-1} @ hr), z_t = s(x_t @ xz + bz + h_{t-1} @ hz),
        pre_t = x_t @ xh + bh + (r_t h_{t-1}) @ hh, h_t = (1 - z_t) h_{t-1} + z_t g(pre_t)

    with s the logistic function. K. Cho et al., "Learning phrase representations using RNN encoder-decoder", 2014,
    arXiv:1406.1078.

    >>> GRU(5, 2).num_params == 3 * (1 + 2 + 5) * 5
    True

    Parameters: ``xh``, ``xr``, ``xz`` (input size, size), ``hh``, ``hr``, ``hz`` (size, size), ``bh``, ``br``, ``bz``
    (size,). Outputs: ``pre``, ``hid`` (g(pre)), ``rate`` (z), ``out`` (h).
    """

    def setup(self) -> None:
        for name in ("xh", "xr", "xz"):
            self.add_weights(name, self.input_size, self.size)
        for name in ("hh", "hr", "hz"):
            self.add_weights(name, self.size, self.size)
        for name in ("bh", "br", "bz"):
            self.add_bias(name, self.size)

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        n, x, hh = self.size, self.in_time(inputs), self.find("hh")
        gates = T.concatenate([self.find("hr"), self.find("hz")], axis=1)

        def step(x_h: Any, x_r: Any, x_z: Any, h: Any) -> list[Any]:
            both = T.dot(h, gates)
            r = T.nnet.sigmoid(x_r + both[:, :n])
            z = T.nnet.sigmoid(x_z + both[:, n : 2 * n])
            pre = x_h + T.dot(r * h, hh)
            hid = self.activate(pre)
            return [(1 - z) * h + z * hid, pre, hid, z]

        parts = [self.affine(x, f"x{k}", f"b{k}") for k in "hrz"]
        return self.run(inputs, step, parts, ["pre", "hid", "rate"])


class MUT1(Recurrent):
    """The first of the recurrent layers that a search found. As theanets.layers.MUT1.

        z_t = s(x_t @ xz + bz), r_t = s(x_t @ xr + br + h_{t-1} @ hr),
        pre_t = tanh(x_t @ xh + bh) + (r_t h_{t-1}) @ hh, h_t = (1 - z_t) h_{t-1} + z_t tanh(pre_t)

    with s the logistic function. The layer's activation is not applied. R. Jozefowicz, W. Zaremba, I. Sutskever, "An
    empirical exploration of recurrent network architectures", ICML 2015.

    >>> MUT1(5, 2).num_params == (3 + 3 * 2 + 2 * 5) * 5
    True

    Parameters: ``xh``, ``xr``, ``xz`` (input size, size), ``hh``, ``hr`` (size, size), ``bh``, ``br``, ``bz`` (size,).
    Outputs: ``pre``, ``hid`` (tanh(pre)), ``rate`` (z), ``out`` (h).
    """

    activates: ClassVar[bool] = False

    def setup(self) -> None:
        for name in ("xh", "xr", "xz"):
            self.add_weights(name, self.input_size, self.size)
        for name in ("hh", "hr"):
            self.add_weights(name, self.size, self.size)
        for name in ("bh", "br", "bz"):
            self.add_bias(name, self.size)

    def transform(self, inputs: Mapping[str, Variable]) -> Any:
        """The outputs, and updates of carried states."""
        x, hh, hr = self.in_time(inputs), self.find("hh"), self.find("hr")
        rate = T.nnet.sigmoid(self.affine(x, "xz", "bz"))

        def step(x_h: Any, x_r: Any, z: Any, h: Any) -> list[Any]:
            r = T.nnet.sigmoid(x_r + T.dot(h, hr))
            pre = x_h + T.dot(r * h, hh)
            hid = T.tanh(pre)
            return [(1 - z) * h + z * hid, pre, hid]

        parts = [T.tanh(self.affine(x, "xh", "bh")), self.affine(x, "xr", "br"), rate]
        outputs, updates = self.run(inputs, step, parts, ["pre", "hid"])
        return {**outputs, "rate": rate.dimshuffle(1, 0, 2)}, updates
