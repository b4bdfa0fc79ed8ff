"""Random numbers of many networks side by side: each network's are its own, whoever plays beside it."""

import pytest
import torch

from neurometa.streams import Streams, integers, normal, uniform


def streams(*seeds, n_each=3):
    return Streams([torch.Generator().manual_seed(seed) for seed in seeds], n_each)


def drawn(rng, n):
    """A little of everything, over and over, so that blocks are used up, with the episode first."""
    found = []
    for _ in range(30):
        found += [uniform(rng, n), uniform(rng, 3, n, axis=1).T, uniform(rng, n, 2, 7).flatten(1)]
        found += [
            normal(rng, n),
            normal(rng, n, 2),
            integers(rng, 5, n).float(),
            integers(rng, 2**31 - 1, n, 2).double(),
        ]
    return torch.cat([x[:, None] if x.ndim == 1 else x for x in found], 1)


def test_what_a_network_draws_does_not_depend_on_its_company():
    alone, company = streams(7), streams(3, 7, 5, *range(20, 40))
    one, many = drawn(alone, alone.n_episodes), drawn(company, company.n_episodes)
    assert many[3:6].equal(one[:3])
    assert not many[:3].equal(one[:3])


def test_nothing_drawn_ahead_outlives_a_new_start():
    rng = streams(1)
    uniform(rng, rng.n_episodes)
    state = rng.generators[0].get_state()
    rng.start()
    here = drawn(rng, rng.n_episodes)
    again = streams(2)
    again.generators[0].set_state(state)
    assert drawn(again, again.n_episodes).equal(here)


def test_the_numbers_have_their_distributions():
    rng = streams(0, 1, n_each=500)
    n = rng.n_episodes
    flat = torch.cat([uniform(rng, n)[:1000] for _ in range(100)]).double()
    bell = torch.cat([normal(rng, n)[:1000] for _ in range(100)]).double()
    whole = torch.cat([integers(rng, 3, n)[:1000] for _ in range(100)])
    assert flat.mean() == pytest.approx(0.5, abs=0.005)
    assert flat.var() == pytest.approx(1 / 12, abs=0.001)
    assert flat.min() >= 0
    assert flat.max() < 1
    assert bell.mean() == pytest.approx(0, abs=0.02)
    assert bell.var() == pytest.approx(1, abs=0.03)
    assert (torch.bincount(whole) / len(whole)).tolist() == pytest.approx([1 / 3] * 3, abs=0.01)
    assert len(integers(rng, 2**31 - 1, n)[:1000].unique()) == 1000


def test_one_generator_gives_what_torch_gives():
    ours, theirs = torch.Generator().manual_seed(4), torch.Generator().manual_seed(4)
    assert uniform(ours, 3, 5, axis=1).equal(torch.rand((3, 5), generator=theirs))
    assert normal(ours, 5, 2).equal(torch.randn((5, 2), generator=theirs))
    assert integers(ours, 9, 5).equal(torch.randint(9, (5,), generator=theirs))
