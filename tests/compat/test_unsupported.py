import inspect
import pickle

import pytest

from croton.compat.unsupported import Placeholder, UnsupportedName, stand_in


def line() -> int:
    return inspect.currentframe().f_back.f_lineno


@pytest.mark.parametrize(
    ("use", "name"),
    [
        (lambda scan: scan(None, n_steps=3), "theano.scan"),
        (lambda scan: scan["FAST_RUN"], "theano.scan"),
        (lambda scan: scan.until, "theano.scan.until"),
        (lambda scan: getattr(scan, "until", None), "theano.scan.until"),
    ],
)
def test_use_names_the_name_and_the_line(use, name):
    with pytest.raises(UnsupportedName) as caught:
        use(Placeholder("theano.scan"))
    assert (caught.value.name, caught.value.filename) == (name, __file__)
    assert caught.value.lineno == use.__code__.co_firstlineno
    assert (
        str(caught.value) == f"{name} is not supported by croton; it is used in {__file__}, line {caught.value.lineno}"
    )


def test_it_is_a_not_implemented_error():
    assert issubclass(UnsupportedName, NotImplementedError)


def test_nothing_is_an_instance_of_it():
    sparse_type = Placeholder("theano.sparse.SparseType")
    assert not isinstance(3, sparse_type)
    assert not issubclass(int, sparse_type)


def test_a_class_can_be_based_on_it_but_not_made():
    class Rectify(Placeholder("theano.gof.COp")):
        pass

    with pytest.raises(UnsupportedName, match=r"theano\.gof\.COp") as caught:
        Rectify("rectify")
    assert caught.value.lineno == line() - 1


def test_special_attributes_are_absent_so_that_it_can_be_looked_at():
    scan = Placeholder("theano.scan")
    assert not hasattr(scan, "__wrapped__")
    assert repr(scan) == "<theano.scan, not supported by croton>"


def test_an_exception_is_stood_in_for_by_one_that_nothing_raises():
    error = stand_in("theano.compile.debugmode.DebugModeError")
    try:
        raise KeyError("another")
    except error:
        pytest.fail("caught")
    except KeyError:
        pass


def test_the_error_pickles():
    error = pickle.loads(pickle.dumps(UnsupportedName("theano.scan", "program.py", 3)))
    assert (error.name, error.filename, error.lineno) == ("theano.scan", "program.py", 3)
