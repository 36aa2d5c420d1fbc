"""Several threads may call functions on the same shared variables: no update is lost."""

import pickle
import threading

import numpy as np
import pytest

import croton
import croton.tensor as T


def test_no_update_is_lost():
    count = croton.shared(0, "count")
    step = croton.function([], count, updates=[(count, count + 1)])
    threads = [threading.Thread(target=lambda: [step() for _ in range(100)]) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert count.get_value() == 400


def test_errors_at_run_time_can_be_pickled():
    v, i = T.dvector("v"), T.lvector("i")
    f = croton.function([v, i], v[i])
    with pytest.raises(IndexError) as caught:
        f(np.zeros(3), [5])
    copy = pickle.loads(pickle.dumps(caught.value))
    assert isinstance(copy, IndexError) and "out of bounds" in str(copy)


def test_creators_can_be_pickled():
    for create in (T.matrix, T.ivector, T.dscalars):
        assert pickle.loads(pickle.dumps(create)) is create


def test_means_of_many_short_floats():
    x = T.vector("x", "float16")
    mean, slope = croton.function([x], [x.mean(), croton.grad(T.cast(x.mean(), "float32"), x)])(
        np.full(100_000, 0.25, "float16")
    )
    assert mean == 0.25 and mean.dtype == "float16"
    np.testing.assert_allclose(slope, 1e-5, rtol=0.01)
