"""Networks: layers, the losses on their outputs, and what can be asked of them."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

import numpy as np

from croton.compile import Function, function
from croton.graph.core import SharedVariable, Variable
from croton.nets import monitors as monitoring
from croton.nets import regularizers as regularizing
from croton.nets import spec
from croton.nets.checking import Expected, accept_all
from croton.nets.layers import Input, Layer
from croton.nets.losses import Loss
from croton.nets.registry import UnknownName, nearest
from croton.nets.util import ConfigurationError, as_random_state
from croton.settings import config


class Network:
    """A network of layers. As theanets.graph.Network.

    Arguments:
      ``layers``: for each layer a size, a tuple of size, form and activation in any order, a dict of keywords, the name
      of a form, or a ``Layer``. The first is the input, the last gets the model's output activation.
      ``loss``: the name of a loss, a dict with ``form`` and keywords, a ``Loss``, or None.
      ``weighted``: whether targets come with weights. ``rng``: an int seed, a numpy RandomState or Generator, or None.

    Attributes: ``layers`` and ``losses``, lists.

    >>> from croton import nets
    >>> net = nets.Network([4, (8, 'tanh'), 2])
    >>> [layer.name for layer in net.layers], net.num_params
    (['in', 'hid1', 'out'], 58)
    >>> net.predict([[0, 0, 0, 0], [1, 1, 1, 1]]).shape
    (2, 2)
    """

    DEFAULT_OUTPUT_ACTIVATION: ClassVar[str] = "linear"
    #: Dimensions of input and target arrays, that of the examples included.
    INPUT_NDIM: ClassVar[int] = 2
    OUTPUT_NDIM: ClassVar[int] = 2

    def __init__(self, layers: Sequence[Any] = (), loss: Any = "mse", weighted: bool = False, rng: Any = 13) -> None:
        self._rng = as_random_state(rng)
        self._functions: dict[Any, Any] = {}
        self.layers: list[Layer] = []
        self.losses: list[Loss] = []
        layers = _listed(layers)
        for k, given in enumerate(layers):
            self.add_layer(given, is_output=k == len(layers) - 1 and k > 0)
        if isinstance(loss, Loss):
            if weighted and loss._weights is None:
                raise TypeError(
                    "weighted=True, but the loss is built already, without weights: build it with weighted=True"
                )
            self.add_loss(loss)
        elif loss and self.layers:
            self.add_loss(loss, **({} if isinstance(loss, Loss) and not weighted else {"weighted": weighted}))

    # --- building ---

    def add_layer(self, layer: Any = None, is_output: bool = False, **kwargs: Any) -> None:
        """Append a layer, given as for the constructor, or by keywords alone.

        ``is_output``: whether it is called ``out`` and gets the model's output activation. Keywords lose against what
        ``layer`` says. Raises what the layer's form raises; LayerError for an input that is no earlier layer;
        ConfigurationError for a name that is taken. The network is unchanged then.
        """
        with self.typed():
            made = spec.build_layer(
                {} if layer is None else layer,
                self.layers,
                defaults={
                    "name": "out" if is_output else f"hid{len(self.layers)}",
                    "activation": self.DEFAULT_OUTPUT_ACTIVATION if is_output else "relu",
                    "rng": self._rng,
                },
                first={"name": f"in{len(self.layers)}" if self.layers else "in", "ndim": self.INPUT_NDIM},
                extra=kwargs,
            )
        if any(made.name == other.name for other in self.layers):
            raise ConfigurationError(f"two layers are called {made.name!r}: pass another name=")
        self.layers.append(made)

    def add_loss(self, loss: Any = None, **kwargs: Any) -> None:
        """Add a loss; the network minimizes the weighted sum of its losses.

        ``loss``: a name, a dict with ``form`` and keywords, a ``Loss``, or None for 'mse'. Keywords, as of ``Loss``:
        ``target`` (dimensions of the target array, or a variable), ``weight``, ``weighted``, ``output_name``, and the
        loss's own. Two losses of one output share their target where it has the same type; each other output has a
        target of its own, which data give in the order of ``variables``.
        """
        if isinstance(loss, Loss):
            if kwargs:
                raise TypeError(f"the loss is built already: {', '.join(kwargs)} cannot reach it any more")
            self.losses.append(loss)
            return
        if isinstance(loss, type) and issubclass(loss, Loss):
            loss = loss.__name__
        if loss is not None and not isinstance(loss, str | Mapping):
            raise TypeError(
                f"loss={loss!r}: pass the name of a loss, a dict with form and keywords, or a Loss; a "
                "function becomes a loss "
                "as the __call__ of a subclass of Loss"
            )
        said = {**kwargs, **(dict(loss) if isinstance(loss, Mapping) else {"form": loss or "mse"})}
        form = said.pop("form", "mse")
        said.setdefault("output_name", self._last().output_name())
        said.setdefault("target", self._default_target())
        with self.typed():
            made = Loss.build(form, **said)
        self._share_target(made)
        self.losses.append(made)

    def set_loss(self, *args: Any, **kwargs: Any) -> None:
        """Replace all losses by one, given as for ``add_loss``."""
        before, self.losses = self.losses, []
        try:
            self.add_loss(*args, **kwargs)
        except BaseException:
            self.losses = before
            raise

    def _default_target(self) -> Any:
        return self.OUTPUT_NDIM

    @property
    def dtype(self) -> str:
        """The network's float type: that of its inputs, or ``config.floatX`` where there are none yet."""
        return str(self.inputs[0].dtype) if self.inputs else config.floatX

    def typed(self) -> AbstractContextManager[Any]:
        """A context in which ``config.floatX`` is the network's own type."""
        return config(floatX=self.dtype)

    def _share_target(self, made: Loss) -> None:
        """One target for all losses of an output; another name for that of another output."""
        for other in self.losses:
            if other.output_name == made.output_name:
                if other._target.type == made._target.type:
                    made._target = other._target
                if (
                    made._weights is not None
                    and other._weights is not None
                    and other._weights.type == made._weights.type
                ):
                    made._weights = other._weights
        known = self.variables
        names = [v.name for v in known]
        for v in (made._target, made._weights):
            if v is not None and v not in known and v.name in names:
                layer, _, output = made.output_name.partition(":")
                base = f"{v.name}_{layer}" + (f"_{output}" if output != "out" else "")
                number = next(k for k in range(1, len(names) + 2) if (base if k == 1 else f"{base}{k}") not in names)
                v.name = base if number == 1 else f"{base}{number}"

    def _last(self) -> Layer:
        if not self.layers:
            raise ConfigurationError("the network has no layers: add some with add_layer")
        return self.layers[-1]

    # --- what it has ---

    @property
    def inputs(self) -> list[Any]:
        """The input variables, in the order of the layers."""
        return [layer.input for layer in self.layers if isinstance(layer, Input)]

    @property
    def variables(self) -> list[Any]:
        """The variables that the loss is computed from: inputs, targets, weights. Data come in this order."""
        found = list(self.inputs)
        for loss in self.losses:
            # What is computed, as the dense form of a sparse input, needs no data of its own.
            found += [v for v in loss.variables if v not in found and v.owner is None]
        return found

    @property
    def params(self) -> list[SharedVariable]:
        """The learnable parameters, layer by layer."""
        return list(dict.fromkeys(p for layer in self.layers for p in layer.params))

    @property
    def num_params(self) -> int:
        """The number of learnable numbers."""
        return sum(int(p.get_value(borrow=True).size) for p in self.params)

    def find(self, which: int | str, param: int | str) -> SharedVariable:
        """A parameter, by the layer's name or index (0 is the input) and the parameter's name or index there.

        Raises KeyError, naming the nearest, if there is no such layer or parameter.

        >>> from croton import nets
        >>> nets.Regressor([2, 3, 1]).find("hid1", "w").name
        'hid1.w'
        """
        return self._layer(which).find(param)

    def _layer(self, which: Any) -> Layer:
        if isinstance(which, Layer) and which in self.layers:
            return which
        if isinstance(which, str):
            for layer in self.layers:
                if layer.name == which.partition(":")[0]:
                    return layer
        elif isinstance(which, int | np.integer) and -len(self.layers) <= which < len(self.layers):
            return self.layers[which]
        raise UnknownName(f"the network has no layer {which!r}: {nearest(which, [x.name for x in self.layers])}")

    # --- expressions ---

    def build_graph(
        self, regularizers: Sequence[regularizing.Regularizer] = (), given: Mapping[str, Variable] | None = None
    ) -> tuple[dict[str, Variable], list[tuple[SharedVariable, Variable]]]:
        """Connect the layers: (full output name -> expression, updates).

        The outputs also hold each input under its bare name, and the last layer's under ``'out'``. ``regularizers``
        may change outputs as they are made. ``given``: expressions known beforehand, by full name; an output named
        there takes the place of what its layer computes.

        Raises LayerError where a layer reads an output that no earlier layer makes.
        """
        outputs: dict[str, Variable] = dict(given or {})
        updates: list[tuple[SharedVariable, Variable]] = []
        with self.typed():
            for layer in self.layers:
                made, changes = layer.connect(outputs)
                for regularizer in regularizers:
                    regularizer.modify_graph(made)
                made.update({k: v for k, v in (given or {}).items() if k in made})
                outputs.update(made)
                updates.extend(changes)
                if isinstance(layer, Input):
                    outputs[layer.name] = outputs[layer.output_name()]
                outputs["out"] = outputs[layer.output_name()]
        return outputs, updates

    def _regularized(self, kwargs: Mapping[str, Any]) -> tuple[list[Any], dict[str, Variable], list[Any]]:
        """(regularizers, outputs, updates) for these regularizer keywords."""
        with self.typed():
            regularizers = regularizing.from_kwargs(self, **kwargs)
        outputs, updates = self.build_graph(regularizers)
        regularizing.check_matched(regularizers, outputs, self.layers)
        return regularizers, outputs, updates

    def loss(self, **kwargs: Any) -> Variable:
        """The objective: the sum of weight times loss over the losses, and the regularizers that ``kwargs`` name."""
        regularizers, outputs, _ = self._regularized(kwargs)
        return self._objective(regularizers, outputs)

    def _objective(self, regularizers: Sequence[Any], outputs: Mapping[str, Variable]) -> Variable:
        if not self.losses:
            raise ConfigurationError("the network has no loss: add one with set_loss")
        with self.typed():
            terms = [loss.weight * loss(outputs) for loss in self.losses]
            terms += [r.weight * term for r in regularizers if (term := r.loss(self.layers, outputs)) is not None]
            return sum(terms[1:], terms[0])

    def monitors(self, **kwargs: Any) -> list[tuple[str, Variable]]:
        """(name, expression) of what training watches besides the loss: ``err``, and what ``monitors=`` asks for.

        ``monitors``: a dict, or pairs, from a pattern of output or parameter names to levels: a number L (the share of
        values below L), a list of them, or a dict from labels to functions of the expression. Other keywords are
        regularizers.
        """
        asked = kwargs.pop("monitors", None)
        _, outputs, _ = self._regularized(kwargs)
        return self._monitored(asked, outputs)

    def _monitored(self, asked: Any, outputs: Mapping[str, Variable]) -> list[tuple[str, Variable]]:
        found = [("err", self.losses[0](outputs))] if self.losses else []
        return [*found, *monitoring.expand(asked, outputs, self.layers)]

    def updates(self, **kwargs: Any) -> list[tuple[SharedVariable, Variable]]:
        """The updates that go with a computation of the outputs."""
        return self._regularized(kwargs)[2]

    # --- functions ---

    def _cached(self, purpose: Any, kwargs: Mapping[str, Any], make: Any) -> Any:
        """What ``make`` makes, kept until layers or losses change; not for keywords that can change themselves."""
        if not _plain(list(kwargs.values())):
            return make()
        key = (purpose, repr(sorted(kwargs.items())), tuple(self.layers), tuple(self.losses))
        if key not in self._functions:
            if len(self._functions) >= config.structures_kept:
                self._functions.pop(next(iter(self._functions)))
            self._functions[key] = make()
        return self._functions[key]

    def _function(self, names: Sequence[str] | None, kwargs: Mapping[str, Any]) -> tuple[list[str], Function]:
        """(names, function) computing these outputs, or all, from the inputs."""

        def make() -> tuple[list[str], Function]:
            self._last()
            _, outputs, updates = self._regularized(kwargs)
            chosen = list(outputs) if names is None else list(names)
            for name in chosen:
                if name not in outputs:
                    raise UnknownName(f"the network has no output {name!r}: {nearest(name, outputs)}")
            wanted = [outputs[n] for n in chosen]
            run = function(self.inputs, wanted, updates=updates, on_unused_input="ignore", name="predict")
            run._program.share()
            return chosen, run

        return self._cached(None if names is None else tuple(names), kwargs, make)

    def _expected(self) -> list[Expected]:
        """What each input must look like."""
        layers = [layer for layer in self.layers if isinstance(layer, Input)]
        return [
            Expected(
                str(v.name),
                v.ndim,
                v.dtype,
                shape=layer.shape,
                sparse="csr" if layer.sparse is True else layer.sparse or None,
                time=self._keeps_time() and v.ndim == self.INPUT_NDIM,
            )
            for layer, v in zip(layers, self.inputs, strict=True)
        ]

    def _expected_data(self) -> list[Expected]:
        """What the arrays of a data set must look like, in the order of ``variables``."""
        found = dict(zip(self.inputs, self._expected(), strict=True))
        for loss in self.losses:
            layer = self._layer(loss.output_name)
            size = layer.output_shape(loss.output_name.partition(":")[2])[-1]
            ours = type(loss).__module__.startswith("croton.")
            for v in (v for v in loss.variables if v.owner is None):
                if v in found and self.inputs and v is self.inputs[0] and size != found[v].sizes[-1]:
                    raise ConfigurationError(
                        f"the target is the input, of size {found[v].sizes[-1]}, and layer {layer.name!r} "
                        f"gives {size}: make "
                        "them equal"
                    )
                labels = np.dtype(v.dtype).kind in "iu"
                more: dict[str, Any] = {"classes": size} if labels else {"width": size} if ours else {}
                if v is loss._weights:
                    more = {"weights": True}
                time = self._keeps_time() and v.ndim >= 2
                found.setdefault(v, Expected(str(v.name), v.ndim, v.dtype, time=time, **more))
        return list(found.values())

    def _keeps_time(self) -> bool:
        """Whether every output surely has the steps of the input: models of sequences say so."""
        return False

    def _arrays(self, x: Any, where: str) -> list[Any]:
        """One checked array for each input."""
        expected = self._expected()
        return accept_all(expected, as_arrays(x, [e.name for e in expected], where), where)

    def _compute(self, names: Sequence[str] | None, x: Any, where: str, kwargs: Mapping[str, Any]) -> dict[str, Any]:
        arrays = self._arrays(x, where)
        chosen, run = self._function(names, kwargs)
        self._fit_state(arrays[0].shape[0])
        return dict(zip(chosen, run(*arrays), strict=True))

    def _carried(self) -> list[SharedVariable]:
        """The states that layers carry from one batch to the next."""
        return [s for layer in self.layers for s in layer.carried]

    def _fit_state(self, batch: int) -> None:
        for state in self._carried():
            value = state.get_value(borrow=True)
            if len(value) != batch:
                state.set_value(np.zeros((batch, *value.shape[1:]), value.dtype))

    def reset_state(self) -> None:
        """Forget the states that recurrent layers with ``carry=True`` have kept: the next batch begins at zero."""
        for state in self._carried():
            state.set_value(np.zeros_like(state.get_value(borrow=True)))

    def feed_forward(self, x: Any, **kwargs: Any) -> dict[str, np.ndarray]:
        """Every output of every layer for the data ``x``: a dict from full names, and the aliases, to arrays.

        ``x``: an array, or for several inputs a dict from their names or a list in layer order. Keywords are
        regularizers (``input_noise=0.1``).

        >>> from croton import nets
        >>> sorted(nets.Regressor([2, 3, 1]).feed_forward([[0, 0]]))
        ['hid1:out', 'hid1:pre', 'in', 'in:out', 'out', 'out:out', 'out:pre']
        """
        return self._compute(None, x, "feed_forward", kwargs)

    def predict(self, x: Any, **kwargs: Any) -> np.ndarray:
        """The last layer's output for the data ``x``, given as for ``feed_forward``."""
        return self._output(x, "out", "predict", kwargs)

    def _output(self, x: Any, name: str, where: str, kwargs: Mapping[str, Any]) -> np.ndarray:
        full = self._last().output_name(name)
        return self._compute([full], x, where, kwargs)[full]

    def score(self, x: Any, y: Any, w: Any = None, **kwargs: Any) -> float:
        """R² of the predictions: the share of the targets' variance that they explain, 1 for perfect ones.

        R² = 1 - Σ w (y - ŷ)² / Σ w (y - ȳ)², ȳ the (weighted) mean of each column. ``w``: weights, of ``y``'s shape
        or one for each example. Other arguments as for ``predict``.
        """
        return r_squared(np.asarray(y), self.predict(x, **kwargs), w)

    # --- training ---

    def itertrain(
        self,
        train: Any,
        valid: Any = None,
        algo: Any = "rmsprop",
        subalgo: Any = "rmsprop",
        save_every: float = 0,
        save_progress: Any = None,
        **kwargs: Any,
    ) -> Generator[tuple[dict[str, float], dict[str, float]], None, Any]:
        """Train the network, yielding (training monitors, validation monitors) after each epoch.

        See ``train`` for the arguments. Nothing happens before the first ``next``. The parameters are in place
        whenever this yields: what the loop's body reads or sets is what training has reached or goes on from.
        """
        from croton.nets.training.trainers import itertrain

        return itertrain(self, train, valid, algo, subalgo, save_every, save_progress, **kwargs)

    def train(self, *args: Any, **kwargs: Any) -> tuple[dict[str, float], dict[str, float]] | None:
        """Train the network, and return the last epoch's (training monitors, validation monitors).

        Arguments, all by keyword but the first two:
          ``train``: the data, in the order of ``variables``: an array, a list of arrays, a dict by name, a callable
          that returns a batch, any iterable of batches, or a ``Dataset``. ``valid``: likewise, to judge by; the
          training data if None.
          ``algo``: 'rmsprop', 'sgd', 'nag', 'adam', 'adagrad', 'adadelta', 'rprop', 'esgd'; 'layerwise', 'pretrain'
          (both by ``subalgo``), 'sample'; or an object with a method ``itertrain``.
          ``batch_size`` (32), ``shuffle`` (True: examples come in a new order in each epoch), ``train_batches`` and
          ``valid_batches``, or ``iteration_size`` for both: minibatches in an epoch; ``axis`` of the examples (0).
          ``learning_rate`` (1e-4; a number, or a function of the step's number, as optax's schedules are), ``momentum``
          (0), ``nesterov`` (False), ``max_gradient_norm``, ``max_gradient_elem`` (0: no clipping), and the algorithm's
          own. ``validate_every`` (10 epochs), ``patience`` (5 validations), ``min_improvement`` (0, a share of the
          best loss), ``max_updates``: the number of epochs after which to end in any case.
          Regularizers by name: ``weight_l2=1e-4``, ``input_noise=0.1``, ``hidden_dropout={...}``, and others.
          ``monitors``: see there; ``monitor_gradients``: whether to watch the squared norm of each gradient.
          ``save_progress``: a file to write the network and the state of its training to (``{}`` in the name becomes
          the time), ``save_every``: an int, every so many epochs, or a float, minutes. ``resume``: a file so written,
          to go on from; where it does not exist yet, training begins, and writes there.
          ``rng``: a seed or generator for order and noise, the network's own if None. ``progress``: False for silence.

        The parameters with the best validation loss are kept in the end if there are validation data, else the last.
        Ctrl-C ends training as well, and leaves these. Monitors are averages over the examples of an epoch, of values
        before each step: ``loss``, the whole objective; ``err``, the first loss; ``acc`` for classifiers; and others.

        The monitors returned are of the last epoch, the parameters kept may be of an earlier one: ``score`` tells of
        those.

        Raises TypeError for a misspelt keyword, KeyError for an unknown algorithm, ValueError for data that do not fit,
        before any parameter changes. None is returned where there was no epoch. As theanets' ``train``.

        >>> import numpy as np
        >>> from croton import nets
        >>> net = nets.Regressor([2, 8, 1])
        >>> x = np.array([[0, 0], [0, 1], [1, 0], [1, 1]])
        >>> monitors, _ = net.train([x, x[:, :1]], algo='adam', learning_rate=0.01, max_updates=300, progress=False)
        >>> monitors['loss'] < 0.01
        True
        """
        last = None
        epochs = self.itertrain(*args, **kwargs)
        try:
            while True:
                try:
                    last = next(epochs)
                except KeyboardInterrupt:
                    # Between two epochs: the training hears of it as if it had come within one.
                    last = epochs.throw(KeyboardInterrupt())
        except StopIteration as end:
            # A checkpoint of a training that had ended: what its last epoch told.
            return last if last is not None else getattr(end.value, "told", None)

    # --- files and pictures ---

    def save(self, filename: Any) -> None:
        """Write the network to a file: layers, losses, parameters and random state.

        A pickle, gzipped if the name ends in ``.gz``; if it ends in ``.safetensors``, arrays with the description as a
        JSON header, a file that executes nothing. ``filename``: a name, a path, or an open binary file. The file is
        written beside its place and then renamed, so that an interruption leaves the old one whole.
        """
        from croton.nets.saving import save

        save(self, filename)

    @classmethod
    def load(cls, filename: Any, trust: Sequence[Any] = ()) -> Network:
        """The network that ``save`` wrote. ``trust``: classes of your own that a pickle may name.

        Raises ValueError for a file that is no network, FileNotFoundError.
        """
        from croton.nets.saving import load

        return load(filename, trust)

    def __reduce__(self) -> Any:
        """Networks are pickled and deeply copied as ``save`` writes them."""
        from croton.nets.document import document, restore

        return restore, (document(self),)

    def __copy__(self) -> Network:
        """A network that shares layers, losses and random state with this one."""
        copied = type(self).__new__(type(self))
        vars(copied).update(vars(self))
        return copied

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {' '.join(f'{x.name}({x.size})' for x in self.layers) or 'no layers'}>"

    def to_spec(self) -> dict[str, Any]:
        """The network's description in plain values, as JSON has them: model, layers and losses, no parameters."""
        return {
            "model": f"{type(self).__module__}.{type(self).__qualname__}",
            "layers": [layer.to_spec() for layer in self.layers],
            "losses": [loss.to_spec() for loss in self.losses],
        }

    def summary(self) -> str:
        """A table of the layers: name, form, inputs, output shape and parameters."""
        from croton.nets.seeing import summary

        return summary(self)

    def plot(self, filename: Any = None) -> Any:
        """A picture of the network's graph; needs matplotlib. Written to ``filename`` if given; returns the figure."""
        from croton.nets.seeing import plot

        return plot(self, filename)


def _plain(value: Any) -> bool:
    """Whether a keyword's value is numbers and text, in lists and dicts perhaps."""
    if isinstance(value, Mapping):
        return _plain(list(value.values()))
    if isinstance(value, list | tuple):
        return all(map(_plain, value))
    return value is None or isinstance(value, str | int | float | np.number)


def _listed(layers: Any) -> list[Any]:
    if isinstance(layers, str | Mapping) or not isinstance(layers, Sequence | Iterator):
        raise TypeError(f"layers={layers!r}: pass a list with one entry for each layer, as in [10, (20, 'tanh'), 3]")
    return list(layers)


def as_arrays(x: Any, names: Sequence[str], where: str) -> list[Any]:
    """The arrays for the variables called ``names``: from one array, a list in their order, or a dict by name."""
    if isinstance(x, Mapping):
        unknown = [k for k in x if k not in names]
        missing = [n for n in names if n not in x]
        if unknown or missing:
            raise ValueError(
                f"{where}: data are needed for {', '.join(names)}; "
                + "; ".join([f"{k!r} is not among them" for k in unknown] + [f"{n!r} is missing" for n in missing])
            )
        return [x[n] for n in names]
    if len(names) == 1:
        if isinstance(x, list | tuple) and len(x) != 1 and x and all(getattr(a, "ndim", 0) >= 1 for a in x):
            shapes = {a.shape for a in x}
            if len(shapes) > 1 or where in ("train", "valid"):
                raise ValueError(f"{where}: one array is needed, for {names[0]!r}, and {len(x)} were given")
        return [x]
    if isinstance(x, list | tuple) and len(x) == len(names):
        return list(x)
    raise ValueError(
        f"{where}: the network has the inputs {', '.join(names)}: pass a dict, or a list of {len(names)} arrays"
    )


def r_squared(y: np.ndarray, predicted: np.ndarray, w: Any = None) -> float:
    """R² of predictions, columns weighted by their variance; ``w`` as in ``Network.score``."""
    if y.ndim + 1 == predicted.ndim and predicted.shape[-1] == 1:
        y = y[..., None]
    if w is not None and not np.all(np.asarray(w) >= 0):
        raise ValueError("score: the weights w must be from 0 up; targets, where a model has any, come before them")
    if y.shape != predicted.shape:
        raise ValueError(f"score: the targets have shape {y.shape}, the predictions {predicted.shape}: they must agree")
    weights = np.ones(y.shape) if w is None else np.asarray(w, float)
    if weights.ndim < y.ndim:
        weights = weights.reshape(weights.shape + (1,) * (y.ndim - weights.ndim))
    weights = np.broadcast_to(weights, y.shape)
    axes = tuple(range(y.ndim - 1))
    wide, got = y.astype(float), predicted.astype(float)
    mean = (weights * wide).sum(axes) / weights.sum(axes)
    return float(1 - (weights * (wide - got) ** 2).sum() / (weights * (wide - mean) ** 2).sum())
