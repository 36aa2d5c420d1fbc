"""Writes docs/coverage.md: each row of the nets' contract with the tests that carry its mark.

Run it as ``python docs/make_coverage.py``. A test carries ``@pytest.mark.contract("2.11 lstm")``; a row counts every
test whose mark is its key, or begins with it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

HERE = Path(__file__).parent
PAGE = HERE / "coverage.md"
TESTS = ("tests/nets", "tests/compat", "tests/estimators", "tests/test_estimators.py", "tests/examples")

# Section, then its rows: key and what is promised. Keys are the contract's own numbers.
ROWS: dict[str, dict[str, str]] = {
    "Building a network": {
        "1.1": "the modules and their names, for old programs",
        "1.2": "constructors of the seven models, with and without layers",
        "1.3": "layers as sizes, tuples, dicts, names of forms, layers",
        "1.4": "names of layers, outputs and parameters",
        "1.5": "inputs by name, layer, output, list, dict",
        "1.6": "partners of tied layers",
        "1.7": "errors of wrong descriptions",
        "1.8": "the base class of layers",
        "1.9": "initial values of parameters",
        "1.10 bcrnn": "block clockwork layers",
        "1.10 conv2": "two-dimensional convolution",
        "1.10 convolution models": "models of images",
        "1.10 custom layers": "names of layers of one's own as specifications",
        "1.10 dropout scaling": "dropout divides by what it keeps",
        "1.10 maxout": "maxout begins at random",
        "1.10 elu": "the activation elu",
        "1.10 h_0": "initial states from another layer",
        "1.10 hidden_l2": "the regularizer hidden_l2",
        "1.10 pool1": "pooling along time",
        "1.10 pool2": "pooling of images",
    },
    "Layers": {
        "2.1": "input, sparse too",
        "2.2": "feedforward",
        "2.3": "classifier, softmax",
        "2.4": "tied",
        "2.5 product": "product",
        "2.5 concatenate": "concatenate",
        "2.5 flatten": "flatten",
        "2.5 reshape": "reshape",
        "2.6": "conv1",
        "2.7 activation": "recurrent layers with an activation",
        "2.7 bptt_limit": "gradients cut after some steps",
        "2.7 direction": "backward layers, aligned in time",
        "2.8": "rnn",
        "2.9": "rrnn",
        "2.10": "mrnn",
        "2.11": "lstm",
        "2.12": "gru",
        "2.13": "mut1",
        "2.14": "scrn",
        "2.15": "clockwork",
        "2.16": "bidirectional",
        "2.18": "numbers of parameters",
        "2.19": "layers of one's own",
    },
    "Activations": {
        "3 linear": "linear",
        "3 tanh": "tanh",
        "3 logistic": "logistic",
        "3 sigmoid": "sigmoid",
        "3 softmax": "softmax",
        "3 softplus": "softplus",
        "3 relu": "relu",
        "3 rect:max": "rect:max",
        "3 rect:min": "rect:min",
        "3 rect:minmax": "rect:minmax",
        "3 norm:mean": "norm:mean",
        "3 norm:max": "norm:max",
        "3 norm:std": "norm:std",
        "3 norm:z": "norm:z",
        "3 prelu": "prelu",
        "3 leaky-relu": "leaky-relu",
        "3 lgrelu": "lgrelu",
        "3 leaky-gain-relu": "leaky-gain-relu",
        "3 maxout:k": "maxout:k",
        "3 a+b+c": "compositions",
        "3 custom": "activations of one's own",
    },
    "Losses": {
        "4 mse": "mse",
        "4 mae": "mae",
        "4 kl": "kl",
        "4 xe": "xe",
        "4 hinge": "hinge",
        "4 gll": "gll",
        "4 mmd": "mmd",
        "4 accuracy": "accuracy",
        "4 weights": "weighted losses",
        "4 Loss": "the base class, its variables and description",
        "4 add_loss": "adding and replacing losses",
        "4 several losses": "several losses at once, weighted",
        "4 custom": "losses of one's own",
    },
    "Regularizers": {
        "5 weight_l1": "weight_l1",
        "5 weight_l2": "weight_l2",
        "5 hidden_l1": "hidden_l1",
        "5 weight_sparsity": "weight_sparsity",
        "5 hidden_sparsity": "hidden_sparsity",
        "5 recurrent_norm": "recurrent_norm",
        "5 recurrent_state": "recurrent_state",
        "5 contractive": "contractive",
        "5 noise": "input_noise, hidden_noise, output_noise, noise",
        "5 dropout": "input_dropout, hidden_dropout, output_dropout, dropout",
        "5 patterns": "globs over outputs and parameters",
        "5 from_kwargs": "keywords of every method that takes regularizers",
        "5 names": "names and aliases",
        "5 custom": "regularizers of one's own",
    },
    "Training": {
        "6.1": "train, itertrain and their keywords",
        "6.2 inputs": "arrays, frames, sparse matrices, memory-mapped files, callables, iterables",
        "6.2 callable": "batches from a callable",
        "6.2 data": "all kinds of data train alike, wrong ones change nothing",
        "6.2 axis": "examples along another axis",
        "6.2 iterate": "passes over a data set",
        "6.2 iteration_size": "passes of a given number of batches",
        "6.2 shuffle": "a new order in every pass",
        "6.3": "the loop: validation, patience, best parameters, monitors, interruption",
        "6.4 learning_rate": "learning rates and schedules",
        "6.4 schedule": "rates that follow the step",
        "6.4 other algorithms' names": "keywords of other algorithms",
        "6.4 momentum": "momentum",
        "6.4 nesterov": "Nesterov's momentum",
        "6.4 max_gradient_elem": "clipping of elements",
        "6.4 max_gradient_norm": "clipping of norms",
        "6.5 sgd": "sgd",
        "6.5 nag": "nag",
        "6.5 rprop": "rprop",
        "6.5 rmsprop": "rmsprop",
        "6.5 adagrad": "adagrad",
        "6.5 adadelta": "adadelta",
        "6.5 esgd": "esgd",
        "6.5 adam": "adam",
        "6.6 layerwise": "layerwise",
        "6.6 pretrain": "pretrain",
        "6.6 sample": "sample",
        "6.7": "files written while training",
    },
    "Networks": {
        "7 find": "find",
        "7 num_params": "num_params",
        "7 build_graph": "build_graph",
        "7 several inputs": "data for several inputs",
        "7 score": "scores",
        "7 monitors": "monitors by pattern",
        "7 save": "save",
        "7 load": "load",
        "7 Autoencoder": "encode, decode",
        "7 Classifier": "classes, probabilities, logits",
        "7 shapes of sequences": "models of sequences",
        "7 predict_sequence": "sequences drawn",
        "7 batches": "random windows of sequences",
        "7 Text": "texts",
        "8": "the examples",
        "9 carried state": "recurrent state carried and given",
        "9 masks": "masks for padded sequences",
        "9 resume": "trainings cut and resumed",
    },
    "Corrections of the original": {
        f"10.{k}": text
        for k, text in {
            1: "dropout keeps the mean",
            2: "backward outputs in the order of the input",
            3: "predict_sequence goes along time",
            4: "several losses",
            5: "gll is the Gaussian likelihood",
            6: "recurrent_norm squares, recurrent_state works",
            7: "contractive is the Jacobian's Frobenius norm",
            8: "maxout's pieces begin different",
            9: "xe from the logits",
            10: "kl by rows",
            11: "one stream of random numbers",
            12: "the last epoch counts",
            13: "validation without noise",
            14: "averages weighted by examples",
            15: "examples reshuffled",
            16: "published nesterov and adam",
            17: "rate and factors batch-major",
            18: "R² by columns",
            20: "files that are safe to read",
            21: "no stale graphs",
            22: "layerwise leaves the network whole",
            23: "sample works for every network",
            24: "save_progress without save_every",
            25: "find sees all parameters",
            26: "to_spec is complete",
            27: "models without layers, any loss for autoencoders",
            28: "inputs by dict",
            29: "inputs='hid1:pre'",
            30: "labels and data of any type, checked",
            31: "any generator as rng",
            32: "unused branches",
            33: "direction=None, rate=None",
            34: "partner and name of tied layers",
            35: "targets of added losses",
            36: "misspelt keywords",
            37: "initial law of biases",
            38: "mean and std reach biases",
            39: "radius is a singular value",
            40: "radius and diagonal of recurrent matrices only",
            41: "relu's derivative at 0",
            42: "order of concatenate",
            43: "odd bidirectional sizes",
            44: "norm:* by example",
            45: "clipping by parameter",
            46: "the last window",
            47: "layers that take no activation",
            48: "fixed rates and samples from the layer's stream",
            50: "flipped kernels",
            51: "default rates",
            52: "hyper-parameters without effect",
        }.items()
    },
    "Recorded figures": {"11": "numbers printed by the original"},
}


class Marks:
    """A pytest plugin that notes, while tests are collected, which tests carry which marks."""

    def __init__(self) -> None:
        self.tests: dict[str, list[str]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        for item in items:
            for mark in item.iter_markers("contract"):
                for key in mark.args:
                    name = item.nodeid.partition("[")[0]
                    if name not in self.tests.setdefault(key, []):
                        self.tests[key].append(name)


def collected() -> dict[str, list[str]]:
    """The tests of each mark, by collecting them."""
    marks = Marks()
    root = HERE.parent
    folders = [str(root / t) for t in TESTS if (root / t).exists()]
    code = pytest.main(["--collect-only", "-qq", "--no-header", "--rootdir", str(root), *folders], plugins=[marks])
    if code != 0:
        raise SystemExit(f"the tests could not be collected: pytest's exit code is {code}")
    return marks.tests


def matching(key: str, marks: dict[str, list[str]]) -> list[str]:
    """The tests whose mark is ``key`` or begins with it."""
    return sorted({t for m, tests in marks.items() if m == key or m.startswith(f"{key} ") for t in tests})


def page(marks: dict[str, list[str]]) -> str:
    """The page, and an error for a row that no test carries or a mark that no row knows."""
    keys = [key for rows in ROWS.values() for key in rows]
    bare = [key for key in keys if not matching(key, marks)]
    if bare:
        raise SystemExit(f"no test carries the mark of: {', '.join(bare)}")
    stray = [m for m in marks if not any(m == key or m.startswith(f"{key} ") for key in keys)]
    if stray:
        raise SystemExit(f"marks that no row of docs/make_coverage.py knows: {', '.join(stray)}")
    out = ["# What the nets promise, and the tests that show it", ""]
    out += [
        "Written by `python docs/make_coverage.py` from the marks that tests carry; a test checks that it is current.",
        "",
    ]
    for section, rows in ROWS.items():
        out += [f"## {section}", "", "| row | promise | tests |", "| --- | --- | --- |"]
        for key, promise in rows.items():
            told = "<br>".join(t.removeprefix("tests/").replace("::", " ") for t in matching(key, marks))
            out.append(f"| {key} | {promise} | {told} |")
        out.append("")
    return "\n".join(out)


if __name__ == "__main__":
    PAGE.write_text(page(collected()), encoding="utf-8")
