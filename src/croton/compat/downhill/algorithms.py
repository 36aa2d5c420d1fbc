"""The algorithms, each a step of one parameter computed by the optax transformation that nets train with."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
import numpy as np

from croton import tensor as T
from croton.compat.downhill.optimizer import COMMON, Optimizer, Pair
from croton.compile import shared
from croton.compile.wide import wide
from croton.graph.core import Apply, Op, Variable
from croton.nets.training import optimizers
from croton.nets.training.trainers import hessian_product
from croton.tensor.random import RandomStreams


class Transformed(Op):
    """A gradient, the parameter and the transformation's state -> what is added to the parameter, and the new state.

    ``form``: the state's structure. ``curved``: whether the Hessian times a random vector comes after the parameter.
    """

    def __init__(self, transformation: Any, form: Any, curved: bool) -> None:
        self.transformation, self.form, self.curved = transformation, form, curved

    def output_types(self, gradient: Variable, param: Variable, *state: Any, **_: Any) -> Sequence[Any]:
        return [param.type, *[leaf.type for leaf in state[self.curved :]]]

    def lower(self, context: Any, node: Apply, values: Sequence[Any]) -> Any:
        gradient, param, *state = [jnp.asarray(v) for v in values]
        extra = {"hessian_vector": state.pop(0)} if self.curved else {}
        step, after = self.transformation.update(gradient, jax.tree.unflatten(self.form, state), param, **extra)
        types = [output.type.dtype for output in node.outputs]  # type: ignore[attr-defined]
        return tuple(v.astype(d) for v, d in zip((step, *jax.tree.leaves(after)), types, strict=True))

    def connected(self, node: Apply) -> Sequence[bool]:
        return [False] * len(node.inputs)


class _Known(Optimizer):
    """An algorithm of ``croton.nets.training.optimizers``; momentum and clipping are the base's."""

    algorithm: ClassVar[str] = "sgd"

    @classmethod
    def _own(cls) -> list[str]:
        return [name for name in optimizers.parameters(cls.algorithm) if name not in COMMON]

    def _prepare(self, **kwargs: Any) -> None:
        own = {name: kwargs.pop(name) for name in self._own() if name in kwargs}
        rate = kwargs.get("learning_rate")
        rated = {} if rate is None or self.algorithm == "adadelta" else {"learning_rate": rate}
        self._transformation = optimizers.build(self.algorithm, **rated, **own)
        self._streams = RandomStreams(13)
        super()._prepare(**kwargs)

    def _get_updates_for(self, param: Any, grad: Any) -> Iterator[Pair]:
        curved = [hessian_product(grad, param, self._streams)] if self.algorithm == "esgd" else []
        state = wide(lambda value: self._transformation.init(jnp.asarray(value)))(param.get_value())
        leaves, form = jax.tree.flatten(state)
        kept = [shared(np.asarray(leaf), name=f"{param.name}_{self.algorithm}{k}") for k, leaf in enumerate(leaves)]
        step, *after = (
            Transformed(self._transformation, form, bool(curved))
            .make_node(T.cast(grad, param.dtype), param, *curved, *kept)
            .outputs
        )
        yield from zip(kept, after, strict=True)
        yield param, T.neg(step)


class SGD(_Known):
    """Δ = αg. As downhill.SGD."""


class NAG(SGD):
    """Δ = αg with Nesterov's momentum, where momentum is given. As downhill.NAG."""

    nesterov = True


class RProp(_Known):
    """Steps by the signs of gradients, iRprop⁻ (Igel and Hüsken, 2000). As downhill.RProp."""

    algorithm = "rprop"


class RMSProp(_Known):
    """Steps divided by the running deviation of gradients (Graves, 2013). As downhill.RMSProp."""

    algorithm = "rmsprop"


class ADAGRAD(_Known):
    """Steps divided by the root of all squared gradients (Duchi, Hazan and Singer, 2011). As downhill.ADAGRAD."""

    algorithm = "adagrad"


class ADADELTA(RMSProp):
    """Steps in proportion to those before (Zeiler, 2012). As downhill.ADADELTA."""

    algorithm = "adadelta"


class ESGD(RMSProp):
    """Steps divided by the running curvature (Dauphin et al., 2015). As downhill.ESGD."""

    algorithm = "esgd"


class Adam(RMSProp):
    """Steps by averages of gradients and their squares, corrected for their start (Kingma and Ba, 2015)."""

    algorithm = "adam"
