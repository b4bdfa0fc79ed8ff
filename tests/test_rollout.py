"""One loop plays every agent at every task: what goes in, what is carried, what is written down."""

import copy
import dataclasses

import numpy as np
import pytest
import torch
from scipy import stats

from neurometa import dataset
from neurometa.agents import LSTMAgent
from neurometa.agents.base import Agent, Output
from neurometa.errors import InputError
from neurometa.rollout import ACTIVITY, draw, to_dataset, unroll
from neurometa.tasks import DependentBandit, IndependentBandit, InformativeBandit, RestlessBandit, Task


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def network(task, seed=0, **settings):
    """An untrained network with weights large enough that its states move."""
    torch.manual_seed(seed)
    n_steps = task.n_trials * len(task.steps)
    agent = LSTMAgent(task.n_features, task.n_actions, n_steps, reward_levels=task.reward_levels, **settings)
    with torch.no_grad():
        for weight in agent.core.parameters():
            weight.normal_(0, 0.5)
    return agent


class Counter(Agent):
    """Counts its steps, and logs the count and all that it was given."""

    def __init__(self, n_actions):
        super().__init__()
        self.n_actions, self.began = n_actions, 0

    def begin(self, n_episodes):
        self.began += 1
        return {"count": torch.zeros(n_episodes, 1)}

    def forward(self, observation, action, reward, state):
        heard = torch.cat([observation, action, reward[:, None]], -1)
        logits = torch.zeros(len(reward), self.n_actions)
        record = {"hidden": state["count"], "cell": heard}
        return Output(logits, state["count"][:, 0], {"count": state["count"] + 1}, record)


@dataclasses.dataclass(frozen=True)
class CueThenChoice(Task):
    """Shows which step it is, and pays 1 at the cue and 10 for arm 2 at the choice."""

    n_trials: int = 6
    steps = ("cue", "choice")
    latents = {"target": ()}
    n_features = 2
    n_actions = 3

    def begin(self, n_episodes, rng):
        return {"target": torch.full((n_episodes,), 2, device=rng.device)}

    def observe(self, state, step):
        shown = torch.full_like(state["target"], self.steps.index(step))
        return torch.nn.functional.one_hot(shown, 2).float()

    def step(self, state, action, step, rng):
        return (torch.ones_like(action) if step == "cue" else 10 * (action == state["target"])).float(), state


TASKS = [DependentBandit(6), IndependentBandit(6, n_arms=4), InformativeBandit(6), RestlessBandit(6), CueThenChoice(6)]
EVERY_TASK = pytest.mark.parametrize("task", TASKS, ids=lambda task: type(task).__name__)


@pytest.mark.parametrize(
    "logits",
    [
        [0.0, 0.0],
        [1.5, -0.5],
        [-3.0, 1.0],
        [0.0, -torch.inf],
        [-torch.inf, 0.0],
        [0.0, 0.5, 1.0, -1.0, 0.2],
        [-torch.inf, 0.5, -torch.inf, -1.0, -torch.inf],
        [-torch.inf, -torch.inf, -torch.inf, -torch.inf, 7.0],
        [800.0, 801.0, 799.0, 0.0, -800.0],
    ],
)
def test_actions_are_drawn_from_the_softmax(logits):
    drawn = draw(torch.tensor(logits).expand(20_000, -1), generator())
    assert drawn.dtype == torch.int64
    counts = np.bincount(drawn, minlength=len(logits))
    expected = torch.softmax(torch.tensor(logits, dtype=torch.float64), -1).numpy()
    possible = expected > 1e-12
    assert not counts[~possible].any()
    if possible.sum() > 1:
        assert stats.chisquare(counts[possible], 20_000 * expected[possible] / expected[possible].sum()).pvalue > 1e-4


@pytest.mark.parametrize("n_options", [2, 3, 6, 11])
def test_an_action_that_is_never_taken_is_not_drawn_by_the_best_of_luck(n_options):
    luck = torch.rand(10_000_000, generator=generator())
    before = int(luck.argmax())
    rng = generator()
    torch.rand(before, generator=rng)
    assert torch.rand(1, generator=copy_of(rng)) == luck[before] > 1 - 2e-7
    rows = torch.rand((200, n_options), generator=generator(1))
    rows[:, -1] = -torch.inf
    drawn = torch.stack([draw(row[None], copy_of(rng)) for row in rows])
    assert (drawn < n_options - 1).all()


def copy_of(rng):
    return torch.Generator().set_state(rng.get_state())


def test_each_episode_draws_by_its_own_luck():
    drawn = draw(torch.zeros(4000, 2), generator()).float()
    assert abs(np.corrcoef(drawn[0::2], drawn[1::2])[0, 1]) < 4 / 2000**0.5


@EVERY_TASK
def test_the_agent_is_told_its_last_action_and_reward_and_nothing_at_first(task):
    played = unroll(task, Counter(task.n_actions), 9, generator(), log=("cell",))
    heard = played["cell"].flatten(0, 1)[..., task.n_features :]
    action = torch.nn.functional.one_hot(played["action"].flatten(0, 1), task.n_actions).float()
    assert not heard[0].any()
    assert heard[1:, :, :-1].equal(action[:-1])
    assert heard[1:, :, -1].equal(played["reward"].flatten(0, 1)[:-1])


@EVERY_TASK
def test_the_agent_sees_what_the_task_shows(task):
    played = unroll(task, Counter(task.n_actions), 9, generator(), log=("cell",))
    assert played["cell"][..., : task.n_features].equal(played["observation"])


@EVERY_TASK
def test_memory_is_fresh_in_each_episode_and_kept_from_trial_to_trial(task):
    agent = Counter(task.n_actions)
    for _ in range(2):
        count = unroll(task, agent, 3, generator(), log=("hidden",))["hidden"].flatten(0, 1)[..., 0]
        assert count.equal(torch.arange(task.n_trials * len(task.steps)).float()[:, None].expand(-1, 3))
    assert agent.began == 2


@EVERY_TASK
@pytest.mark.parametrize("learned_start", [False, True])
def test_hidden_and_cell_are_those_of_torchs_lstm_run_over_the_logged_inputs(task, learned_start):
    agent = network(task, n_units=7, learned_start=learned_start)
    if learned_start:
        torch.nn.init.normal_(agent.start)
    played = unroll(task, agent, 5, generator(), log=ACTIVITY)
    observation, reward = played["observation"].flatten(0, 1), played["reward"].flatten(0, 1)
    action = torch.nn.functional.one_hot(played["action"].flatten(0, 1), task.n_actions).float()
    time = torch.arange(len(reward))[:, None].expand(-1, 5) / len(reward)
    before = torch.cat([torch.zeros_like(action[:1]), action[:-1]])
    paid = torch.cat([torch.zeros_like(reward[:1]), reward[:-1]])[..., None]
    if task.reward_levels:
        paid = (paid == torch.tensor(task.reward_levels)).float()
    oracle = torch.nn.LSTM(agent.n_inputs, 7)
    oracle.load_state_dict({f"{name}_l0": weight for name, weight in agent.core.state_dict().items()})
    start = agent.start.detach()[:, None].expand(-1, 5, -1).contiguous()
    inputs = torch.cat([observation, before, paid, time[..., None]], -1)
    with torch.no_grad():
        hidden, (last_hidden, last_cell) = oracle(inputs, (start[:1], start[1:]))
        out = agent.head(hidden)
    same = {"rtol": 0, "atol": 1e-5}
    torch.testing.assert_close(played["hidden"].flatten(0, 1), hidden, **same)
    torch.testing.assert_close(played["hidden"][-1, -1], last_hidden[0], **same)
    torch.testing.assert_close(played["cell"][-1, -1], last_cell[0], **same)
    torch.testing.assert_close(played["logits"].flatten(0, 1), out[..., :-1], **same)
    torch.testing.assert_close(played["value"].flatten(0, 1), out[..., -1], **same)
    assert (played["cell"] - played["hidden"]).abs().max() > 0.1


@EVERY_TASK
def test_playing_changes_no_weight_and_asks_for_no_gradient(task):
    agent = network(task, learned_start=True)
    before = copy.deepcopy(agent.state_dict())
    played = unroll(task, agent, 5, generator(), log=ACTIVITY)
    assert all(weight.equal(before[name]) for name, weight in agent.state_dict().items())
    assert not any(x.requires_grad for x in played.values())
    assert all(weight.grad is None for weight in agent.parameters())


@EVERY_TASK
def test_everything_runs_where_the_random_numbers_are(task):
    agent, rng = network(task), generator()
    with torch.device("meta"):  # where a tensor lands that is not told where to be
        played = unroll(task, agent, 3, rng, log=ACTIVITY)
    assert {x.device.type for x in played.values()} == {"cpu"}


@EVERY_TASK
def test_the_dataset_holds_what_was_played_under_the_names_of_the_contract(task):
    agent = network(task, n_units=7)
    played = unroll(task, agent, 5, generator(), log=ACTIVITY)
    run = to_dataset(task, played)
    dataset.check(run)
    grain = ("episode", "trial", "step")
    assert run.logits.dims == (*grain, "option")
    assert run.hidden.dims == run.cell.dims == (*grain, "unit")
    assert run.hidden.dtype == np.float32
    for ours, theirs in {"action": "action", "step_reward": "reward", "value": "value"}.items():
        assert run[ours].dims == grain
        np.testing.assert_array_equal(run[ours], played[theirs].movedim(2, 0))
    for name in ("logits", "hidden", "cell"):
        np.testing.assert_array_equal(run[name], played[name].movedim(2, 0))
    for name in task.latents:
        np.testing.assert_array_equal(run[name], played[name].movedim(1, 0))


def test_a_trial_of_many_steps_has_its_choice_at_the_choice_step_and_the_sum_of_its_rewards():
    run = to_dataset(CueThenChoice(), unroll(CueThenChoice(), Counter(3), 50, generator()))
    assert list(run.step.values) == ["cue", "choice"]
    assert (run.choice == run.action.sel(step="choice")).all()
    assert (run.choice != run.action.sel(step="cue")).any()
    assert (run.reward == 1 + 10 * (run.choice == 2)).all()
    assert run.choice.attrs["n_options"] == 3


def test_observations_are_kept_when_asked_for():
    played = unroll(CueThenChoice(), Counter(3), 4, generator())
    assert "observation" not in to_dataset(CueThenChoice(), played)
    seen = to_dataset(CueThenChoice(), played, observation=True).observation
    assert seen.dims == ("episode", "trial", "step", "feature")
    assert (seen.sel(step="cue") == [1, 0]).all()
    assert (seen.sel(step="choice") == [0, 1]).all()


def test_activity_is_kept_only_when_asked_for():
    task = RestlessBandit(4)
    assert not {"hidden", "cell"} & set(to_dataset(task, unroll(task, network(task), 2, generator())))


def test_progress_is_told_after_each_trial():
    told = []
    unroll(CueThenChoice(), Counter(3), 2, generator(), progress=told.append)
    assert told == [1, 2, 3, 4, 5, 6]


@pytest.mark.parametrize("n_episodes", [0, -3])
def test_there_is_something_to_play(n_episodes):
    with pytest.raises(InputError, match=f"n_episodes is {n_episodes}; it must be at least 1"):
        unroll(RestlessBandit(), Counter(2), n_episodes, generator())
