"""Baseline agents against exact values, a slow filter, and one contract for all of them."""

import copy

import numpy as np
import pytest
import torch
from scipy import stats

from neurometa import exact, models
from neurometa.agents import Fixating, bandit, foraging, learners, restless
from neurometa.errors import InputError
from neurometa.rollout import unroll
from neurometa.tasks import DependentBandit, Foraging, IndependentBandit, InformativeBandit, RestlessBandit

TRAINING, TESTING = ((0.0, 1 / 15), (2 / 15, 3 / 15)), ((0.0, 3 / 15),)
TWO_ARMS, FIVE_ARMS = IndependentBandit(n_trials=12), IndependentBandit(n_trials=12, n_arms=5)
MIRRORED, RESTLESS = DependentBandit(n_trials=12), RestlessBandit(n_trials=12)
AGENTS = [
    (TWO_ARMS, bandit.RandomChoice()),
    (TWO_ARMS, bandit.UCB()),
    (FIVE_ARMS, bandit.UCB(5, bonus=0.5)),
    (TWO_ARMS, bandit.Thompson()),
    (FIVE_ARMS, bandit.Thompson(5)),
    (TWO_ARMS, bandit.UCB(bonus=0.3, prior=1.0)),
    (FIVE_ARMS, bandit.EpsilonGreedy(5, epsilon=0.2)),
    (FIVE_ARMS, bandit.Greedy(5)),
    (TWO_ARMS, bandit.OptimisticThompson()),
    (FIVE_ARMS, bandit.OptimisticThompson(5, n_samples=6)),
    (TWO_ARMS, bandit.TablePolicy(exact.bandit.bayes_optimal(exact.bandit.independent(), 13)[0])),
    (FIVE_ARMS, bandit.Gittins(5, n_trials=13)),
    (TWO_ARMS, bandit.Gittins(n_trials=13, discount=0.9)),
    (MIRRORED, bandit.MajorityRule()),
    (RESTLESS, restless.ideal_observer(TRAINING)),
    (RESTLESS, restless.GreedyWalk([0.1])),
    (RESTLESS, restless.ThompsonWalk([0.1], drift="variance")),
    (Foraging(n_trials=12), foraging.ForagingObserver()),
    (InformativeBandit(), bandit.AskThenExploit()),
    (InformativeBandit(), bandit.ThompsonTarget()),
    (RESTLESS, learners.LearningModelAgent(models.SingleValue(0.3, 5.0))),
    (FIVE_ARMS, learners.LearningModelAgent(models.RescorlaWagner(0.3, 5.0), 5)),
    (TWO_ARMS, learners.LearningModelAgent(models.TwoLearningRates(0.3, 0.6, 5.0))),
    (TWO_ARMS, learners.LearningModelAgent(models.Forgetting(0.3, 0.1, 5.0))),
    (TWO_ARMS, learners.LearningModelAgent(models.ChoiceKernel(0.3, 2.0))),
    (TWO_ARMS, learners.LearningModelAgent(models.RescorlaWagnerChoiceKernel(0.3, 0.2, 5.0, 1.0))),
]
EVERY_AGENT = pytest.mark.parametrize(("task", "agent"), AGENTS, ids=[type(agent).__name__ for _, agent in AGENTS])


def play(task, agent, n_episodes, seed):
    return unroll(task, agent, n_episodes, torch.Generator().manual_seed(seed))


def regret(task, agent, n_episodes, seed):
    """Regret of each episode, summed over its trials."""
    played = play(task, agent, n_episodes, seed)
    prob = played["reward_prob"]
    chosen = prob.gather(-1, played["action"][:, 0, :, None])[..., 0]
    return (prob.amax(-1) - chosen).sum(0)


def standard_errors(sample, expected):
    """How far the mean of a sample is from what is expected, in its standard errors."""
    return ((sample.mean() - expected) / (sample.std() / len(sample) ** 0.5)).item()


def at_random(task, n_episodes=6, seed=3):
    """Choices made at random, one-hot (trial, episode, arm), and what they paid (trial, episode)."""
    played = play(task, bandit.RandomChoice(task.n_actions), n_episodes, seed)
    return torch.nn.functional.one_hot(played["action"][:, 0], task.n_actions).float(), played["reward"][:, 0]


def follow(agent, action, reward):
    """What an agent answers before each of the given choices, and after the last."""
    state, outputs = agent.begin(action.shape[1]), []
    nothing = torch.zeros_like(action[:1]), torch.zeros_like(reward[:1])
    for previous, paid in zip(torch.cat([nothing[0], action]), torch.cat([nothing[1], reward]), strict=True):
        outputs.append(agent(previous[:, :0], previous, paid, state))
        state = outputs[-1].state
    return outputs


@EVERY_AGENT
def test_every_agent_answers_with_a_policy(task, agent):
    for output in follow(agent, *at_random(task)):
        assert output.logits.shape == (6, task.n_actions)
        assert torch.softmax(output.logits, -1).sum(-1).numpy() == pytest.approx(1, abs=1e-5)
        assert all(len(x) == 6 for x in (output.value, *output.state.values(), *output.record.values()))


@EVERY_AGENT
def test_nothing_is_learned_where_nothing_was_done(task, agent):
    action, reward = at_random(task)
    before = follow(agent, action[:3], reward[:3])[-1]
    missed = action[3] * torch.tensor([1.0, 0, 1, 0, 0, 1])[:, None]
    state = agent(missed[:, :0], missed, reward[3], before.state).state
    taught = agent(missed[:, :0], action[3], reward[3], before.state).state
    for name in before.state:
        torch.testing.assert_close(state[name][[1, 3, 4]], before.state[name][[1, 3, 4]], rtol=0, atol=0)
        torch.testing.assert_close(state[name][[0, 2, 5]], taught[name][[0, 2, 5]], rtol=0, atol=0)


@EVERY_AGENT
def test_episodes_of_a_batch_do_not_touch_each_other(task, agent):
    action, reward = at_random(task)
    together, alone = follow(agent, action, reward), follow(agent, action[:, 2:3], reward[:, 2:3])
    for many, one in zip(together, alone, strict=True):
        torch.testing.assert_close(
            torch.softmax(many.logits, -1)[2:3], torch.softmax(one.logits, -1), rtol=0, atol=1e-5
        )
        torch.testing.assert_close(many.value[2:3], one.value, equal_nan=True)


@EVERY_AGENT
def test_with_a_fixation_an_agent_does_at_its_own_steps_what_it_does_without(task, agent):
    action, reward = at_random(task)
    fixating, n_actions = Fixating(agent), task.n_actions
    fixation, go = torch.eye(2)[[0] * 6], torch.eye(2)[[1] * 6]
    centre, state = torch.eye(n_actions + 1)[[n_actions] * 6], fixating.begin(6)
    before, paid = torch.zeros(6, n_actions + 1), torch.zeros(6)
    for i, plain in enumerate(follow(agent, action, reward)):
        held = fixating(fixation, before, paid, state)
        assert torch.softmax(held.logits, -1).equal(centre), "the centre, and only there"
        torch.testing.assert_close(
            held.value, plain.value, rtol=1e-5, atol=1e-6, equal_nan=True
        )  # of the trial to come
        own = fixating(go, centre, torch.full((6,), -1.0), held.state)  # whatever the fixation paid
        torch.testing.assert_close(own.logits[:, :-1], plain.logits, rtol=1e-5, atol=1e-6)
        assert (own.logits[:, -1] == -torch.inf).all()
        torch.testing.assert_close(own.value, plain.value, rtol=1e-5, atol=1e-6, equal_nan=True)
        if i < len(action):
            before, paid, state = torch.nn.functional.pad(action[i], (0, 1)), reward[i], own.state


@EVERY_AGENT
def test_every_agent_works_where_it_is_moved_to(task, agent):
    moved = copy.deepcopy(agent).to("meta")  # a device that every machine has, and that refuses to mix with another
    for output in follow(moved, *(x.to("meta") for x in at_random(task))):
        everything = (output.logits, output.value, *output.state.values(), *output.record.values())
        assert {x.device.type for x in everything} == {"meta"}


@EVERY_AGENT
def test_every_agent_starts_without_a_preference_it_was_not_given(task, agent):
    arm = torch.softmax(follow(agent, *at_random(task))[0].logits, -1)
    if isinstance(agent, bandit.AskThenExploit | bandit.ThompsonTarget):  # arm 10 is another kind of arm
        arm = arm[:, :10]
    torch.testing.assert_close(arm, arm.mean(-1, keepdim=True).expand_as(arm))


@pytest.mark.parametrize(
    ("task", "agent", "regret_expected"),
    [
        (IndependentBandit(), bandit.Thompson(), 2.7862),
        (IndependentBandit(), bandit.UCB(bonus=0.5**0.5), 2.9699),
        (IndependentBandit(), bandit.UCB(bonus=2**0.5), 5.5810),
        (IndependentBandit(), bandit.RandomChoice(), 16.6667),
        (IndependentBandit(), bandit.MajorityRule(), 2.7987),
        (DependentBandit(difficulty="medium"), bandit.Thompson(), 3.0067),
        (DependentBandit(difficulty="medium"), bandit.UCB(bonus=0.5**0.5), 3.0010),
        (DependentBandit(), bandit.MajorityRule(), 1.2214),
        (DependentBandit(difficulty="easy"), bandit.MajorityRule(), 0.6250),
        (DependentBandit(difficulty="medium"), bandit.MajorityRule(), 1.0000),
        (DependentBandit(difficulty="hard"), bandit.MajorityRule(), 2.3121),
    ],
)
def test_agents_at_play_have_the_regret_computed_exactly(task, agent, regret_expected):
    assert abs(standard_errors(regret(task, agent, 3000, seed=0), regret_expected)) < 4


@pytest.mark.parametrize(
    ("agent", "earned"),
    [
        (bandit.AskThenExploit(), exact.bandit.informative_optimal()),
        (bandit.ThompsonTarget(), exact.bandit.informative_thompson()),
        (bandit.UCB(11), 5 * (5 + 9 + 0.55) / 11),
        (bandit.RandomChoice(11), 5 * (5 + 9 + 0.55) / 11),
    ],
)
def test_agents_of_the_informative_bandit_earn_what_was_computed(agent, earned):
    reward = play(InformativeBandit(), agent, 4000, seed=1)["reward"].sum((0, 1))
    assert abs(standard_errors(reward, earned)) < 4


def test_who_asks_first_takes_the_target_ever_after():
    played = play(InformativeBandit(), bandit.AskThenExploit(), 500, seed=2)
    assert (played["action"][0] == 10).all()
    assert (played["action"][1:, 0] == played["target"][1:]).all()
    searched = play(InformativeBandit(), bandit.ThompsonTarget(), 500, seed=2)["action"]
    assert (searched != 10).all()


@pytest.mark.parametrize(
    ("agent", "policy"),
    [
        (bandit.Thompson(), exact.bandit.thompson(40)),
        (bandit.UCB(bonus=0.7), exact.bandit.ucb(40, bonus=0.7)),
        (bandit.MajorityRule(), exact.bandit.greedy(exact.bandit.anticorrelated(), 40)),
    ],
)
def test_agents_follow_the_policies_that_are_evaluated_exactly(agent, policy):
    action, reward = at_random(IndependentBandit(n_trials=39), n_episodes=50)
    won = (action * reward[..., None]).cumsum(0)
    for trial, output in enumerate(follow(agent, action, reward)):
        n, (w0, w1) = action[:trial, :, 0].sum(0).int(), won[trial - 1].int().T if trial else torch.zeros(2, 50).int()
        expected = policy[trial][n, w0, w1]
        assert torch.softmax(output.logits, -1)[:, 0].numpy() == pytest.approx(expected, abs=1e-6)


def test_thompson_among_many_arms_agrees_with_draws_from_the_posterior():
    rng, wins, losses = np.random.default_rng(0), np.array([3, 0, 8, 40, 1]), np.array([1, 0, 5, 22, 9])
    draws = rng.beta(wins + 1, losses + 1, (400_000, 5)).argmax(-1)
    expected = np.bincount(draws, minlength=5) / len(draws)
    prob = bandit.Thompson(5).choice_prob(torch.tensor(wins).double(), torch.tensor(losses).double()).numpy()
    assert prob == pytest.approx(expected, abs=4 * 0.5 / len(draws) ** 0.5)


def test_thompson_is_right_to_1e_6_after_500_pulls():
    wins, losses = torch.tensor([420.0, 405.0]).double(), torch.tensor([80.0, 95.0]).double()
    first, second = stats.beta(421, 81), stats.beta(406, 96)
    p = np.linspace(0, 1, 200_001)
    expected = np.trapezoid(first.pdf(p) * second.cdf(p), p)
    assert bandit.Thompson().choice_prob(wins, losses)[0].item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("drift", ["sd", "variance"])
def test_the_filter_agrees_with_a_million_worlds_weighted_by_what_they_would_have_paid(drift):
    rng, n = np.random.default_rng(1), 1_000_000
    nu = rng.uniform(0, 1 / 15, n) + np.where(rng.random(n) < 0.5, 0, 2 / 15)
    drift_sd, p, weight = nu if drift == "sd" else np.sqrt(nu), rng.random(n), np.ones(n)
    choice, reward = [0, 0, 1, 0, 1, 1, 0, 0], [1, 1, 0, 1, 1, 1, 0, 0]
    action = torch.nn.functional.one_hot(torch.tensor(choice), 2).float()[:, None]
    agent = restless.ideal_observer(TRAINING, drift=drift)
    for trial, output in enumerate(follow(agent, action, torch.tensor(reward).float()[:, None])):
        p = np.abs(p + drift_sd * rng.standard_normal(n)) % 2
        p = np.where(p > 1, 2 - p, p)
        prob, volatility = np.average(p, weights=weight), np.average(nu, weights=weight)
        assert output.record["posterior_prob"].item() == pytest.approx(prob, abs=4e-3)
        assert output.record["posterior_volatility"].item() == pytest.approx(volatility, abs=1e-3)
        assert output.value.item() == pytest.approx(max(prob, 1 - prob), abs=4e-3)
        if trial < len(choice):
            pays = p if choice[trial] == 0 else 1 - p
            weight = weight * (pays if reward[trial] else 1 - pays)


def test_a_walk_that_stands_still_is_a_coin_of_unknown_bias():
    action, reward = at_random(MIRRORED)
    support = torch.stack([action[..., 0] == reward, action[..., 0] != reward], -1).float().sum(0) + 1
    output = follow(restless.GreedyWalk([0.0], n_bins=400), action, reward)[-1]
    assert output.record["posterior_prob"].numpy() == pytest.approx((support[:, 0] / support.sum(-1)).numpy(), abs=1e-3)
    walk = follow(restless.ThompsonWalk([0.0], n_bins=400), action, reward)[-1]
    better = stats.beta(support[:, 0].numpy(), support[:, 1].numpy()).sf(0.5)
    assert torch.softmax(walk.logits, -1)[:, 0].numpy() == pytest.approx(better, abs=1e-3)


# mean regret over 400 episodes of 150 trials under the training and the test range, published with its standard error
RESTLESS_REGRET = {
    "ideal": (lambda: restless.ideal_observer(TRAINING), 9.0, 7.9),
    "fixed": (lambda: restless.GreedyWalk([0.1]), 9.6, 8.2),
    "single": (lambda: learners.LearningModelAgent(models.SingleValue(0.2, 50.0)), 9.5, 8.1),
    "separate .2": (lambda: learners.LearningModelAgent(models.RescorlaWagner(0.2, 20.0)), 12.3, 10.5),
    "separate .8": (lambda: learners.LearningModelAgent(models.RescorlaWagner(0.8, 30.0)), 11.9, 10.4),
    "ucb": (lambda: bandit.UCB(), 11.8, 10.3),
    "thompson": (lambda: restless.ThompsonWalk([0.1]), 15.9, 14.6),
    "random": (lambda: bandit.RandomChoice(), 37.4, 38.1),
}


def test_the_ideal_observer_has_the_least_regret_and_each_baseline_the_published_one():
    for ranges, column in ((TRAINING, 0), (TESTING, 1)):
        task = RestlessBandit(volatility_ranges=ranges)
        played = {name: regret(task, make(), 400, seed=5) for name, (make, *_) in RESTLESS_REGRET.items()}
        for name, (_, *published) in RESTLESS_REGRET.items():
            error = (2 * played[name].var() / 400) ** 0.5  # theirs and ours
            assert abs(played[name].mean() - published[column]) < 4 * error, (name, played[name].mean())
            assert (played[name] - played["ideal"]).mean() >= 0, name


def test_the_ideal_observer_tells_fast_worlds_from_slow_ones():
    task, agent = RestlessBandit(), restless.ideal_observer(TRAINING)
    rng = torch.Generator().manual_seed(0)
    played = unroll(task, agent, 300, rng, log=("posterior_volatility", "posterior_prob"))
    true, inferred = played["drift_sd"][-1], played["posterior_volatility"][-1, 0]
    assert np.corrcoef(true, inferred)[0, 1] > 0.5
    assert abs((inferred - true).mean()) < 4 * (inferred - true).std() / 300**0.5
    error = played["posterior_prob"][:, 0] - played["reward_prob"][..., 0]
    assert abs(error[-1].mean()) < 4 * error[-1].std() / 300**0.5


@pytest.mark.parametrize(
    "model", [agent.model for _, agent in AGENTS if isinstance(agent, learners.LearningModelAgent)]
)
def test_a_learner_chooses_as_its_model_would_score_it(model):
    played = play(TWO_ARMS, learners.LearningModelAgent(model), 20, seed=4)
    values = {name: float(getattr(model, name)) for name in model.parameters()}
    scored = type(model)(**values)
    features = scored.begin(np.zeros((20, 2)))
    for action, reward, logits in zip(played["action"], played["reward"], played["logits"], strict=True):
        assert logits[0].numpy() == pytest.approx(scored.logits(features), abs=1e-4)
        features = scored.update(features, np.eye(2)[action[0]], reward[0].numpy()[:, None])


def test_episodes_may_have_learners_of_their_own():
    rates, n = torch.tensor([[0.1], [0.9]]), 2
    agent = learners.LearningModelAgent(models.RescorlaWagner(rates, 3.0))
    action, reward = at_random(TWO_ARMS, n_episodes=n)
    both = follow(agent, action, reward)
    for episode, rate in enumerate((0.1, 0.9)):
        alone = follow(learners.LearningModelAgent(models.RescorlaWagner(rate, 3.0)), action, reward)
        torch.testing.assert_close(both[-1].logits[episode], alone[-1].logits[episode])


def test_a_learner_expects_the_reward_of_its_policy_and_a_habit_expects_none():
    action, reward = at_random(TWO_ARMS)
    output = follow(learners.LearningModelAgent(models.RescorlaWagner(0.5, 2.0)), action, reward)[-1]
    expected = (torch.softmax(output.logits, -1) * output.logits / 2.0).sum(-1)
    torch.testing.assert_close(output.value, expected)
    habit = follow(learners.LearningModelAgent(models.ChoiceKernel(0.5, 2.0)), action, reward)[-1]
    assert habit.value.isnan().all()


def test_bad_settings_are_told_in_a_sentence():
    with pytest.raises(InputError, match="n_arms is 1"):
        bandit.Thompson(1)
    with pytest.raises(InputError, match="bonus is -1"):
        bandit.UCB(bonus=-1)
    with pytest.raises(InputError, match="SingleValue is a model of 2 arms"):
        learners.LearningModelAgent(models.SingleValue(0.1, 1.0), 3)
    with pytest.raises(InputError, match=r"learning_rate of RescorlaWagner is \(3,\)"):
        learners.LearningModelAgent(models.RescorlaWagner(torch.ones(3), 1.0))
    with pytest.raises(InputError, match="given for 3 episodes, but 4"):
        learners.LearningModelAgent(models.RescorlaWagner(torch.ones(3, 1), 1.0)).begin(4)
    with pytest.raises(InputError, match="drift is 'fast'"):
        restless.GreedyWalk([0.1], drift="fast")
    with pytest.raises(InputError, match="n_bins is 51"):
        restless.GreedyWalk([0.1], n_bins=51)
    with pytest.raises(InputError, match="volatility is"):
        restless.ThompsonWalk([])
    with pytest.raises(InputError, match="volatility_ranges is"):
        restless.ideal_observer([(0.2, 0.1)])
