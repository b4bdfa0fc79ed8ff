"""Signals around events: read, cut, explained by mixed models; every fit against an independent one."""

import gzip
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from neurometa import neural
from neurometa.errors import InputError
from neurometa.neural import bands, mixed, smoothing
from neurometa.tables import read_signals

LOEWINGER = Path(__file__).parent / "data" / "photometry_flmm" / "binary.csv.gz"


def animals(rng, n_animals=9, n_trials=15, random_sd=(1.0, 0.5)):
    """Trials of animals: outcomes, regressors (intercept, graded, binary), and whose each is."""
    owner = np.repeat(np.arange(n_animals), n_trials)
    x = np.c_[np.ones(len(owner)), 3 * rng.normal(size=len(owner)), rng.integers(0, 2, len(owner))]
    effect = rng.normal(size=(n_animals, 2)) * random_sd
    y = x @ [1, 0.5, -1] + (x[:, :2] * effect[owner]).sum(1) + rng.normal(size=len(owner))
    return y, x, owner


def deviance(y, x, z, owner, random_cov, variance, *, restricted):
    """-2 log-likelihood by its formula, over all trials at once."""
    cov = variance * np.eye(len(y))
    for each in np.unique(owner):
        rows = np.flatnonzero(owner == each)
        cov[np.ix_(rows, rows)] += z[rows] @ random_cov @ z[rows].T
    inverse = np.linalg.inv(cov)
    of_x = x.T @ inverse @ x
    left = y - x @ np.linalg.solve(of_x, x.T @ inverse @ y)
    found = np.linalg.slogdet(cov)[1] + left @ inverse @ left
    if not restricted:
        return found + len(y) * np.log(2 * np.pi)
    return found + np.linalg.slogdet(of_x)[1] + (len(y) - x.shape[1]) * np.log(2 * np.pi)


# One mixed model, and many


@pytest.mark.filterwarnings("ignore")  # statsmodels' own, that no gradient is as small as is asked of it
@pytest.mark.parametrize("restricted", [True, False])
def test_a_mixed_model_is_that_of_statsmodels(restricted):
    from statsmodels.regression.mixed_linear_model import MixedLM

    y, x, owner = animals(np.random.default_rng(0), 12, 20)
    fitted = mixed.fit(mixed.products(y[:, None], x, owner, np.array([0, 1])), restricted=restricted)
    oracle = MixedLM(y, x, owner, x[:, :2]).fit(reml=restricted, gtol=1e-10)
    assert fitted.deviance[0] == pytest.approx(-2 * oracle.llf, abs=1e-6)
    np.testing.assert_allclose(fitted.coef[0], oracle.fe_params, atol=1e-6)
    np.testing.assert_allclose(fitted.random_cov[0], np.asarray(oracle.cov_re), atol=1e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fitted.coef_cov[0])), oracle.bse_fe, rtol=1e-3)
    np.testing.assert_allclose(fitted.random_effect[0], list(oracle.random_effects.values()), atol=1e-4)
    assert fitted.residual_variance[0] == pytest.approx(oracle.scale, abs=1e-5)
    assert fitted.converged.all() and not fitted.singular.any()


@settings(max_examples=10, deadline=None)
@given(st.integers(0, 2**32 - 1), st.booleans(), st.sampled_from([(0.0, 0.0), (1.0, 0.0), (1.0, 0.4)]))
def test_no_nearby_covariance_has_a_lower_deviance_and_its_formula_is_kept(seed, restricted, random_sd):
    rng = np.random.default_rng(seed)
    y, x, owner = animals(rng, n_animals=5, n_trials=8, random_sd=random_sd)
    fitted = mixed.fit(mixed.products(y[:, None], x, owner, np.array([0, 1])), restricted=restricted)
    cov, variance = fitted.random_cov[0], fitted.residual_variance[0]
    lowest = deviance(y, x, x[:, :2], owner, cov, variance, restricted=restricted)
    assert fitted.deviance[0] == pytest.approx(lowest, abs=1e-6)
    value, axis = np.linalg.eigh(cov)
    root = axis * np.sqrt(np.maximum(value, 0))
    for _ in range(10):
        moved = root + 0.05 * rng.normal(size=(2, 2))
        other = deviance(
            y, x, x[:, :2], owner, moved @ moved.T, variance * rng.uniform(0.9, 1.1), restricted=restricted
        )
        assert other > lowest - 1e-6


def test_outcomes_side_by_side_are_fitted_as_each_alone():
    rng = np.random.default_rng(1)
    y = np.stack([animals(np.random.default_rng(k))[0] for k in range(4)], 1)
    _, x, owner = animals(rng)
    random = np.array([0, 1])
    together = mixed.fit(mixed.products(y, x, owner, random))
    for k in range(4):
        alone = mixed.fit(mixed.products(y[:, k : k + 1], x, owner, random))
        assert alone.deviance[0] == pytest.approx(together.deviance[k], abs=1e-7)
        np.testing.assert_allclose(alone.coef_cov[0], together.coef_cov[k], rtol=1e-3)


def test_animals_without_differences_make_a_singular_fit_that_is_said():
    rng = np.random.default_rng(2)
    _, x, owner = animals(rng)
    y = rng.normal(size=len(x))
    y -= np.array([y[owner == k].mean() for k in range(9)])[owner]
    fitted = mixed.fit(mixed.products(y[:, None], x, owner, np.array([0])))
    assert fitted.singular.all() and fitted.random_cov[0, 0, 0] == pytest.approx(0, abs=1e-6)


def test_degrees_of_freedom_are_those_of_a_balanced_design():
    rng = np.random.default_rng(3)
    owner = np.repeat(np.arange(8), 20)
    x = np.c_[np.ones(160), np.tile([0.0, 1.0], 80)]
    effect = rng.normal(size=(8, 2)) * 2
    y = (x * effect[owner]).sum(1) + rng.normal(size=160)
    fitted = mixed.fit(mixed.products(y[:, None], x, owner, np.array([0, 1])))
    assert fitted.freedom[0, 1] == pytest.approx(7, abs=0.01)  # of a t over animals
    by_animal = [y[(owner == k) & (x[:, 1] == 1)].mean() - y[(owner == k) & (x[:, 1] == 0)].mean() for k in range(8)]
    assert fitted.coef_cov[0, 1, 1] == pytest.approx(np.var(by_animal, ddof=1) / 8, rel=1e-6)
    only = mixed.fit(mixed.products(y[:, None], x, owner, np.array([0])))
    assert only.freedom[0, 1] == pytest.approx(160 - 8 - 1, abs=0.5)


# The published values


@pytest.fixture(scope="module")
def published():
    return read_signals(LOEWINGER, rate=25.0, start=-1.0)


@pytest.mark.parametrize(("random", "aic", "bic"), [("intercept", 1588.326, 1606.472), ("slopes", 1482.376, 1509.596)])
def test_aic_and_bic_of_loewinger_are_reached(published, random, aic, bic):
    found = neural.functional_mixed_model(published.signal, published[["cs"]], random=random)
    assert (found.sizes["time"], int(found.n), int(found.n_subjects)) == (125, 690, 7)
    if random == "intercept":
        assert float(found.aic.mean()) == pytest.approx(aic, abs=1e-3)
        assert float(found.bic.mean()) == pytest.approx(bic, abs=1e-3)
    else:  # lme4 stops short at some times
        assert aic - 0.5 < float(found.aic.mean()) <= aic and bic - 0.5 < float(found.bic.mean()) <= bic
    assert bool(found.converged.all()) and 0 < int(found.singular.sum()) < 125


# Bands


def test_the_smoother_keeps_lines_and_is_a_projection_of_none_but_smooth_curves():
    line = np.linspace(-1, 3, 40)
    smooth, freedom = smoothing.smoother(line + 1e-9 * np.sin(np.arange(40)))
    np.testing.assert_allclose(smooth @ line, line, atol=1e-7)
    rng = np.random.default_rng(0)
    truth = np.sin(np.linspace(0, 6, 80))
    noisy = truth + 0.3 * rng.normal(size=80)
    smooth, freedom = smoothing.smoother(noisy)
    assert 4 < freedom < 20 and ((smooth @ noisy - truth) ** 2).mean() < 0.3 * ((noisy - truth) ** 2).mean()


def test_the_joint_factor_of_independent_times_is_that_of_a_formula():
    from scipy import stats

    rng = np.random.default_rng(0)
    factor = bands.joint_quantile(np.diag(np.arange(1.0, 11)), 1e6, 0.95, 100_000, rng)
    assert factor * stats.norm.ppf(0.975) == pytest.approx(stats.norm.ppf((1 + 0.95**0.1) / 2), rel=0.01)
    assert bands.joint_quantile(np.ones((10, 10)), 5.0, 0.95, 100_000, rng) == pytest.approx(1, abs=0.02)


def curves(rng, n_animals=20, n_trials=20, n_times=15):
    """Signals with a planted intercept and slope, whose random effects and residuals are smooth in time."""
    time = np.linspace(0, 1, n_times)

    def smooth(n, length):
        cov = np.exp(-0.5 * ((time[:, None] - time) / length) ** 2) + 1e-8 * np.eye(n_times)
        return rng.standard_normal((n, n_times)) @ np.linalg.cholesky(cov).T

    owner = np.repeat(np.arange(n_animals), n_trials)
    cue = rng.integers(0, 2, len(owner)).astype(float)
    planted = np.array([np.sin(3 * time), np.exp(-0.5 * ((time - 0.5) / 0.15) ** 2)])
    effect = smooth(2 * n_animals, 0.2).reshape(2, n_animals, -1)
    y = planted[0] + effect[0][owner] + cue[:, None] * (planted[1] + effect[1][owner])
    y += smooth(len(owner), 0.1) + 0.5 * rng.standard_normal(y.shape)
    signal = xr.DataArray(y, dims=("trial", "time"), coords={"time": time, "subject": ("trial", owner)})
    return signal, xr.Dataset({"cue": ("trial", cue)}), planted


def coverage(n, **sizes):
    rng, held = np.random.default_rng(11), []
    for seed in range(n):
        signal, cue, planted = curves(rng, **sizes)
        found = neural.functional_mixed_model(signal, cue, seed=seed)
        held.append((found.joint_lower <= planted) & (planted <= found.joint_upper))
    return np.array([each.all("time").values for each in held]).mean(0)


def test_joint_bands_hold_planted_curves():
    assert (coverage(15, n_animals=8, n_trials=12, n_times=8) >= 12 / 15).all()  # of 95 %, fewer once in 200


@pytest.mark.slow
@pytest.mark.parametrize("n_animals", [8, 20])
def test_joint_bands_cover_95_percent(n_animals):
    covered = coverage(1000, n_animals=n_animals)
    assert (np.abs(covered - 0.95) <= 0.02).all(), covered


def test_the_covariance_of_coefficients_is_that_between_repeated_experiments():
    rng, n_repeats, n_times = np.random.default_rng(4), 60, 6
    signal, cue, _ = curves(rng, n_animals=10, n_times=n_times)
    x, owner = np.c_[np.ones(signal.sizes["trial"]), cue.cue.values], signal.subject.values
    time, effects = signal.time.values, np.array([0, 1])
    cov = np.exp(-0.5 * ((time[:, None] - time) / 0.4) ** 2) + 1e-8 * np.eye(n_times)
    root = np.linalg.cholesky(cov).T
    effect, noise = (rng.standard_normal((n_repeats, *shape, n_times)) @ root for shape in ((10, 2), (len(x),)))
    y = ((effect[:, owner] * x[:, :, None]).sum(2) + noise).transpose(1, 0, 2).reshape(len(x), -1)
    found = mixed.fit(mixed.products(y, x, owner, effects)).coef[:, 1].reshape(n_repeats, n_times)
    told = []
    for own in np.split(y, n_repeats, 1)[:12]:
        of = mixed.products(own, x, owner, effects)
        told.append(bands.coefficient_covariance(of, mixed.fit(of))[1])
    np.testing.assert_allclose(np.mean(told, 0), np.cov(found.T), atol=0.05)
    assert 0.08 < np.mean(told, 0)[0, 0] < 0.2  # near (variance between + within * 4 / trials) / animals = .12


def test_what_cannot_be_explained_is_refused_in_a_sentence(published):
    signal, rows = published.signal, published[["cs"]]
    wrong = [
        (signal, rows.assign(cs=rows.cs * 0), {}, "'cs' is 0 on all 690 trials: it explains nothing"),
        (signal, rows.assign(again=2 * rows.cs + 1), {}, r"'again' follows from \['cs'\]"),
        (signal.isel(trial=signal.subject == 3), rows.isel(trial=signal.subject.values == 3), {}, "of one subject, 3"),
        (signal, rows, {"random": "cue"}, r"random names \['cue'\]"),
        (signal, rows, {"group": "cage"}, "there is no 'cage'"),
        (signal, rows, {"level": 1.0}, "level is 1.0"),
        (signal * np.nan, rows, {}, "No trial has the signal"),
        (signal, rows.astype(str), {}, "must be numbers or bools"),
        (signal.isel(time=0), rows, {}, "must also span 'time'"),
    ]
    for given_signal, given_rows, options, told in wrong:
        with pytest.raises(InputError, match=told):
            neural.functional_mixed_model(given_signal, given_rows, **options)


# Signals


def samples(n=400, rate=20.0, events=(3.0, 8.0, 15.0), session=1, subject="a"):
    """A long table: the signal is the time, so that what is cut shows where from."""
    time = np.arange(n) / rate
    marks = np.isin(np.arange(n), [round(each * rate) for each in events]).astype(int)
    return pd.DataFrame(
        {"subject": subject, "session": session, "time": time, "dff": time, "lick": marks, "dose": 10 * session + marks}
    )


def test_a_long_table_is_cut_around_its_events_with_what_stands_in_their_rows(tmp_path):
    frame = pd.concat([samples(), samples(events=(1.0, 5.0), session=2)])
    frame.to_csv(tmp_path / "long.csv.gz", index=False)
    for table in (frame, tmp_path / "long.csv.gz"):
        found = read_signals(table, event="lick", window=(-2, 3))
        assert found.signal.dims == ("trial", "time") and found.time.values[[0, -1]].tolist() == [-2, 3]
        starts = np.array([3.0, 8.0, 15.0, 5.0])
        np.testing.assert_allclose(found.signal, starts[:, None] + found.time.values, atol=1e-9)
        assert found.dose.values.tolist() == [11, 11, 11, 21] and found.session.values.tolist() == [1, 1, 1, 2]
        assert (found.attrs["n_outside"], found.attrs["rate"]) == (1, 20)


def test_a_baseline_is_subtracted_from_each_trial():
    found = read_signals(samples(), event="lick", window=(-2, 3), baseline=(-2, 0))
    np.testing.assert_allclose(found.signal, np.broadcast_to(found.time + 1, found.signal.shape), atol=1e-9)


def test_an_event_that_lasts_counts_where_it_begins_and_entries_can_be_named():
    frame = samples(events=()).assign(what="none")
    frame.loc[100:140, "what"] = "port"
    found = read_signals(frame, event="what=port", window=(-1, 1))
    assert found.sizes["trial"] == 1 and float(found.signal.sel(time=0)[0]) == 5.0


def test_a_gap_in_the_recording_costs_the_trials_that_meet_it():
    frame = samples().drop(index=range(155, 165))
    found = read_signals(frame, event="lick", window=(-1, 1), rate=20)
    assert found.attrs["n_missing"] == 0 and found.attrs["n_outside"] == 0  # the mark itself was lost
    frame = samples().drop(index=range(170, 176))
    assert read_signals(frame, event="lick", window=(-1, 1)).attrs["n_missing"] == 1


def test_recordings_of_different_rates_are_brought_to_one_on_request():
    frame = pd.concat([samples(), samples(rate=10.0, n=200, session=2)])
    with pytest.raises(InputError, match=r"Sampling rates differ: 10 Hz in .*2.*, 20 Hz in .*1.*--rate 10"):
        read_signals(frame, event="lick", window=(-1, 1))
    found = read_signals(frame, event="lick", window=(-1, 1), rate=10)
    np.testing.assert_allclose(found.signal, np.tile([3.0, 8, 15], 2)[:, None] + found.time.values, atol=1e-9)
    with pytest.raises(InputError, match="has only 10 Hz"):
        read_signals(frame, event="lick", window=(-1, 1), rate=20)


def test_samples_that_say_of_which_trial_they_are_need_no_event():
    frame = pd.concat(
        [pd.DataFrame({"id": 1, "trial": k, "time": [-0.5, 0, 0.5], "dff": k + np.arange(3.0)}) for k in (4, 9)]
    )
    found = read_signals(frame)
    assert found.time.values.tolist() == [-0.5, 0, 0.5] and found.signal.values.tolist() == [[4, 5, 6], [9, 10, 11]]
    assert found.trial_number.values.tolist() == [4, 9] and found.subject.values.tolist() == [1, 1]


def test_a_wide_table_is_taken_as_it_is_or_cut_around_a_column_of_times():
    n = 50
    wide = pd.DataFrame(np.arange(2 * n).reshape(2, n) / 10.0, columns=[f"gcamp_{k}" for k in range(1, n + 1)])
    wide = wide.assign(id=["a", "b"], lick_time=[1.0, 2.5])
    whole = read_signals(wide, rate=10, start=-1)
    assert whole.time.values[[0, -1]] == pytest.approx([-1, 3.9]) and whole.lick_time.values.tolist() == [1, 2.5]
    cut = read_signals(wide, rate=10, start=-1, event="lick_time", window=(-1, 1))
    np.testing.assert_allclose(cut.signal.sel(time=0), [2.0, 5 + 3.5])
    assert read_signals(wide).time.units == "sample"


def test_signals_that_cannot_be_cut_are_refused_in_a_sentence():
    frame = samples()
    wide = pd.DataFrame({f"y.{k}": [0.0, 1.0] for k in range(9)}).assign(at=[1.0, 2.0])
    wrong = [
        (
            frame,
            {"event": "lick", "window": (-50, 60)},
            r"None of 3 events 'lick' lies in its recording .* 0 to 19.95 s",
        ),
        (frame, {"event": "lik", "window": (-1, 1)}, "no column 'lik'.* Did you mean 'lick'"),
        (frame, {"event": "lick"}, "no window around it"),
        (frame, {"window": (0, 1)}, "no event to count it from"),
        (frame, {"event": "lick", "window": (1, -1)}, r"window is \(1, -1\)"),
        (frame, {"event": "lick", "window": (-1, 1), "baseline": (5, 6)}, "must overlap the times cut"),
        (frame, {"event": "lick", "window": (-1, 1), "rate": -1}, "rate is -1"),
        (frame, {"event": "dose", "window": (-1, 1)}, "not 0 or 1 at every sample"),
        (frame, {"event": "dose=7", "window": (-1, 1)}, "never '7'"),
        (frame.assign(lick=0), {"event": "lick", "window": (-1, 1)}, "never happens"),
        (frame, {"signal": "gcamp", "event": "lick", "window": (-1, 1)}, "no column 'gcamp' for signal"),
        (frame.drop(columns="time"), {}, "no signal that can be found"),
        (pd.concat([frame, frame]), {"event": "lick", "window": (-1, 1)}, "do not ascend"),
        (wide, {"event": "at", "window": (0, 1)}, "rate is not given"),
        (wide, {"event": "when", "window": (0, 1), "rate": 10}, "must be a column of times"),
        (pd.concat([wide, wide.add_suffix("9").filter(like="y")], axis=1) * np.nan, {}, "nothing is left"),
    ]
    for table, options, told in wrong:
        with pytest.raises(InputError, match=told):
            read_signals(table, **options)


@pytest.mark.parametrize("name", ["ramp", None])
def test_nwb_series_are_cut_around_times_of_the_trials(tmp_path, name):
    pytest.importorskip("pynwb", reason="needs the extra nwb")
    from test_nwb import recorded

    path = recorded(tmp_path / "lab.nwb")
    if name is None:
        with pytest.raises(InputError, match=r"holds the signals \['dff', 'ramp'\]; name one"):
            read_signals(path, event="start_time", window=(-0.5, 0.5))
        return
    with pytest.raises(InputError, match="2 channels; say which with signal='ramp:0'"):
        read_signals(path, signal="ramp", event="start_time", window=(-0.5, 0.5))
    found = read_signals([path, path], signal="ramp:1", event="start_time", window=(-0.5, 0.5))
    assert found.sizes["trial"] == 2 * 1 + 2 and found.attrs["n_outside"] == 2  # of six, the first lie at its edge
    np.testing.assert_allclose(found.signal.sel(time=0), np.tile([20 * 2.0, 50 * 2.0], 2) * 0.5 + 1)
    assert found.subject.values.tolist() == ["m1"] * 4
    with pytest.raises(InputError, match=r"have the times .*start_time"):
        read_signals(path, signal="ramp:1", event="go", window=(-0.5, 0.5))


def fiber_file(path, n_series=1):
    """A session of fibre photometry: a ramp at 20 Hz for 10 s, and three trials."""
    import datetime

    import pynwb
    from ndx_fiber_photometry import FiberPhotometryResponseSeries

    file = pynwb.NWBFile("a session", "id", datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC), session_id="s7")
    file.subject = pynwb.file.Subject(subject_id="m1")
    file.add_trial_column("outcome_time", "when it was paid, or not")
    for start in (0.0, 2.0, 5.0):
        file.add_trial(start_time=start, stop_time=start + 1, outcome_time=start + 0.5)
    for k in range(n_series):
        ramp = np.arange(200.0)[:, None] * [1, 10][: k + 1]
        file.add_acquisition(FiberPhotometryResponseSeries(name=f"dff{k}", data=ramp.squeeze(), unit="a.u.", rate=20.0))
    file.add_acquisition(pynwb.TimeSeries(name="wheel", data=np.zeros(200), unit="m/s", rate=20.0))
    with pynwb.NWBHDF5IO(path, "w") as io:
        io.write(file)
    return path


def test_fibre_photometry_is_found_beside_other_series_and_read_by_who_lacks_its_extension(tmp_path):
    pytest.importorskip("ndx_fiber_photometry", reason="needs the extension ndx-fiber-photometry")
    one, two = fiber_file(tmp_path / "one.nwb"), fiber_file(tmp_path / "two.nwb", 2)
    found = read_signals(one, event="outcome_time", window=(-0.2, 0.4))
    np.testing.assert_allclose(found.signal.sel(time=0), [10, 50, 110])
    assert found.subject.values.tolist() == ["m1"] * 3 and found.attrs["rate"] == 20
    with pytest.raises(InputError, match=r"holds the signals \['dff0', 'dff1'\]; name one"):
        read_signals(two, event="outcome_time", window=(-0.2, 0.4))
    with pytest.raises(InputError, match="2 channels; say which"):
        read_signals(two, signal="dff1", event="outcome_time", window=(-0.2, 0.4))
    code = (
        "import sys; sys.modules['ndx_fiber_photometry'] = None\n"
        "from neurometa.tables import read_signals\n"
        f"print(float(read_signals({str(one)!r}, event='outcome_time', window=(-.2, .4)).signal.sel(time=0).sum()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert done.stdout.split() == ["170.0"], done.stderr


def test_the_shipped_table_is_small():
    assert len(gzip.decompress(LOEWINGER.read_bytes()).splitlines()) == 691 and LOEWINGER.stat().st_size < 200_000


# Regressors, and the command


def dopamine(n_subjects=6, n_trials=150, seed=0):
    """A long table: Rescorla-Wagner learners whose signal carries their prediction error for half a second."""
    from neurometa import dataset, fitting, models

    rng = np.random.default_rng(seed)
    trials = dataset.example(n_episodes=n_subjects, seed=seed)
    true = fitting.latents(models.RescorlaWagner.of(trials[["learning_rate", "inverse_temperature"]]), trials)
    time = np.arange(-5, 15) / 10
    planted = np.exp(-0.5 * ((time - 0.4) / 0.2) ** 2)
    rows = []
    for k in range(n_subjects):
        rpe = true.rpe.isel(episode=k).values[:n_trials]
        y = (2 + 0.3 * rng.normal()) * rpe[:, None] * planted + 0.5 * rng.normal(size=(n_trials, len(time)))
        n = len(time)
        rows.append(
            pd.DataFrame(
                {
                    "mouse": f"m{k}",
                    "time": np.arange(n_trials * n) / 10,
                    "dff": y.ravel(),
                    "outcome": np.tile((np.abs(time) < 1e-9).astype(int), n_trials),
                    "side": np.repeat(trials.choice.isel(episode=k).values[:n_trials], n),
                    "reward": np.repeat(trials.reward.isel(episode=k).values[:n_trials], n),
                }
            )
        )
    return pd.concat(rows), time, planted


def test_a_planted_prediction_error_is_found_with_its_time_course():
    from neurometa.neural.regressors import signal_regressors

    table, _, planted = dopamine()
    signals = read_signals(table, event="outcome", window=(-0.5, 1.4))
    on = signal_regressors(signals, ["rpe", "reward"], columns={"choice": "side"})
    assert on.attrs["model"] == "RescorlaWagner" and on.sizes["trial"] == 6 * 150
    found = neural.functional_mixed_model(signals.signal, on)
    rpe = found.sel(regressor="rpe")
    np.testing.assert_allclose(rpe.coef, 2 * planted, atol=0.35)
    assert ((rpe.joint_lower <= 2.0 * planted + 0.3) & (rpe.joint_upper >= 2.0 * planted - 0.3)).all()
    assert rpe.significant.sel(time=slice(0.2, 0.6)).all() and not rpe.significant.sel(time=slice(-0.5, -0.25)).any()
    assert abs(float(found.sel(regressor="reward").coef.sel(time=0.4, method="nearest"))) < 0.4


def test_a_column_goes_before_a_learner_and_what_is_neither_is_refused():
    from neurometa.neural.regressors import signal_regressors

    signals = read_signals(LOEWINGER, rate=25.0)
    assert signal_regressors(signals, ["cs"]).cs.equals(signals.cs.reset_coords(drop=True))
    with pytest.raises(InputError, match=r"no column 'css'.* Did you mean 'cs'"):
        signal_regressors(signals, ["css"])
    with pytest.raises(InputError, match="choices and rewards are needed"):
        signal_regressors(signals, ["rpe"])
    with pytest.raises(InputError, match="holds text"):
        signal_regressors(signals.assign(cs=signals.cs.astype(str)), ["cs"])


def test_the_command_tells_saves_and_draws(tmp_path):
    import json

    from shell import neurometa

    from neurometa import dataset

    args = ("photometry", LOEWINGER, "--on", "cs", "--by", "id", "--rate", 25, "--out", tmp_path)
    code, out, err = neurometa(*args, "--json")
    assert (code, err) == (0, "")
    told = json.loads(out)
    assert told["aic"] == pytest.approx(1482.07, abs=0.01) and (told["n"], told["n_subjects"]) == (690, 7)
    assert told["n_singular"] > 0 and told["n_unconverged"] == 0
    assert Path(told["figure"]).read_bytes().startswith(b"\x89PNG")
    saved = dataset.read(tmp_path / "photometry.nc")
    assert float(saved.aic.mean()) == told["aic"] and "photometry" in saved.attrs["command"]
    code, out, _ = neurometa(*args)
    assert code == 0 and "690 trials of 7 animals at 125 times" in out and "Singular at" in out
    code, _, err = neurometa("photometry", LOEWINGER, "--on", "cs", "--window", "a,b", "--event", "x")
    assert code == 2 and "--window is 'a,b'" in err
    code, _, err = neurometa("photometry", LOEWINGER, "--on", "cs", "--by", "cage")
    assert code == 2 and "no column 'cage' for subject" in err


def test_prediction_errors_of_an_agent_can_be_set_beside_a_signal(tmp_path):
    from shell import neurometa

    from neurometa import dataset, pretrained

    pretrained.unpack("restless", tmp_path / "run")
    table, _, _ = dopamine(n_subjects=6, n_trials=60)
    table.to_csv(tmp_path / "dopamine.csv", index=False)
    options = ("--event", "outcome", "--window", "-.5,1.4", "--by", "mouse", "--choice", "side")
    code, _, err = neurometa(
        "photometry", tmp_path / "dopamine.csv", "--on", "rpe", *options, "--agent", tmp_path / "run"
    )
    assert (code, err) == (0, "")
    found = dataset.read(tmp_path / "dopamine_photometry.nc").sel(regressor="rpe")
    assert 0.2 <= float(found.coef.idxmax()) <= 0.6 and bool(found.significant.any())
