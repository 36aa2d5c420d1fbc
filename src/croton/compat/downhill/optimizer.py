"""Optimizers: a loss, its parameters, and the loop of epochs and validations that brings the loss down."""

from __future__ import annotations

import inspect
import itertools
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from croton import tensor as T
from croton.compat.downhill.dataset import Batches, Dataset, as_batches
from croton.compile import function, shared
from croton.gradient import grad as gradient
from croton.graph.core import SharedVariable, Variable
from croton.graph.walk import explicit_inputs
from croton.graph.walk import inputs as edge
from croton.nets.registry import Registrar, nearest
from croton.nets.training.loop import Best, Monitors, Schedule
from croton.nets.training.progress import Progress
from croton.settings import config

Pair = tuple[Any, Any]

# The hyper-parameters of every optimizer.
COMMON = {
    "learning_rate": 1e-4,
    "momentum": 0.0,
    "nesterov": False,
    "patience": 5,
    "validate_every": 10,
    "min_improvement": 0.0,
    "max_gradient_norm": 0.0,
    "max_gradient_elem": 0.0,
}
_OLD = ("max_gradient_clip", "gradient_clip")


class Optimizer(metaclass=Registrar):
    """Minimizes a loss by steps on its parameters. As downhill.Optimizer.

    Arguments:
      ``loss``: a scalar expression. ``params``: the shared variables to change; by default all with real values that
      the loss depends on. ``inputs``: the variables that batches give values to; by default those it depends on.
      ``updates``: pairs, for shared variables of the loss's own. ``monitors``: a dict, or pairs, from names to scalar
      expressions. ``monitor_gradients``: whether to watch the squared norm of each gradient.

    A subclass with ``_get_updates_for(param, grad)`` is an algorithm, known by its lower-cased name: it yields
    (``param``, what to take off it), and (shared variable, new value) for what it remembers, as ``shared_like`` makes.

    >>> import numpy, croton
    >>> x = croton.shared(numpy.array([3.0, -1.0]), name='x')
    >>> train, _ = build('sgd', (x ** 2).sum()).minimize(learning_rate=0.25, max_updates=3)
    validation ...
    >>> train['loss'], x.get_value()
    (0.625, array([ 0.375, -0.125]))
    """

    nesterov: bool = False

    def __init__(
        self,
        loss: Any,
        params: Iterable[Any] | None = None,
        inputs: Iterable[Any] | None = None,
        updates: Any = (),
        monitors: Any = (),
        monitor_gradients: bool = False,
    ) -> None:
        found_inputs, found = find_inputs_and_params(loss)
        self._updates = list(updates.items() if isinstance(updates, Mapping) else updates)
        changed = [variable for variable, _ in self._updates]
        self._loss = loss
        self._params = list(params or ()) or [p for p in found if p not in changed and np.dtype(p.dtype).kind == "f"]
        self._inputs = found_inputs if inputs is None else list(inputs)
        if not self._params:
            raise ValueError(
                "the loss depends on no shared variable with real values: there is nothing to minimize it by"
            )
        pairs = monitors.items() if isinstance(monitors, Mapping) else monitors
        self._monitors: list[tuple[str, Any]] = [("loss", loss), *pairs]
        if monitor_gradients:
            squares = gradient(loss, self._params)
            names = [p.name or f"unnamed{k}" for k, p in enumerate(self._params)]
            self._monitors += [(f"grad({n})", T.sum(T.sqr(g))) for n, g in zip(names, squares, strict=True)]
        self._best_params = self._values()
        self.f_eval: Callable[..., Any] | None = None
        self.f_step: Callable[..., Any] | None = None

    def _values(self) -> list[np.ndarray]:
        return [p.get_value() for p in self._params]

    # --- steps ---

    def get_updates(self, **kwargs: Any) -> Iterator[Pair]:
        """The updates of one step, for ``theano.function``; the keywords are hyper-parameters.

        With Δ what the algorithm takes off a parameter p and μ the momentum: p ← p - Δ; or v ← μv - Δ and p ← p + v;
        or, Nesterov's, p ← p + μv - Δ of the new v.
        """
        self._check(kwargs)
        self._prepare(**kwargs)
        for param, g in self._differentiate():
            for variable, value in self._get_updates_for(param, g):
                if variable is param:
                    yield from self._moved(param, value)
                else:
                    yield variable, value

    def _moved(self, param: Any, step: Any) -> Iterator[Pair]:
        change = -step
        if self.momentum:
            velocity = shared_like(param, "vel")
            faster = T.cast(self.momentum * velocity - step, param.dtype)
            yield velocity, faster
            change = self.momentum * faster - step if self.nesterov else faster
        yield param, T.cast(param + change, param.dtype)

    def _get_updates_for(self, param: Any, grad: Any) -> Iterator[Pair]:
        raise NotImplementedError(f"{type(self).__name__} has no _get_updates_for, which says how a parameter changes")

    def _differentiate(
        self, params: Sequence[SharedVariable] | None = None
    ) -> Iterator[tuple[SharedVariable, Variable]]:
        """(parameter, gradient), each gradient clipped on its own: its elements, else its norm."""
        wanted = self._params if params is None else list(params)
        for param, g in zip(wanted, gradient(self._loss, wanted), strict=True):
            if self.max_gradient_elem > 0:
                g = T.clip(g, -self.max_gradient_elem, self.max_gradient_elem)
            elif self.max_gradient_norm > 0:
                # The larger of norm and limit below the line: a gradient of zero must not be divided by its norm.
                g = g * (self.max_gradient_norm / T.maximum(T.sqrt(T.sum(T.sqr(g))), self.max_gradient_norm))
            yield param, g

    def _prepare(self, **kwargs: Any) -> None:
        """Take the hyper-parameters; an algorithm with more of them takes its own first."""
        for old in _OLD:
            if old in kwargs:
                warnings.warn(f"{old}= is an old name: use max_gradient_elem=", DeprecationWarning, stacklevel=4)
                kwargs.setdefault("max_gradient_elem", kwargs.pop(old))
        given = {**COMMON, "nesterov": type(self).nesterov, **kwargs}
        rate = given["learning_rate"]
        self.learning_rate = rate if callable(rate) else as_float(rate)
        self.momentum = float(given["momentum"])
        self.nesterov = bool(given["nesterov"]) or type(self).nesterov
        self.patience, self.validate_every = given["patience"], given["validate_every"]
        self.min_improvement = given["min_improvement"]
        self.max_gradient_norm, self.max_gradient_elem = given["max_gradient_norm"], given["max_gradient_elem"]
        if not 0 <= self.momentum < 1:
            raise ValueError(f"momentum={self.momentum}: must be from 0 to below 1")

    def _check(self, kwargs: dict[str, Any]) -> None:
        """Refuse a keyword that no optimizer knows; leave out, with a warning, one that only others know."""
        own = {*COMMON, *_OLD, *type(self)._own()}
        for cls in type(self).__mro__:
            if "_prepare" in vars(cls):
                own.update(inspect.signature(vars(cls)["_prepare"]).parameters)
        others = {name for other in Optimizer._registry.values() for name in other._own()}  # type: ignore[attr-defined]
        for key in list(kwargs):
            if key in own:
                continue
            if key not in others:
                raise TypeError(
                    f"{type(self).__name__} has no hyper-parameter {key!r}: {nearest(key, {*own, *others})}"
                )
            warnings.warn(f"{key}= has no effect on {type(self).__name__}", stacklevel=4)
            del kwargs[key]

    @classmethod
    def _own(cls) -> Sequence[str]:
        """The hyper-parameters beyond the common ones."""
        return ()

    # --- the loop ---

    def iterate(
        self, train: Any = None, valid: Any = None, max_updates: int | None = None, **kwargs: Any
    ) -> Iterator[tuple[Monitors, Monitors]]:
        """Minimize, yielding (training monitors, validation monitors) after each pass over ``train``.

        ``train``, ``valid``: a ``Dataset``, an iterable of batches, or a list of arrays; None for a loss without
        inputs. Without ``valid`` the training data are validated on. Validation comes before the first pass and every
        ``validate_every`` passes; more than ``patience`` validations in a row without a relative ``min_improvement``
        end it, as do ``max_updates`` passes and Ctrl-C. In the end the parameters are those of the best validation if
        there are validation data, else the last.
        """
        self._compile(**kwargs)
        schedule = Schedule(self.patience, self.validate_every, self.min_improvement, max_updates)
        judged = valid is not None
        data = as_batches(train)
        other = as_batches(valid) if judged else data
        with Progress(type(self).__name__.lower()) as progress:
            yield from self._epochs(data, other, schedule, progress)
            broken = not all(np.isfinite(value).all() for value in self._values())
            if judged or broken:
                self.set_params("best")

    def _epochs(
        self, data: Any, other: Any, schedule: Schedule, progress: Progress
    ) -> Iterator[tuple[Monitors, Monitors]]:
        best, seen = Best(), {}
        last = schedule.max_updates
        for epoch in itertools.count():
            if epoch == last:
                return
            try:
                if epoch % schedule.validate_every == 0:
                    seen = self._validate(other, best, schedule, progress)
                    if best.count - best.at > schedule.patience:
                        progress.say("patience elapsed")
                        return
                progress.began()
                monitors, examples = self._pass(self.f_step, data)
                progress.epoch(epoch, monitors, examples, last and last - 1)
                if epoch + 1 == last:
                    seen = self._validate(other, best, schedule, progress)
            except KeyboardInterrupt:
                progress.say("interrupted")
                return
            yield monitors, dict(seen)

    def _validate(self, data: Any, best: Best, schedule: Schedule, progress: Progress) -> Monitors:
        seen, _ = self._pass(self.f_eval, data)
        better = best.offer(seen["loss"], self._values(), schedule)
        if better:
            self._best_params = list(best.params or ())
        progress.validation(best.count - 1, seen, better)
        return seen

    def _pass(self, run: Any, data: Any) -> tuple[Monitors, int]:
        """(the averages of the monitors over the examples of a pass, how many examples there were)."""
        axis = getattr(data, "axis", 0)
        sums, count, seen = np.zeros(len(self._monitors)), 0, 0
        for batch in data.iterate() if isinstance(data, Dataset) else data:
            if len(batch) != len(self._inputs):
                names = ", ".join(str(v) for v in self._inputs) or "none"
                raise ValueError(f"a batch holds {len(batch)} arrays; the loss has {len(self._inputs)} inputs: {names}")
            arrays = [_cast(v, a) for v, a in zip(self._inputs, batch, strict=True)]
            shape = np.shape(arrays[0]) if arrays else ()
            size = shape[axis] if len(shape) > axis else 1
            sums += size * np.array([float(value) for value in run(*arrays)])
            count, seen = count + size, seen + 1
        if not seen:
            raise ValueError("the data hold no batch")
        return dict(zip([name for name, _ in self._monitors], (sums / count).tolist(), strict=True)), count

    def _compile(self, **kwargs: Any) -> None:
        """Make ``f_step``, which makes a step, and ``f_eval``, which does not; both return the monitors."""
        values = [value for _, value in self._monitors]
        steps = list(self.get_updates(**kwargs))
        self._compile_eval(values)
        self.f_step = function(
            self._inputs, values, updates=[*self._updates, *steps], name=type(self).__name__, on_unused_input="ignore"
        )

    def _compile_eval(self, values: Sequence[Any]) -> None:
        if self.f_eval is None:
            self.f_eval = function(
                self._inputs, values, updates=self._updates, name="evaluation", on_unused_input="ignore"
            )

    def minimize(self, *args: Any, **kwargs: Any) -> tuple[Monitors, Monitors] | None:
        """Go through ``iterate`` and return the last pair of monitors, or None where there was no pass."""
        last = None
        for last in self.iterate(*args, **kwargs):  # noqa: B007
            pass
        return last

    def evaluate(self, dataset: Any = None) -> Monitors:
        """The averages of the monitors over a data set, which is given as for ``iterate``."""
        self._compile_eval([value for _, value in self._monitors])
        return self._pass(self.f_eval, as_batches(dataset))[0]

    def set_params(self, targets: Any = None) -> None:
        """Set the parameters to these values, or to the best seen so far where they are no list."""
        values = targets if isinstance(targets, list | tuple) else self._best_params
        for param, value in zip(self._params, values, strict=True):
            param.set_value(np.asarray(value, param.dtype))


def _cast(variable: Any, array: Any) -> Any:
    """Real data as the variable's float type, and integers as its integer type if they fit; the rest as it is."""
    if isinstance(array, Variable):
        raise TypeError(f"a batch holds the symbolic {array} for {variable}: batches hold arrays")
    array = array if hasattr(array, "tocsr") else np.asarray(array)
    kinds = np.dtype(variable.dtype).kind + array.dtype.kind
    if kinds[0] == "f" and kinds[1] in "fiub":
        return array.astype(variable.dtype)
    if kinds in ("ii", "iu", "ib", "ui", "uu", "ub") and not hasattr(array, "tocsr"):
        cast = array.astype(variable.dtype)
        return cast if (cast == array).all() else array
    return array


# --- what the package offers besides ---


def build(
    algo: str,
    loss: Any,
    params: Any = None,
    inputs: Any = None,
    updates: Any = (),
    monitors: Any = (),
    monitor_gradients: bool = False,
) -> Optimizer:
    """The optimizer called ``algo``, whatever its case; see ``Optimizer``. As downhill.build.

    Raises KeyError, naming the nearest, for an unknown one.
    """
    made: Optimizer = Optimizer.build(
        algo, loss, params, inputs, updates=updates, monitors=monitors, monitor_gradients=monitor_gradients
    )
    return made


def minimize(
    loss: Any,
    train: Any,
    valid: Any = None,
    params: Any = None,
    inputs: Any = None,
    algo: str = "rmsprop",
    updates: Any = (),
    monitors: Any = (),
    monitor_gradients: bool = False,
    batch_size: int = 32,
    train_batches: int | None = None,
    valid_batches: int | None = None,
    **kwargs: Any,
) -> tuple[Monitors, Monitors] | None:
    """Minimize ``loss`` over data, and return the last (training monitors, validation monitors). As downhill.minimize.

    ``train``, ``valid``: a ``Dataset``, or what one is made of: batches of ``batch_size``, and so many of them in a
    pass. The rest as for ``Optimizer`` and its ``iterate``.
    """
    made = []
    for name, given, count in (("train", train, train_batches), ("valid", valid, valid_batches)):
        ready = given is None or isinstance(given, Dataset | Batches)
        made.append(given if ready else Dataset(given, name, batch_size, count))
    optimizer = build(algo, loss, params, inputs, updates, monitors, monitor_gradients)
    return optimizer.minimize(*made, **kwargs)


def find_inputs_and_params(node: Variable) -> tuple[list[Any], list[Any]]:
    """(the variables that need a value from outside, the shared variables) that an expression depends on."""
    return explicit_inputs([node]), [v for v in edge([node]) if isinstance(v, SharedVariable)]


def shared_like(param: Any, suffix: str, init: Any = 0) -> Any:
    """A shared variable of a parameter's shape and type, filled with ``init``, called ``{parameter}_{suffix}``."""
    value = np.zeros_like(param.get_value()) + np.asarray(init, param.dtype)
    return shared(value, name=f"{param.name}_{suffix}", broadcastable=param.broadcastable)


def as_float(x: Any) -> Any:
    """``x``, a number or an expression, as an expression of type ``config.floatX``."""
    return T.cast(T.as_tensor_variable(x), config.floatX)
