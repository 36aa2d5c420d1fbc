"""The ways to train a network: an optimizer on the whole, layer after layer, without labels, or by sampling data."""

from __future__ import annotations

import copy
import warnings
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from numbers import Integral, Real
from pathlib import Path
from typing import Any

import numpy as np

from croton import tensor as T
from croton.gradient import grad
from croton.graph.core import Variable
from croton.nets import regularizers as regularizing
from croton.nets import saving
from croton.nets.checking import accept_all
from croton.nets.document import document
from croton.nets.layers import Feedforward, Tied
from croton.nets.monitors import check_scalar
from croton.nets.network import Network, as_arrays
from croton.nets.training import optimizers
from croton.nets.training.checkpoints import Saver, State
from croton.nets.training.data import Dataset
from croton.nets.training.engine import Pass
from croton.nets.training.loop import Monitors, Training
from croton.nets.training.options import Options
from croton.nets.training.progress import Progress
from croton.nets.util import ConfigurationError, as_random_state
from croton.tensor.random import RandomStreams

Pair = tuple[Monitors, Monitors]
Pairs = Generator[Pair, None, Training | None]

# Minutes between the checkpoints of a training that says where, but not how often.
OFTEN = 1 / 6


def itertrain(
    network: Network,
    train: Any,
    valid: Any = None,
    algo: Any = "rmsprop",
    subalgo: Any = "rmsprop",
    save_every: float = 0,
    save_progress: Any = None,
    **kwargs: Any,
) -> Pairs:
    """See ``Network.train``. Returns the last training, where one was made."""
    if "algorithm" in kwargs:
        warnings.warn("algorithm= is an old name: use algo=", DeprecationWarning, stacklevel=3)
        algo = kwargs.pop("algorithm")
        algo = algo[0] if isinstance(algo, list | tuple) else algo
    if not isinstance(algo, str):
        if save_progress is not None:
            raise ConfigurationError("save_progress= goes with croton's own algorithms: save within itertrain's loop")
        yield from algo.itertrain(train, valid, **kwargs)
        return None
    name = algo.lower()
    resume = kwargs.get("resume")
    special = {"sample": sample, "layer": layerwise, "sup": layerwise, "pre": pretrain, "unsup": pretrain}
    way = next((way for prefix, way in special.items() if name.startswith(prefix)), None)
    if way is not None and resume is not None:
        raise ConfigurationError(
            f"resume= goes with one optimizer, and {algo!r} makes several trainings: train without it"
        )
    path = save_progress if save_progress is not None else resume
    every = _interval(save_every)
    if way is None:
        saver = Saver(path, every, lambda target, state: saving.save(network, target, state))
        return (yield from optimize(network, train, valid, name, saver, **kwargs))
    else:
        saver = Saver(path, every, lambda target, state: saving.save(network, target))
        return (yield from way(network, train, valid, subalgo, saver, **kwargs))


def _interval(every: Any) -> float:
    """How often to write checkpoints: an int for epochs, a float for minutes."""
    if isinstance(every, bool) or not isinstance(every, Real) or not float(every) >= 0:
        raise ValueError(f"save_every={every!r}: pass an int, every so many epochs, or a float, minutes")
    return int(every) or OFTEN if isinstance(every, Integral) else float(every) or OFTEN


# --- one optimizer on the whole network ---


def optimize(network: Network, train: Any, valid: Any, algo: str, saver: Saver, **kwargs: Any) -> Pairs:
    """Train all parameters by one algorithm."""
    options = Options.of(algo, kwargs)
    network._regularized(options.regularizers)
    return (yield from _optimize(network, train, valid, options, saver))


def _optimize(network: Network, train: Any, valid: Any, options: Options, saver: Saver) -> Pairs:
    with _unchanged(network):
        training = prepare(network, train, valid, options, saver)
        if options.resume is not None:
            if Path(options.resume).exists():
                training.resume(saving.resume(network, options.resume))
                training.progress.say(f"resumed from {options.resume} in epoch {training.epoch}")
            else:
                training.progress.say(f"there is no checkpoint {options.resume} yet: training begins")
    yield from training.epochs()
    return training


@contextmanager
def _unchanged(network: Network) -> Iterator[None]:
    """Where what is done within fails, the network's random state and constants are as they were before."""
    random = network._rng.get_state()
    constants = [(c, c.get_value()) for layer in network.layers for c in layer.constants]
    try:
        yield
    except BaseException:
        network._rng.set_state(random)
        for constant, value in constants:
            constant.set_value(value)
        raise


def prepare(network: Network, train: Any, valid: Any, options: Options, saver: Saver) -> Training:
    """The training that the options describe, checked, with nothing run yet."""
    if not network.losses:
        raise ConfigurationError("the network has no loss to train by: add one with set_loss")
    with network.typed():
        return _prepared(network, train, valid, options, saver)


def _prepared(network: Network, train: Any, valid: Any, options: Options, saver: Saver) -> Training:
    if saver.wanted:
        document(network)  # what cannot be saved is told now, not at the first checkpoint
    rng = network._rng if options.rng is None else as_random_state(options.rng)
    seeds = rng.randint(0, 2**31 - 1, 2)
    data = _datasets(network, train, valid, options.data, seeds)
    noisy = regularizing.from_kwargs(network, rng=rng, **options.regularizers)
    quiet = [r for r in noisy if not isinstance(r, regularizing.GaussianNoise | regularizing.BernoulliDropout)]
    names, training = _pass(network, noisy, options, trains=True)
    watched, validation = _pass(network, quiet, options, trains=False)
    progress = Progress(options.algo, options.progress)
    if valid is None and data[0].once:
        # What can be gone through only once is for training.
        options = replace(options, schedule=replace(options.schedule, validate_every=0))
    return Training(training, validation, *data, names, watched, options.schedule, valid is not None, progress, saver)


def _pass(network: Network, regularizers: Sequence[Any], options: Options, trains: bool) -> tuple[list[str], Pass]:
    """(names of the monitors, the pass that computes them), with steps of the optimizer where ``trains``."""
    outputs, updates = network.build_graph(regularizers)
    loss = network._objective(regularizers, outputs)
    monitors = [("loss", loss), *network._monitored(options.monitors, outputs)]
    check_scalar(monitors)
    weight = network.losses[0].batch_weight()
    params = network.params
    gradients = grad(loss, params, disconnected_inputs="ignore") if trains or options.monitor_gradients else []
    steps: dict[str, Any] = {}
    if trains:
        steps = {"gradients": gradients, "optimizer": optimizers.build(options.algo, **options.hyper)}
        if optimizers.needs_hessian(options.algo):
            streams = RandomStreams(int(network._rng.randint(2**31 - 1)))
            steps["products"] = [hessian_product(g, p, streams) for g, p in zip(gradients, params, strict=True)]
    if options.monitor_gradients:
        monitors += [(f"grad({p.name})", T.sum(T.sqr(g))) for p, g in zip(params, gradients, strict=True)]
    values = [value for _, value in monitors]
    # A schedule is a function, of which nobody knows whether it equals another.
    alike = not any(callable(v) for v in options.hyper.values())
    steps["identity"] = (trains, options.algo, repr(sorted(options.hyper.items()))) if alike else None
    made = Pass(network.variables, weight, values, updates, params, carried=network._carried(), **steps)
    return [name for name, _ in monitors], made


def hessian_product(gradient: Variable, param: Any, streams: RandomStreams) -> Variable:
    """The parameter's own block of the Hessian times a normal vector drawn anew at each step."""
    v = streams.normal(param.shape, ndim=param.ndim, dtype=param.dtype)
    product: Variable = grad(T.sum(gradient * v), param, consider_constant=[v], disconnected_inputs="ignore")
    return product


def _datasets(
    network: Network, train: Any, valid: Any, keywords: Mapping[str, Any], seeds: Any
) -> tuple[Dataset, Dataset]:
    """The training and the validation data; without any of its own, validation goes over the training data."""
    expected = network._expected_data()
    options = keywords
    keywords = dict(keywords)
    batches = {"train": keywords.pop("train_batches", None), "valid": keywords.pop("valid_batches", None)}
    size = keywords.pop("iteration_size", None)
    shuffle = keywords.pop("shuffle", True) and not network._carried()
    names = [e.name for e in expected]
    made: list[Dataset] = []
    for name, given, seed in (("train", train, seeds[0]), ("valid", train if valid is None else valid, seeds[1])):
        check = partial(accept_all, expected, where=name)
        if isinstance(given, Dataset):
            idle = [k for k in (*keywords, "iteration_size", f"{name}_batches") if k in options]
            if idle:
                warnings.warn(f"train: {', '.join(idle)} have no effect on a Dataset, which has its own", stacklevel=2)
            if made and given is made[0]:
                # Validation must not move the place of training.
                rows = given.batch_size or 32
                given = Dataset(given, name, rows, given.iteration_size, given.axis, shuffle=False)
            given.accept(check)
            made.append(given)
            continue
        if isinstance(given, Mapping) or (isinstance(given, list | tuple) and len(given) != len(names)):
            given = as_arrays(given, names, name)
        made.append(
            Dataset(
                given,
                name=name,
                iteration_size=batches[name] if size is None else size,
                rng=int(seed),
                shuffle=shuffle and name == "train",
                accept=check,
                names=names,
                **keywords,
            )
        )
    return made[0], made[1]


# --- several trainings, one after the other ---


def layerwise(network: Network, train: Any, valid: Any, subalgo: str, saver: Saver, **kwargs: Any) -> Pairs:
    """Train with one hidden layer, then with two, and so on (Bengio et al., 2007).

    A network without tied layers gets a new output layer at each stage but the last; one with tied layers is trained
    from its outermost pair inwards. The network itself is not changed but for its parameters.
    """
    options = Options.of(subalgo, kwargs)
    network._regularized(options.regularizers)
    training = None
    for stage in _stages(network):
        training = yield from _optimize(stage, train, valid, options, saver)
        if training is not None and training.interrupted:
            break
    return training


def _stages(network: Network) -> Iterator[Network]:
    layers = network.layers
    if any(isinstance(layer, Tied) for layer in layers):
        for k in range(1, 1 + len(layers) // 2):
            yield _part(network, [*layers[: k + 1], *layers[-k:]])
        return
    out = layers[-1]
    for k in range(1, len(layers) - 1):
        if k == len(layers) - 2:
            yield network
            return
        above = Feedforward(
            size=out.size,
            inputs={layers[k].output_name(): layers[k].size},
            input_shapes={layers[k].output_name(): layers[k].shape},
            name="lwout",
            activation=out.activation,
            rng=network._rng,
        )
        yield _part(network, [*layers[: k + 1], above])


def _part(network: Network, layers: Sequence[Any]) -> Network:
    """A network of the same kind of some of its layers, with the losses of its output at the last of them."""
    part = copy.copy(network)
    part.layers = list(layers)
    part._functions = {}
    part.losses = [copy.copy(loss) for loss in network.losses if loss.output_name == network.layers[-1].output_name()]
    for loss in part.losses:
        loss.output_name = layers[-1].output_name()
    return part


def pretrain(network: Network, train: Any, valid: Any, subalgo: str, saver: Saver, **kwargs: Any) -> Pairs:
    """Train the hidden layers, layer after layer, as an autoencoder that shares them (Hinton and Salakhutdinov, 2006).

    The decoder is made of tied layers; the data are the inputs alone.
    """
    hidden = [layer for layer in network.layers[1:-1] if not isinstance(layer, Tied)]
    for layer in hidden:
        if not any(p.name == f"{layer.name}.w" for p in layer.params):
            raise ConfigurationError(f"pretrain: layer {layer.name!r} has no weights w that a tied layer could share")
    shadow = _shadow(network, hidden)
    return (yield from layerwise(shadow, train, valid, subalgo, saver, **kwargs))


def _shadow(network: Network, hidden: Sequence[Any]) -> Network:
    from croton.nets import feedforward, recurrent

    model = recurrent.Autoencoder if network.INPUT_NDIM == 3 else feedforward.Autoencoder
    shadow = model(loss=None)
    shadow._rng = network._rng
    shadow.layers = [network.layers[0], *hidden]
    for layer in reversed(hidden):
        shadow.add_layer(form="tied", partner=layer, activation="linear" if layer is hidden[0] else layer.activation)
    shadow.add_loss("mse")
    return shadow


# --- weights from data ---


def sample(network: Network, train: Any, valid: Any, subalgo: str, saver: Saver, **kwargs: Any) -> Pairs:
    """Set weights to normalized examples: columns of those that read the input, rows of those that make the output.

    One pass over the training data. A weight matrix whose first dimension is the input's size gets examples as columns;
    those of the last layer whose second dimension is the target's size get targets as rows (real targets, not labels).
    """
    options = Options.of("sgd", kwargs)
    rng = network._rng if options.rng is None else as_random_state(options.rng)
    data, _ = _datasets(network, train, valid, options.data, rng.randint(0, 2**31 - 1, 2))
    # Labels are no vectors: only real targets become rows.
    wanted = [loss._target for loss in network.losses if loss._target in network.variables]
    real = [v for v in wanted if np.dtype(v.dtype).kind == "f"]
    places = [0, network.variables.index(real[0]) if real else 0]
    rows: list[list[np.ndarray]] = [[], []]
    for batch in data.iterate():
        for found, place in zip(rows, places, strict=True):
            found.append(_vectors(batch[place]))
    inputs, targets = (np.concatenate(r) for r in rows)
    chosen: dict[Any, np.ndarray] = {}
    for p in network.layers[-1].params:
        value = p.get_value()
        if (real or not wanted) and value.ndim == 2 and value.shape[1] == targets.shape[1]:
            chosen[p] = _drawn(targets, value.shape[0], rng)
    for layer in network.layers:
        for p in layer.params:
            value = p.get_value()
            if value.ndim == 2 and value.shape[0] == inputs.shape[1]:
                chosen[p] = _drawn(inputs, value.shape[1], rng).T
    for p, value in chosen.items():
        p.set_value(value.astype(p.dtype))
    if saver.wanted:
        saver.final(State({}, {}))
    yield {"loss": 0.0}, {"loss": 0.0}
    return None


def _vectors(array: Any) -> np.ndarray:
    dense = array.toarray() if hasattr(array, "toarray") else np.asarray(array)
    return dense.reshape(-1, dense.shape[-1])


def _drawn(pool: np.ndarray, count: int, rng: np.random.RandomState) -> np.ndarray:
    """``count`` rows of unit length from the pool: without repetition, then with noise of the pool's own spread."""
    rows = pool[rng.permutation(len(pool))[:count]].astype(float)
    missing = count - len(rows)
    if missing > 0:
        noise = pool.std(axis=0) * rng.randn(missing, pool.shape[1])
        rows = np.concatenate([rows, pool[rng.randint(0, len(pool), missing)] + noise])
    norms = np.linalg.norm(rows, axis=1, keepdims=True)
    return rows / np.where(norms > 0, norms, 1)
