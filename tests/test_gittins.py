"""Gittins indices against published ones and a slow search, and a cache that may be spoilt in any way."""

import functools
import warnings

import numpy as np
import pytest

from neurometa import exact
from neurometa.errors import InputError


@pytest.fixture(scope="module", autouse=True)
def folder(tmp_path_factory):
    """A cache of this module's own."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield exact.gittins.cache_folder()


@pytest.fixture
def kept(folder):
    """A small table and the file it is kept in."""
    table = exact.gittins.discounted(6, 0.8)
    return table, folder / f"gittins-v{exact.gittins.VERSION}-discount-0.8-6.npz"


def searched(wins, losses, pull_on):
    """The sure payment at which pulling on gains nothing, by halving the interval that holds it."""
    low, high = 0.0, 1.0
    for _ in range(25):
        middle = (low + high) / 2
        low, high = (middle, high) if pull_on(wins, losses, middle) > 0 else (low, middle)
    return low


def gain_with_trials_left(left):
    @functools.cache
    def worth(wins, losses, left, sure):
        return max(left * sure, stay(wins, losses, left, sure)) if left else 0.0

    def stay(wins, losses, left, sure):
        mean = (wins + 1) / (wins + losses + 2)
        won, lost = worth(wins + 1, losses, left - 1, sure), worth(wins, losses + 1, left - 1, sure)
        return mean * (1 + won) + (1 - mean) * lost

    return lambda wins, losses, sure: stay(wins, losses, left, sure) - left * sure


def gain_with_discount(discount, depth):
    @functools.cache
    def worth(wins, losses, sure):
        known = (wins + 1) / (wins + losses + 2)
        best = known / (1 - discount) if wins + losses >= depth else stay(wins, losses, sure)
        return max(best, sure / (1 - discount))

    def stay(wins, losses, sure):
        mean = (wins + 1) / (wins + losses + 2)
        return mean * (1 + discount * worth(wins + 1, losses, sure)) + (1 - mean) * discount * worth(
            wins, losses + 1, sure
        )

    return lambda wins, losses, sure: stay(wins, losses, sure) - sure / (1 - discount)


@pytest.mark.parametrize(("discount", "index"), [(0.9, 0.7029), (0.95, 0.7614), (0.99, 0.8699)])
def test_the_index_of_a_fresh_arm_is_the_published_one(discount, index):
    assert exact.gittins.discounted(10, discount)[0, 0] == pytest.approx(index, abs=1e-4)


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (3, 0), (0, 4), (2, 3)])
def test_the_discounted_index_agrees_with_a_slow_search(wins, losses):
    expected = searched(wins, losses, gain_with_discount(0.7, depth=40))
    assert exact.gittins.discounted(10, 0.7)[wins, losses] == pytest.approx(expected, abs=1e-4)


@pytest.mark.parametrize(("wins", "losses", "left"), [(0, 0, 15), (4, 1, 10), (0, 7, 8), (2, 2, 2)])
def test_the_index_with_trials_left_agrees_with_a_slow_search(wins, losses, left):
    expected = searched(wins, losses, gain_with_trials_left(left))
    assert exact.gittins.finite_horizon(15)[left - 1, wins, losses] == pytest.approx(expected, abs=1e-4)


def test_on_the_last_trial_the_index_is_the_mean():
    wins, losses = np.indices((30, 30))
    last, fits = exact.gittins.finite_horizon(30)[0], wins + losses < 30
    np.testing.assert_allclose(last[fits], ((wins + 1) / (wins + losses + 2))[fits], atol=1e-6)


@pytest.mark.parametrize(
    "table", [lambda: exact.gittins.discounted(40, 0.95)[None], lambda: exact.gittins.finite_horizon(40)]
)
def test_an_index_is_above_the_mean_rises_with_wins_and_falls_with_losses(table):
    index = table()
    wins, losses = np.indices(index.shape[1:])
    assert np.nanmin(index - (wins + 1) / (wins + losses + 2)) > -1e-6
    assert np.nanmin(np.diff(index, axis=1)) > 0
    assert np.nanmax(np.diff(index, axis=2)) < 0


def test_an_arm_is_worth_more_the_longer_it_can_be_used():
    assert np.nanmin(np.diff(exact.gittins.finite_horizon(40), axis=0)) > 0
    assert np.nanmin(exact.gittins.discounted(20, 0.95) - exact.gittins.discounted(20, 0.9)) > 0


def test_a_table_holds_every_count_that_can_occur_and_no_other():
    left, wins, losses = np.indices((12, 12, 12))
    np.testing.assert_array_equal(~np.isnan(exact.gittins.finite_horizon(12)), left + 1 + wins + losses <= 12)
    wins, losses = np.indices((12, 12))
    np.testing.assert_array_equal(~np.isnan(exact.gittins.discounted(12, 0.5)), wins + losses < 12)


def test_a_table_is_read_from_the_cache_once_it_is_there(kept):
    table, path = kept
    np.savez_compressed(path, index=np.full_like(table, 0.25))
    assert (exact.gittins.discounted(6, 0.8) == 0.25).all()
    path.unlink()
    np.testing.assert_array_equal(exact.gittins.discounted(6, 0.8), table)
    assert path.exists()
    assert not list(path.parent.glob(".*"))


@pytest.mark.parametrize("share", [0, 0.1, 0.5, 0.99])
def test_a_truncated_table_is_computed_anew_and_said_so(kept, share):
    table, path = kept
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    with pytest.warns(UserWarning, match=rf"{path.name} is damaged \(.+\); it is computed anew"):
        np.testing.assert_array_equal(exact.gittins.discounted(6, 0.8), table)
    np.testing.assert_array_equal(exact.gittins.discounted(6, 0.8), table)  # without a warning, which would be an error


def test_no_flipped_byte_changes_an_index(kept):
    table, path = kept
    whole, warned = path.read_bytes(), 0
    for place in range(0, len(whole), 3):
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 0x41]) + whole[place + 1 :])
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            np.testing.assert_array_equal(exact.gittins.discounted(6, 0.8), table)
        warned += bool(caught)
    assert warned > len(whole) / 6  # the rest, such as the time of writing, means nothing


def test_a_table_of_another_size_is_not_taken(kept):
    table, path = kept
    np.savez_compressed(path, index=table[:3])
    with pytest.warns(UserWarning, match=r"it holds float32 \(3, 6\)"):
        np.testing.assert_array_equal(exact.gittins.discounted(6, 0.8), table)


def test_a_cache_that_cannot_be_written_is_no_error(kept, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    np.testing.assert_array_equal(exact.gittins.discounted(6, 0.8), kept[0])


def test_tables_are_kept_where_the_platform_says(tmp_path, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path))
    for unset in ("", "relative/is/not/allowed"):
        monkeypatch.setenv("XDG_CACHE_HOME", unset)
        assert exact.gittins.cache_folder() == tmp_path / ".cache" / "neurometa"


@pytest.mark.parametrize(
    ("ask", "told"),
    [
        (lambda: exact.gittins.finite_horizon(0), "n_trials is 0"),
        (lambda: exact.gittins.finite_horizon(201), r"n_trials is 201; .* give a discount"),
        (lambda: exact.gittins.discounted(0, 0.9), "n_trials is 0"),
        (lambda: exact.gittins.discounted(10, 0.0), "discount is 0.0"),
        (lambda: exact.gittins.discounted(10, 1.0), "discount is 1.0"),
        (lambda: exact.gittins.discounted(10, float("nan")), "discount is nan"),
    ],
)
def test_bad_input_is_told_in_a_sentence(ask, told):
    with pytest.raises(InputError, match=told):
        ask()
