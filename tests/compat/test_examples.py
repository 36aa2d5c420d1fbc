"""The programs of examples/old under ``croton run``: they learn what they say they do, and those with random streams
print the same in every run."""

import gzip
import pickle
import re
from pathlib import Path

import numpy as np
import pytest

from croton.compat.syntax import parse, read
from croton.compat.uses import THERE, uses
from croton.datasets import digits

OLD = Path(__file__).parents[2] / "examples" / "old"
FLOAT32 = ("--floatX", "float32")


@pytest.fixture
def lines(run):
    """What a program prints, as lines: it must end well, and with nothing said beside them."""

    def lines(program, *arguments, options=()):
        done = run(str(OLD / program), *arguments, options=options)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    return lines


def figures(pattern, printed):
    """The groups of a pattern, as numbers, of each line that it matches from the start: a row a line."""
    found = [re.match(pattern, line) for line in printed]
    return np.array([[float(x) for x in match.groups()] for match in found if match])


@pytest.fixture(scope="session")
def digits_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("digits") / "digits.pkl.gz"
    with gzip.open(path, "wb") as file:
        pickle.dump(digits(), file, protocol=2)
    return path


def test_denoising_autoencoder_restores_pictures_that_it_has_not_seen(lines, digits_file):
    printed = lines("denoising_autoencoder.py", "--data", digits_file, "--epochs", 4)
    costs = figures(r"epoch \d+, cost (\S+)", printed)[:, 0]
    assert len(costs) == 4 and (np.diff(costs) < 0).all()
    ((out, cost, blind),) = figures(r"test pictures, (\S+) % put out: cost (\S+); of the mean picture: (\S+)", printed)
    assert out == pytest.approx(30, abs=1)  # of about 10,000 pixels that were on
    assert cost < 24 < 27 < blind
    assert lines("denoising_autoencoder.py", "--data", digits_file, "--epochs", 1)[0] == printed[0]


def test_convolutional_net_reads_digits(lines):
    printed = lines("convolutional.py", "--epochs", 6, options=FLOAT32)
    (error,) = figures(r"test error (\S+) %", printed)[0]
    assert error < 10
    costs = figures(r"epoch \d+, cost (\S+), validation error (\S+) %", printed)[:, 0]
    assert costs[-1] < 0.3 < 1.5 < costs[0]


def test_rbm_finds_which_pixels_go_together(lines):
    printed = lines("rbm.py", "--epochs", 12)
    (before,) = figures(r"before, pseudo-likelihood (\S+)", printed)[0]
    after = figures(r"epoch \d+, pseudo-likelihood (\S+),", printed)[:, 0]
    assert before == pytest.approx(-32.06, abs=0.1)  # that of independent pixels: the entropy of each, summed
    assert len(after) == 12 and after[-1] > before + 8
    assert lines("rbm.py", "--epochs", 1)[:2] == printed[:2]


ONE_STEP = """
import sys
sys.path.insert(0, sys.argv[1])
import numpy, theano, theano.tensor as T
from rbm import RBM

machine = RBM(numpy.linspace(0.2, 0.8, 6), n_hidden=4, n_chains=3, seed=8)
v = T.matrix('v')
cost, updates = machine.descent(v, 5, 0.1)
step = theano.function([v], cost, updates=updates)
data = numpy.random.RandomState(9).randint(2, size=(8, 6)).astype('float64')


def positive(v, W, c):
    return v.T.dot(1 / (1 + numpy.exp(-v.dot(W) - c))) / len(v)


ends = [machine.chains.get_value()]
for _ in range(3):
    W, b, c = (param.get_value() for param in machine.params)
    step(data)
    end = machine.chains.get_value()
    assert set(end.flat) <= {0, 1}, end
    assert all((end != before).any() for before in ends), ends
    ends.append(end)
    wanted = [W + 0.1 * (positive(data, W, c) - positive(end, W, c)), b + 0.1 * (data.mean(0) - end.mean(0))]
    for param, value in zip(machine.params, wanted):
        numpy.testing.assert_allclose(param.get_value(), value, rtol=1e-12)
print('done')
"""


def test_rbm_follows_the_gradient_with_the_chains_end_held_constant_and_goes_on_from_there(run):
    done = run(ONE_STEP, OLD)
    assert done.stdout == "done\n", done.stderr


def test_lstm_tags_words_by_what_came_before(lines):
    printed = lines("lstm_tagger.py", "--epochs", 4)
    told = r"new sentences: (\S+) of the tags right; by the commonest tag of each word: (\S+)"
    ((right, alone),) = figures(told, printed)
    assert right > 0.98 > 0.9 > alone
    words = printed[-1].split()
    assert words[0].endswith("/det") and {"--/open", "--/close"} <= set(words)


def test_hmc_draws_from_the_gaussian_and_adapts_its_step(lines):
    printed = lines("hmc.py")
    told = figures(r"after (\d+) transitions, step size (\S+), acceptance (\S+)", printed)
    assert told[:, 0].tolist() == [0, 300, 600]
    assert told[0, 1] == 0.01 and (np.abs(told[1:, 1] - 0.45) < 0.1).all()
    assert (np.abs(told[1:, 2] - 0.8) < 0.06).all()
    numbers = np.array([line.strip(" []").split() for line in printed if "[" in line], dtype=float)
    mean, found_mean, covariance, found_covariance = numbers[0], numbers[1], numbers[2:5], numbers[5:8]
    # The deviations from seed to seed are up to 0.011 in the mean, and 0.025 in the covariance.
    np.testing.assert_allclose(found_mean, mean, atol=0.05)
    np.testing.assert_allclose(found_covariance, covariance, atol=0.1)
    assert lines("hmc.py") == printed


@pytest.mark.parametrize("path", sorted(OLD.glob("*.py")), ids=lambda path: path.name)
def test_croton_check_finds_every_name_of_theirs(path):
    found = uses(parse(read(str(path)), str(path)))
    assert found and {use.status for use in found} == {THERE}


def test_documentation_names_each_program_and_no_other():
    text = (OLD.parents[1] / "docs" / "old-programs.md").read_text(encoding="utf-8")
    programs = {path.name for path in OLD.glob("*.py") if "__main__" in path.read_text(encoding="utf-8")}
    assert set(re.findall(r"croton run [^`|]*examples/old/(\w+\.py)`", text)) == programs
