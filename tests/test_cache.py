"""Where compiled programs are kept between processes, and who has the last word on it."""

import os

import jax
import pytest

from croton import cache


@pytest.fixture
def told(monkeypatch, tmp_path):
    """What JAX is told of the folder, in a process where nobody has said anything yet."""
    said = {}
    monkeypatch.setattr(cache.pooch, "os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr(jax.config, "update", said.__setitem__)
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", None, raising=False)
    monkeypatch.delenv(cache.VARIABLE, raising=False)
    return said


def test_the_folder_is_private_and_named_by_version_and_processor(told, tmp_path):
    cache.keep_compiled()
    place = tmp_path / "croton" / "compiled" / f"jax-{jax.__version__}-{cache.processor()}"
    assert told == {"jax_compilation_cache_dir": str(place)}
    assert place.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("no", ["", "0", "No", "off"])
def test_no_means_no(told, monkeypatch, no):
    monkeypatch.setenv(cache.VARIABLE, no)
    cache.keep_compiled()
    assert told == {}


def test_another_folder_can_be_named(told, monkeypatch, tmp_path):
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "mine"))
    cache.keep_compiled()
    assert told == {"jax_compilation_cache_dir": str(tmp_path / "mine")}


def test_who_told_jax_before_has_the_last_word(told, monkeypatch):
    monkeypatch.setattr(type(jax.config), "jax_compilation_cache_dir", "theirs", raising=False)
    cache.keep_compiled()
    assert told == {}


def test_a_folder_that_others_can_write_is_not_used(told, monkeypatch, tmp_path, caplog):
    place = tmp_path / "open"
    place.mkdir()
    place.chmod(0o777)
    monkeypatch.setenv(cache.VARIABLE, str(place))
    cache.keep_compiled()
    assert told == {} and str(place) in caplog.text


def test_a_folder_that_cannot_be_made_is_done_without(told, monkeypatch, tmp_path):
    (tmp_path / "file").write_text("")
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "file" / "below"))
    cache.keep_compiled()
    assert told == {}


def test_the_oldest_programs_of_all_versions_go_first(tmp_path):
    for age, name in enumerate(["jax-2/new-cache", "jax-2/old-cache", "jax-1/older-cache", "jax-1/oldest-cache"]):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_bytes(bytes(100))
        os.utime(file, (1e9 - age, 1e9 - age))
    (tmp_path / "jax-1" / "another's").write_bytes(bytes(1000))
    cache.prune(tmp_path, 250)
    assert {f.name for f in tmp_path.glob("*/*")} == {"new-cache", "old-cache", "another's"}


def test_the_bound_holds_where_croton_chose_the_folder(told, monkeypatch, tmp_path):
    pruned = []
    monkeypatch.setattr(cache, "prune", pruned.append)
    cache.keep_compiled()
    assert pruned == [tmp_path / "croton" / "compiled"]
    monkeypatch.setenv(cache.VARIABLE, str(tmp_path / "mine"))
    cache.keep_compiled()
    assert len(pruned) == 1
