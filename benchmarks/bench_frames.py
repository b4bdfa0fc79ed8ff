"""Training on frames of 84 x 84: environment steps per CPU-second, beside RecurrentPPO of SB3-contrib by turns.

    python benchmarks/bench_frames.py    # a table, and the ratio round by round

One thread. Both play the same 64 episodes of Harlow's task on a screen, by the same code, with the papers' encoder
(`Conv`) and 256 LSTM units for actor and critic together, and learn by PPO from segments of 50 steps, in 2 epochs of 4
minibatches. The peer is no dependency of anything: pip install sb3-contrib.
"""

import argparse
import os
import statistics
import time
from importlib.util import find_spec

os.environ.setdefault("OMP_NUM_THREADS", "1")

import numpy as np
import torch

from neurometa.agents import LSTM, Conv
from neurometa.tasks import HarlowScreen
from neurometa.training import GAE, Adam, ppo

N_EPISODES, LENGTH, N_SEGMENTS, STEP_SIZE = 64, 50, 2, 1e-3
# more trials than can be played, so that no episode ends within the measurement
TASK = HarlowScreen(100, frame=(84, 84), image_size=34, n_steps=N_SEGMENTS * LENGTH)
N_STEPS = N_EPISODES * TASK.n_steps
LEARNING = {"n_epochs": 2, "n_minibatches": 4, "segment_length": LENGTH, "value_weight": 0.5, "entropy_weight": 0.01}


def ours(**changes):
    """Train for as many steps as are measured, and return the CPU-seconds that it took."""
    inputs = ("observation", "action", "reward")
    config = ppo.Config(
        TASK,
        LSTM(256, inputs=inputs, encoder=Conv()),
        optimizer=Adam(STEP_SIZE, max_grad_norm=0.5),
        returns=GAE(0.9, 0.95),
        n_updates=1,
        batch_size=N_EPISODES,
        **(LEARNING | changes),
    )
    begun = time.process_time()
    ppo.train(config)
    return time.process_time() - begun


def peer():
    """Return a function that does the same with RecurrentPPO."""
    import gymnasium
    from sb3_contrib import RecurrentPPO
    from stable_baselines3.common.torch_layers import BaseFeaturesExtractor
    from stable_baselines3.common.vec_env import VecEnv

    class Screens(VecEnv):
        """The task as SB3 has environments: a batch of episodes that goes on without end."""

        def __init__(self):
            shown = gymnasium.spaces.Box(0, 255, TASK.observation_shape, np.uint8)
            super().__init__(N_EPISODES, shown, gymnasium.spaces.Discrete(TASK.n_actions))
            self.rng = torch.Generator().manual_seed(0)

        def reset(self):
            self.state = TASK.begin(N_EPISODES, self.rng)
            return TASK.observe(self.state, "step").numpy()

        def step_async(self, actions):
            self.actions = torch.from_numpy(actions)

        def step_wait(self):
            reward, self.state = TASK.step(self.state, self.actions, "step", self.rng)
            ended = np.zeros(N_EPISODES, bool)
            return TASK.observe(self.state, "step").numpy(), reward.numpy(), ended, [{}] * N_EPISODES

        def close(self):
            pass

        def get_attr(self, name, indices=None):
            return [None] * N_EPISODES

        def set_attr(self, name, value, indices=None):
            raise NotImplementedError

        def env_method(self, name, *args, indices=None, **settings):
            raise NotImplementedError

        def env_is_wrapped(self, wrapper, indices=None):
            return [False] * N_EPISODES

    class Encoder(BaseFeaturesExtractor):
        """`Conv` behind SB3's own scaling of bytes to numbers from 0 to 1."""

        def __init__(self, space):
            super().__init__(space, Conv().n_features)
            self.conv = Conv().build(space.shape)

        def forward(self, frames):
            return self.conv(frames)

    shared = {"shared_lstm": True, "enable_critic_lstm": False, "lstm_hidden_size": 256, "net_arch": []}

    def call():
        model = RecurrentPPO(
            "CnnLstmPolicy",
            Screens(),
            learning_rate=STEP_SIZE,
            n_steps=LENGTH,
            batch_size=N_EPISODES * LENGTH // LEARNING["n_minibatches"],
            n_epochs=LEARNING["n_epochs"],
            gamma=0.9,
            device="cpu",
            policy_kwargs={"features_extractor_class": Encoder, **shared},
        )
        begun = time.process_time()
        model.learn(N_STEPS)
        return time.process_time() - begun

    return call


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=3, help="turns of all, of which the median is told")
    rounds = parser.parse_args().rounds
    torch.set_num_threads(1)
    cases = {"neurometa": ours, "neurometa, 1 epoch of 1 minibatch": lambda: ours(n_epochs=1, n_minibatches=1)}
    if find_spec("sb3_contrib"):
        cases["RecurrentPPO"] = peer()
    ours()  # compiled, and memory touched
    rates = {name: [] for name in cases}
    for _ in range(rounds):  # by turns, so that a noisy minute falls on all
        for name, case in cases.items():
            rates[name].append(N_STEPS / case())
    for name, found in rates.items():
        print(f"{name:34s} {statistics.median(found):7,.0f} environment steps per CPU-second")
    for name in list(cases)[:2] if "RecurrentPPO" in cases else ():
        each = [mine / its for mine, its in zip(rates[name], rates["RecurrentPPO"], strict=True)]
        print(f"{name}: {', '.join(f'{x:.2f}' for x in each)} x RecurrentPPO")


def test_an_update_on_frames(benchmark):
    torch.set_num_threads(1)
    benchmark.pedantic(ours, rounds=1)


if __name__ == "__main__":
    main()
