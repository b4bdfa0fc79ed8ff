"""VariBAD and PEARL: what the evidence bound makes of beliefs, where gradients go, and that order does not matter."""

import dataclasses
import itertools

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from neurometa import rollout, runs, settings
from neurometa.agents import GRU, Belief, RandomChoice
from neurometa.errors import InputError
from neurometa.exact import gridworld, half_circle
from neurometa.rollout import segments
from neurometa.tasks import Gridworld, HalfCircle, IndependentBandit, TwoStep
from neurometa.training import GAE, ppo, varibad
from neurometa.training.config import build

SMALL = varibad.Config(
    IndependentBandit(6),
    Belief(3, n_units=5, n_policy_units=4, n_decoder_units=4),
    n_updates=3,
    batch_size=6,
    n_epochs=2,
    n_minibatches=2,
)
PEARL = dataclasses.replace(SMALL, network=dataclasses.replace(SMALL.network, encoder="product", sample_every=1))
STEERING = varibad.Config(
    HalfCircle(2),
    dataclasses.replace(SMALL.network, n_queries=half_circle.N_CELLS, sample_every=20),
    query="reached_cell",
    learns_from="dense_reward",
    n_updates=3,
    batch_size=6,
    n_epochs=1,
    n_minibatches=2,
)
EVERY_BELIEF = pytest.mark.parametrize("config", [SMALL, PEARL, STEERING], ids=["varibad", "pearl", "steering"])

# One number m ~ N(0, 1) is seen ten times with noise of variance 2; beliefs N(a_t S_t, v_t), S_t the sum seen by then.
N_SEEN, NOISE = 10, 2.0
EXACT = [1 / (1 + t / NOISE) for t in range(N_SEEN + 1)]  # variance of the posterior
AT = [0, 1, 2, 5, 10]
TABLE = {  # optimum by what is decoded, what the divergence is to, whether that is detached: v at AT, a at AT[1:]
    ("past", "prior", False): ([EXACT[t] for t in AT], [1 / (NOISE + t) for t in AT[1:]]),
    ("newest", "previous", False): ([EXACT[t] for t in AT], [1 / (NOISE + t) for t in AT[1:]]),
    ("newest", "previous", True): ([EXACT[t] for t in AT], [1 / (NOISE + t) for t in AT[1:]]),
    ("all", "prior", False): ([1 / (1 + N_SEEN / NOISE)] * 5, [1 / (NOISE + t) for t in AT[1:]]),
    ("all", "previous", False): ([0.245, 0.175, 0.143, 0.093, 0.043], [0.249, 0.220, 0.151, 0.093]),
    ("all", "previous", True): ([0.167, 0.091, 0.063, 0.032, 0.018], [0.182, 0.156, 0.109, 0.073]),
    ("past", "previous", False): ([1.074, 0.702, 0.429, 0.151, 0.047], [0.388, 0.320, 0.175, 0.096]),
}


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def play(config, agent, n_episodes=6, seed=0):
    (played,) = segments(config.task, agent, n_episodes, generator(seed), log=tuple(agent.records.keys() & {"sample"}))
    return played


def optimum(decode, to, detached):
    """Best a_t and v_t, by Newton steps on sequences whose second moments are those of the model, in doubles."""
    cov = torch.ones(N_SEEN, N_SEEN).double() + NOISE * torch.eye(N_SEEN).double()
    seen = torch.linalg.cholesky(cov) * N_SEEN**0.5  # (time, sequence): as many as make its second moments exact
    total = torch.cat([torch.zeros(1, N_SEEN).double(), seen.cumsum(0)])
    mask = varibad.decoded(decode, N_SEEN + 1)[:, :N_SEEN].double()
    free = [torch.full((N_SEEN + 1,), 0.1).double().requires_grad_(), torch.full((N_SEEN + 1,), -1.0).double()]
    free[1].requires_grad_()
    optimizer = torch.optim.LBFGS(free, max_iter=250, tolerance_grad=1e-6, tolerance_change=1e-9, history_size=25)

    def loss():
        optimizer.zero_grad()
        mean, logvar = free[0][:, None] * total, free[1][:, None].expand_as(total)
        expected = -0.5 * ((seen - mean[:, None]).square() + logvar.exp()[:, None]) / NOISE  # (belief, step, sequence)
        kl = varibad.complexity(mean[..., None], logvar[..., None], to=to, detached=detached)
        value = (kl.sum() - torch.einsum("ts,tsn->", mask, expected)) / N_SEEN
        value.backward()
        return value

    if detached:  # no objective, but a point at which its gradients are 0
        adam = torch.optim.Adam(free, 0.05)
        for step in range(600):
            adam.param_groups[0]["lr"] = 0.05 * (1 - step / 600)
            loss()
            adam.step()
    else:
        optimizer.step(loss)
    return free[0].detach()[AT[1:]].numpy(), free[1].detach().exp()[AT].numpy()


@pytest.mark.parametrize(("how", "expected"), TABLE.items(), ids=["-".join(map(str, how)) for how in TABLE])
def test_the_bound_has_its_optimum_where_conjugate_gaussians_say(how, expected):
    """Exact rows are those of Bayes' rule; those of VariBAD's objective were computed elsewhere, to three digits."""
    weight, variance = optimum(*how)
    np.testing.assert_allclose(variance, expected[0], atol=1e-3)
    np.testing.assert_allclose(weight, expected[1], atol=1e-3)


FINITE = st.floats(-3, 3)


@given(st.lists(st.tuples(FINITE, FINITE), min_size=2, max_size=5), FINITE, FINITE)
def test_divergences_are_those_of_torch_and_the_first_is_from_the_prior(beliefs, _, __):
    mean, logvar = torch.tensor(beliefs).double().T[..., None].unbind(0)
    chain = [torch.distributions.Normal(0.0, 1.0)]
    chain += [torch.distributions.Normal(m, (v / 2).exp()) for m, v in zip(mean, logvar, strict=True)]
    kl = torch.distributions.kl_divergence
    previous = torch.cat([kl(after, before) for before, after in itertools.pairwise(chain)])
    prior = torch.cat([kl(each, chain[0]) for each in chain[1:]])
    torch.testing.assert_close(varibad.complexity(mean, logvar), previous, check_dtype=False)
    torch.testing.assert_close(varibad.complexity(mean, logvar, to="prior"), prior, check_dtype=False)


def test_what_a_belief_is_to_predict():
    assert varibad.decoded("all", 3).all()
    assert varibad.decoded("past", 3).tolist() == [[False] * 3, [True, False, False], [True, True, False]]
    assert varibad.decoded("newest", 3).tolist() == [[False] * 3, [True, False, False], [False, True, False]]


def test_steps_are_counted_by_query_in_blocks():
    asked, which = torch.tensor([[2], [0], [2], [2]]), torch.tensor([[True], [True], [False], [True]])
    assert varibad.count(asked, which, 3, 1)[:, 0].tolist() == [[0, 0, 1], [1, 0, 0], [0, 0, 0], [0, 0, 1]]
    assert varibad.count(asked, which, 3, 2)[:, 0].tolist() == [[1, 0, 1], [0, 0, 1]]


def test_where_the_policy_reads_draws_the_bound_is_that_of_the_beliefs_that_are_drawn_from():
    agent = build(STEERING)
    played = play(STEERING, agent)
    record = agent.sequence(played, agent.begin(6), ("latent_mean", "latent_logvar")).record
    found = varibad.negative_elbo(STEERING, agent, record, played, generator(), 0.0)[0]
    between = (torch.arange(len(played.action)) % 20 != 0).float()[:, None, None]
    other = {name: x + between for name, x in record.items()}
    torch.testing.assert_close(varibad.negative_elbo(STEERING, agent, other, played, generator(), 0.0)[0], found)


def test_where_one_query_pays_the_rewards_have_the_probability_that_bayes_gives_them_one_after_another():
    """Of walks through the gridworld: the product of what the exact posterior predicts of each reward is theirs."""
    (played,) = segments(Gridworld(2), RandomChoice(5), 20, generator())
    cell, paid = played.latents["reached_cell"].long(), played.reward > 0
    posterior = gridworld.posterior(cell.T.numpy(), played.reward.T.numpy())
    prior = np.isin(np.arange(25), gridworld.FAR) / len(gridworld.FAR)
    before = np.concatenate([np.broadcast_to(prior, (20, 1, 25)), posterior[:, :-1]], 1)
    pays = np.take_along_axis(before, cell.T.numpy()[..., None], -1)[..., 0]
    expected = np.log(np.where(paid.T.numpy(), pays, 1 - pays)).sum(1)
    which = torch.nn.functional.one_hot(cell, 25)
    n_paid, n_asked = (paid[..., None] * which).sum(0), which.sum(0)
    found = varibad.one_pays(torch.tensor(prior).log().clamp(min=-200), n_paid, n_asked)
    np.testing.assert_allclose(found, expected, atol=1e-6)
    assert paid.any(0).any() and not paid.any(0).all()


def test_actions_can_be_judged_by_what_the_agent_is_not_shown():
    config = dataclasses.replace(STEERING, returns=GAE(1.0, 1.0))
    played = play(config, build(config))
    _, to_come = ppo._judged(config, [played], 0.0, "dense_reward")
    torch.testing.assert_close(to_come[0], played.latents["dense_reward"].flip(0).cumsum(0).flip(0))
    _, of_reward = ppo._judged(config, [played], 0.0, "reward")
    torch.testing.assert_close(of_reward[0], played.reward.flip(0).cumsum(0).flip(0))


@EVERY_BELIEF
def test_a_sequence_is_answered_as_it_was_played(config):
    agent = build(config)
    played = play(config, agent)
    answered = agent.sequence(played, agent.begin(6), ("latent_mean", "latent_logvar"))
    torch.testing.assert_close(answered.logits, played.logits)
    torch.testing.assert_close(answered.value, played.value)


def gradients(config, of):
    agent = build(config)
    played = play(config, agent)
    answered = agent.sequence(played, agent.begin(6), ("latent_mean", "latent_logvar"))
    if of == "policy":
        loss = answered.logits[..., 0].sum() + answered.value.sum()
    else:
        loss = varibad.negative_elbo(config, agent, answered.record, played, generator(), 0.0)[0]
    loss.backward()
    parts = {name.split(".")[0] for name, x in agent.named_parameters() if x.grad is not None}
    return parts & {"encoder", "decoder", "policy"}


def test_gradients_go_where_they_should_and_nowhere_else():
    detached = dataclasses.replace(SMALL, network=dataclasses.replace(SMALL.network, detached=True))
    assert gradients(SMALL, "policy") == {"encoder", "policy"}
    assert gradients(detached, "policy") == gradients(PEARL, "policy") == {"policy"}
    assert gradients(SMALL, "elbo") == gradients(PEARL, "elbo") == {"encoder", "decoder"}


@given(st.permutations(range(5)))
def test_a_product_of_gaussians_does_not_know_the_order(order):
    agent = build(PEARL)
    steps, told = torch.randn(5, 3, agent.encoder.factor[0].in_features, generator=generator()), torch.ones(5, 3)
    mean, logvar, *_ = agent.encoder(steps, told, agent.encoder.begin(3))
    again = agent.encoder(steps[list(order)], told, agent.encoder.begin(3))
    torch.testing.assert_close(again[0][-1], mean[-1])
    torch.testing.assert_close(again[1][-1], logvar[-1])


def test_a_product_of_gaussians_is_theirs_and_that_of_the_standard_normal():
    encoder = build(PEARL).encoder
    steps = torch.randn(4, 2, encoder.factor[0].in_features, generator=generator())
    mean, logvar, *_ = encoder(steps, torch.tensor([[0.0, 0.0], [1, 1], [1, 1], [1, 1]]), encoder.begin(2))
    assert (mean[0] == 0).all() and (logvar[0] == 0).all()
    each, spread = encoder.head(encoder.factor(steps[1:])).chunk(2, -1)
    precision = torch.nn.functional.softplus(spread)
    grid = torch.linspace(-20, 20, 200_001).double()
    density = -0.5 * ((grid - each[..., None]).square() * precision[..., None]).sum(0)  # (2, latent, x)
    density = density - 0.5 * grid.square()  # and of the prior, which is one of the product
    weight = torch.softmax(density, -1)
    expected = (weight * grid).sum(-1)
    torch.testing.assert_close(mean[-1].double(), expected, atol=1e-4, rtol=1e-4)
    spread = (weight * (grid - expected[..., None]).square()).sum(-1)
    torch.testing.assert_close(logvar[-1].double(), spread.log(), atol=1e-3, rtol=1e-3)


def test_a_draw_of_the_latent_is_kept_for_a_trial_and_drawn_from_the_belief_at_its_beginning():
    task = Gridworld(2)
    network = Belief(3, encoder="product", sample_every=15, n_queries=25)
    agent = build(varibad.Config(task, network, query="reached_cell"))
    trials = rollout.to_dataset(
        task, rollout.unroll(task, agent, 400, generator(), log=("sample", "latent_mean")), agent
    )
    assert (trials["sample"] == trials["sample"].isel(step=0)).all()
    assert not (trials["sample"][:, 0] == trials["sample"][:, 1]).any()
    first = trials["sample"].isel(trial=0, step=0)
    assert abs(first.mean("episode")).max() < 4 / 20 and abs(first.std("episode") - 1).max() < 4 / 800**0.5


def test_the_belief_is_logged_like_hidden_activity_and_predicts_rewards_by_query():
    task = Gridworld(2)
    agent = build(varibad.Config(task, Belief(3, n_queries=25), query="reached_cell")).eval()
    log = ("latent_mean", "latent_logvar", "hidden", "predicted_reward")
    trials = rollout.to_dataset(task, rollout.unroll(task, agent, 4, generator(), log=log), agent)
    assert trials.latent_mean.dims == trials.latent_logvar.dims == ("episode", "trial", "step", "latent")
    assert trials.predicted_reward.dims == ("episode", "trial", "step", "query")
    assert trials.sizes["latent"] == 3 and trials.sizes["query"] == 25 and trials.sizes["unit"] == 64
    assert ((trials.predicted_reward > 0) & (trials.predicted_reward < 1)).all()


@EVERY_BELIEF
def test_an_interrupted_training_ends_in_the_same_bits(config, tmp_path, monkeypatch):
    from neurometa.training import loop

    whole = varibad.train(config)
    monkeypatch.setattr(loop, "SECONDS_BETWEEN_CHECKPOINTS", -1.0)

    def stop(row):
        if row["update"] == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        runs.train(config, tmp_path / "run", progress=stop)
    again = runs.train(config, tmp_path / "run", resume=True)
    for name, x in whole.state_dict().items():
        assert torch.equal(x, again.state_dict()[name]), name


def test_settings_come_back_from_their_record():
    assert settings.from_json([varibad.Config], settings.to_json(PEARL)) == PEARL


WRONG = [
    ({"network": GRU()}, "network is GRU"),
    ({"segment_length": 5}, "segment_length is 5"),
    ({"decode": "pasta"}, "decode is 'pasta'; allowed are"),
    ({"kl_to": "posterior"}, "kl_to is 'posterior'; allowed are"),
    ({"query": "reached_cell"}, "query is 'reached_cell'; allowed for IndependentBandit are"),
    ({"network": Belief(n_queries=3)}, "n_queries is 3, but the task has 2 actions"),
    ({"network": Belief(sample_every=15)}, "sample_every is 15; a draw is kept for a trial, here 1 steps"),
    ({"kl_weight": -1.0}, "kl_weight is -1"),
    ({"learns_from": "dense_reward"}, "learns_from is 'dense_reward'; allowed for IndependentBandit are"),
    ({"task": HalfCircle()}, "query is 'action', and HalfCircle asks for continuous ones; allowed are"),
]


@pytest.mark.parametrize(("change", "told"), WRONG, ids=[told[:12] for _, told in WRONG])
def test_bad_settings_are_told_in_a_sentence(change, told):
    with pytest.raises(InputError, match=told):
        dataclasses.replace(SMALL, **change)


@pytest.mark.parametrize("name", ["n_latent", "n_units", "n_policy_units", "n_decoder_units", "n_queries"])
def test_a_latent_of_size_0_or_no_units_are_refused(name):
    with pytest.raises(InputError, match=f"{name} is 0; it must be at least 1"):
        Belief(**{name: 0})


def test_a_belief_needs_known_encoders_and_vectors_and_named_queries():
    with pytest.raises(InputError, match="encoder is 'gruu'; allowed are"):
        Belief(encoder="gruu")
    with pytest.raises(InputError, match="reads vectors alone"):
        Belief().check((3, 8, 8))
    with pytest.raises(InputError, match="n_queries is null; say how many values"):
        varibad.Config(Gridworld(), Belief(), query="reached_cell")
    few = varibad.Config(Gridworld(), Belief(n_queries=3), query="reached_cell", batch_size=4)
    with pytest.raises(InputError, match="n_queries is 3, but 'reached_cell' reached"):
        varibad.train(few)
    with pytest.raises(InputError, match="network is LSTM; a belief is held by"):
        varibad.Config(TwoStep(3))
