"""Who a trained agent is set beside: learners and ideal observers for each task, at play and exactly."""

from collections.abc import Callable

import torch
import xarray as xr

from neurometa import agents, exact, rollout
from neurometa.behaviour import regret
from neurometa.errors import InputError
from neurometa.exact.gittins import LONGEST
from neurometa.models import RescorlaWagner, SingleValue
from neurometa.tasks import (
    DependentBandit,
    Foraging,
    Harlow,
    IndependentBandit,
    InformativeBandit,
    RestlessBandit,
    Reversal,
    RiskySafe,
    Task,
    TwoStep,
    Volatility,
)
from neurometa.tasks.bandit import DIFFICULTIES

# Inverse temperature of least regret on the restless bandit's training distribution, of 5 to 60, over 4,000 episodes of
# each of two seeds that are reported nowhere: for a rate of .2 it is 20 (11.40); for .8 the regret is flat from 30 on
# (11.05, and 11.01 at 40), and so it is for a single value from 50 on (9.01).
SEPARATE = {0.2: 20.0, 0.8: 30.0}
SINGLE = {0.2: 50.0}
PYMABANDITS, UCB1, TUNED = 0.5**0.5, 2.0**0.5, 0.5 * 0.5**0.5  # bonus of UCB; the last with a prior
EPSILON = 0.05  # Duan et al. 2016 tuned theirs by task
FIXED = {0.1: 20.0, 0.3: 10.0}  # inverse temperature by learning rate: about those that fit the ideal observer's blocks
DISCOUNT = 0.99
MOST_PLANNED = 100  # trials of two arms that are planned in full: a table of 0.1 GiB


def baselines(task: Task) -> dict[str, agents.Agent]:
    """Return the learners that an agent trained on a task is compared with, chance last.

    Parameters
    ----------
    task : Task
        A bandit, the two-step task of one choice, reversal or Harlow's. Of the restless one, its reading of the
        volatility and its training range become the ideal observer's prior.

    Returns
    -------
    dict of Agent
        By name. ``"Bayes-optimal"`` or ``"ideal observer"`` comes first where it is known:
        for two arms that keep still (independent ones up to 100 trials), the informative and
        the restless bandit, the two-step, reversal and Harlow tasks, and a safe arm against a risky one.

    Raises
    ------
    InputError
        There are no baselines for the task.
    """
    if isinstance(task, IndependentBandit | DependentBandit):
        return _still(task)
    if isinstance(task, InformativeBandit):
        return {
            "Bayes-optimal" if task.n_trials > 1 else "asking first": agents.AskThenExploit(),
            "Thompson": agents.ThompsonTarget(),
            "UCB": agents.UCB(task.n_actions),
            "random": agents.RandomChoice(task.n_actions),
        }
    if isinstance(task, RestlessBandit):
        return _restless(task)
    if isinstance(task, Foraging) and not task.fixation:
        return {
            "Bayes filter, myopic": agents.ForagingObserver(task.test_base_prob_ranges),
            "random": agents.RandomChoice(2),
        }
    if isinstance(task, Volatility):
        fixed = {f"R-W {rate}": agents.MagnitudeLearner(rate, slope) for rate, slope in FIXED.items()}
        return {"ideal observer": agents.VolatilityObserver(), **fixed, "random": agents.RandomChoice(2)}
    if isinstance(task, Foraging):
        raise InputError("There are no baselines for foraging with a fixation; there are with fixation=false.")
    if isinstance(task, TwoStep):
        return _two_step(task)
    if isinstance(task, RiskySafe):
        return _risky_safe(task)
    if isinstance(task, Reversal):
        return _reversal(task)
    if isinstance(task, Harlow):
        return _harlow(task)
    allowed = "bandits, Foraging, Harlow, Reversal, RiskySafe, TwoStep and Volatility"
    raise InputError(f"There are no baselines for {type(task).__name__}; there are for {allowed}.")


def play(
    task: Task,
    learners: dict[str, agents.Agent],
    *,
    n_episodes: int = 3000,
    seed: int = 2,
    progress: Callable[[str], None] | None = None,
) -> xr.Dataset:
    """Let learners play fresh episodes of a task, all in the same worlds.

    Parameters
    ----------
    task : Task
        What is played.
    learners : dict of Agent
        Who plays, by name, e.g. from `baselines`.
    n_episodes : int
        How many episodes each.
    seed : int
        Fixes worlds, payments and choices.
    progress : callable, optional
        Called with each learner's name when it has played.

    Returns
    -------
    Dataset
        ``regret`` over ``learner``, ``episode`` and ``trial``, in units of reward; for foraging and volatility,
        where it is not defined, ``reward``.

    Raises
    ------
    InputError
        There are no episodes to play, or the seed is negative.
    """
    if seed < 0:
        raise InputError(f"--seed is {seed}; it must be 0 or more.")
    found = []
    measured = "reward" if isinstance(task, Foraging | Volatility) else "regret"
    for name, learner in learners.items():
        rng = torch.Generator().manual_seed(seed)  # whoever plays, a task takes the same numbers from it
        played = rollout.play(task, learner, n_episodes, rng)
        found.append((regret(played) if measured == "regret" else played.reward).transpose("episode", "trial"))
        if progress is not None:
            progress(name)
    return xr.concat(found, "learner").assign_coords(learner=list(learners)).to_dataset(name=measured)


def exact_regret(task: Task) -> dict[str, float]:
    """Return the expected regret of an episode, for those of `baselines` where it can be computed.

    Parameters
    ----------
    task : Task
        As for `baselines`; values are known for two arms that keep still, up to 100 trials, the
        informative bandit, a safe arm against a risky one, and the two-step task whose states
        do not pay surely or alike.

    Returns
    -------
    dict of float
        By the learner's name, in units of reward; empty where none is known.
    """
    n_trials = task.n_trials
    if isinstance(task, InformativeBandit):
        by_chance = n_trials * (5 + 9 + 0.55) / 11
        earned = {"Thompson": exact.bandits.informative_thompson(n_trials), "random": by_chance}
        if n_trials > 1:
            earned["Bayes-optimal"] = exact.bandits.informative_optimal(n_trials)
        if n_trials <= task.n_actions:  # UCB has just tried each arm once by then
            earned["UCB"] = by_chance
        return {name: 5 * n_trials - value for name, value in earned.items()}
    if isinstance(task, TwoStep):
        best = 0.5 + (task.p_common - 0.5) * (2 * task.p_reward - 1)
        lost = {"random": n_trials * (best - 0.5)}
        if 0.5 < task.p_reward < 1 and task.p_reversal <= 0.5:
            ideal = exact.two_step.ideal_reward(n_trials, task.p_common, task.p_reversal, task.p_reward)
            lost["Bayes-optimal"] = n_trials * best - float(ideal.sum())
        return lost
    if isinstance(task, RiskySafe):
        n_free = task.n_trials - task.n_forced
        worth = [exact.risky.RISKY_REWARD * p for p in exact.risky.RISKY_PROBS]
        best = sum(max(x, exact.risky.SAFE_REWARD) for x in worth) / 2
        by_chance = sum(x + exact.risky.SAFE_REWARD for x in worth) / 4
        lost = {"random": n_free * (best - by_chance)}
        if n_free and task.n_forced:
            lost["Bayes-optimal"] = n_free * best - exact.risky.bayes_optimal(n_free, task.n_forced // 2)[1]
        return lost
    if isinstance(task, Reversal):
        return {"ideal observer": 0.0, "cue learner": 0.0}  # what a cue asks for is known; only its worth is not
    if isinstance(task, Harlow):
        return {"Bayes-optimal": 1.0, "random": float(n_trials)}  # each wrong choice gives up 2
    if not isinstance(task, IndependentBandit | DependentBandit) or task.n_arms > 2 or n_trials > MOST_PLANNED:
        return {}
    prior = _prior(task)
    lost = {name: float(exact.bandits.evaluate(make(), prior)[-1]) for name, make in _policies(n_trials, task).items()}
    return lost | {"random": n_trials * (prior.best - 0.5)}


def _still(task: IndependentBandit | DependentBandit) -> dict[str, agents.Agent]:
    n_arms, n_trials = task.n_arms, task.n_trials
    learners: dict[str, agents.Agent] = {}
    if n_arms == 2 and isinstance(task, DependentBandit):
        learners["Bayes-optimal"] = agents.MajorityRule()
    if n_arms == 2 and isinstance(task, IndependentBandit) and n_trials <= MOST_PLANNED:
        learners["Bayes-optimal"] = agents.TablePolicy(
            exact.bandits.bayes_optimal(exact.bandits.independent(), n_trials)[0]
        )
    if n_trials <= LONGEST:
        learners["Gittins"] = agents.Gittins(n_arms, n_trials=n_trials)
    return learners | {
        f"Gittins {DISCOUNT}": agents.Gittins(n_arms, n_trials=n_trials, discount=DISCOUNT),
        "UCB, tuned": agents.UCB(n_arms, bonus=TUNED, prior=1.0),
        "optimistic Thompson": agents.OptimisticThompson(n_arms),
        "greedy": agents.Greedy(n_arms),
        "epsilon-greedy": agents.EpsilonGreedy(n_arms, epsilon=EPSILON),
        "Thompson": agents.Thompson(n_arms),
        "UCB": agents.UCB(n_arms, bonus=PYMABANDITS),
        "UCB1": agents.UCB(n_arms, bonus=UCB1),
        "random": agents.RandomChoice(n_arms),
    }


def _policies(
    n_trials: int, task: IndependentBandit | DependentBandit
) -> dict[str, Callable[[], exact.bandits.Policy]]:
    """The learners of `_still` for two arms, as policies, made one by one for they are large."""
    uniform = exact.bandits.independent()
    return {
        "Bayes-optimal": lambda: exact.bandits.bayes_optimal(_prior(task), n_trials)[0],
        "Gittins": lambda: exact.bandits.gittins_index(n_trials),
        f"Gittins {DISCOUNT}": lambda: exact.bandits.gittins_index(n_trials, discount=DISCOUNT),
        "UCB, tuned": lambda: exact.bandits.ucb(n_trials, bonus=TUNED, prior=1.0),
        "optimistic Thompson": lambda: exact.bandits.optimistic_thompson(n_trials),
        "greedy": lambda: exact.bandits.greedy(uniform, n_trials),
        "epsilon-greedy": lambda: exact.bandits.lapsing(exact.bandits.greedy(uniform, n_trials), EPSILON),
        "Thompson": lambda: exact.bandits.thompson(n_trials),
        "UCB": lambda: exact.bandits.ucb(n_trials, bonus=PYMABANDITS),
        "UCB1": lambda: exact.bandits.ucb(n_trials, bonus=UCB1),
    }


def _risky_safe(task: RiskySafe) -> dict[str, agents.Agent]:
    """Return the optimum, the learner whose values Wang et al. 2018 would have to tell apart, and chance."""
    n_free = task.n_trials - task.n_forced
    learners: dict[str, agents.Agent] = {}
    if n_free and task.n_forced:
        learners["Bayes-optimal"] = agents.RiskySafeObserver(n_free, n_forced=task.n_forced, fixation=task.fixation)
    return learners | {
        "Q-learner": agents.RiskyLearner(fixation=task.fixation),
        "random": agents.RiskyLearner(inverse_temperature=0.0, fixation=task.fixation),  # does what it is forced to
    }


def _prior(task: IndependentBandit | DependentBandit) -> exact.bandits.Prior:
    if isinstance(task, IndependentBandit):
        return exact.bandits.independent()
    return exact.bandits.anticorrelated(DIFFICULTIES[task.difficulty])


def _two_step(task: TwoStep) -> dict[str, agents.Agent]:
    """Return the ideal observer, its softmax a model-free learner, and chance."""
    world = (task.p_common, task.p_reversal, task.p_reward)
    return {
        "Bayes-optimal": agents.TwoStepObserver(*world),
        "softmax Bayes": agents.TwoStepObserver(*world, inverse_temperature=10.0),
        "model-free": agents.ModelFreeTwoStep(),
        "random": agents.TwoStepObserver(*world, inverse_temperature=0.0),  # keeps to the fixation, where there is one
    }


def _reversal(task: Reversal) -> dict[str, agents.Agent]:
    """Return the ideal observer, a learner of each cue by itself, and chance."""
    return {
        "ideal observer": agents.ReversalObserver(
            task.p_reversal, block_length=task.block_length, p_switch=task.p_switch, n_trials=task.n_trials
        ),
        "cue learner": agents.CueLearner(n_trials=task.n_trials),
        "random": agents.RandomChoice(task.n_actions),
    }


def _harlow(task: Harlow) -> dict[str, agents.Agent]:
    """Return win-stay, lose-shift on identity, and chance, which keeps to the fixation."""
    paid = task.fixation_reward
    return {
        "Bayes-optimal": agents.HarlowObserver(fixation_reward=paid),
        "random": agents.HarlowObserver(inverse_temperature=0.0, fixation_reward=paid),
    }


def _restless(task: RestlessBandit) -> dict[str, agents.Agent]:
    """Return the baselines of Wang et al. 2016, Fig 4b, the ideal observer, and chance."""
    length = sum(high - low for low, high in task.volatility_ranges)
    middle = sum(high**2 - low**2 for low, high in task.volatility_ranges) / 2 / length
    separate = {f"R-W {rate}": RescorlaWagner(rate, slope) for rate, slope in SEPARATE.items()}
    single = {f"R-W {rate}, one value": SingleValue(rate, slope) for rate, slope in SINGLE.items()}
    return {
        "ideal observer": agents.ideal_observer(task.volatility_ranges, drift=task.drift),
        "UCB": agents.UCB(2),
        "Thompson": agents.ThompsonWalk([middle], drift=task.drift),
        **{name: agents.LearningModelAgent(model, 2) for name, model in (separate | single).items()},
        "random": agents.RandomChoice(2),
    }
