"""The records of what was published: whole, sourced, and right where exact theory can tell."""

import math

import numpy as np
import pytest

from neurometa import reference
from neurometa.compare import compare
from neurometa.errors import InputError

RECORD = """paper = "w16"
citation = "Someone 2016"
doi = "10.0/0"
where = "Fig 1"
how = "text"
units = "reward"
n = "10"
[[claim]]
id = "one"
statement = "One holds"
tolerance = "none"
criterion = { experiment = "restless", variable = "reward", min = 0.5 }
"""


def test_every_record_is_complete_and_no_claim_is_said_twice():
    records = reference.records()
    assert {record["paper"] for record in records.values()} == {"w16", "w18"}
    assert len(records) >= 15


@pytest.mark.parametrize("name", reference.names())
def test_every_record_loads_as_a_dataset_with_its_source(name):
    published = reference.load(name)
    assert published.attrs["citation"] and published.attrs["doi"].startswith("10.")
    assert published.published.dims == ("claim",)
    assert published.sizes["claim"] == len(reference.record(name)["claim"])


def test_bounds_enclose_what_was_published_so_that_the_paper_reproduces_itself():
    for record in reference.records().values():
        for claim in record["claim"]:
            if "published" in claim:
                bounds = claim["criterion"]
                assert bounds.get("min", -math.inf) <= claim["published"] <= bounds.get("max", math.inf), claim["id"]


def test_exact_theory_agrees_with_every_claim_about_a_baseline_or_an_optimum(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    exact = [one for one in compare(runs=tmp_path) if one.verdict != "not run"]
    assert len(exact) >= 11
    assert {one.claim: one.ours for one in exact if one.verdict != "reproduced"} == {}


def test_a_published_curve_overlays_on_labelled_axes():
    curve = reference.load("w18_fig1d").cumulative_regret
    assert curve.dims == ("learner", "trial") and curve.attrs["units"] == "reward"
    assert np.array_equal(curve.trial, [1, 5, 10, 20, 50, 100])
    assert (curve.diff("trial") >= 0).all()


@pytest.mark.parametrize("field", ["paper", "citation", "doi", "where", "how", "units", "n"])
def test_a_record_without_a_field_is_refused_by_file_and_field(tmp_path, field):
    lines = [line for line in RECORD.splitlines() if not line.startswith(f"{field} =")]
    (tmp_path / "small.toml").write_text("\n".join(lines))
    with pytest.raises(InputError, match=rf"small\.toml has no field '{field}'"):
        reference.load("small", tmp_path)


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ('tolerance = "none"', "", "claim 'one', has no field 'tolerance'"),
        ("min = 0.5", "mean = 0.5", "criterion with 'mean'"),
        (", min = 0.5", "", "without a bound"),
        ('variable = "reward", ', "", "no field 'variable'"),
        ("[[claim]]", "[other]", "no field 'claim'"),
        ('id = "one"', "id = one", "is not TOML"),
    ],
)
def test_a_record_that_is_wrong_is_refused_in_one_sentence(tmp_path, before, after, message):
    (tmp_path / "small.toml").write_text(RECORD.replace(before, after))
    with pytest.raises(InputError, match=message):
        reference.load("small", tmp_path)


def test_an_unknown_record_names_the_nearest_and_a_claim_said_twice_is_refused(tmp_path):
    with pytest.raises(InputError, match="Did you mean 'w18_fig1d'"):
        reference.load("w18_figd")
    (tmp_path / "a.toml").write_text(RECORD)
    (tmp_path / "b.toml").write_text(RECORD)
    with pytest.raises(InputError, match="'one' is in a and in b"):
        reference.records(tmp_path)
