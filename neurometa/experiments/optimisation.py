"""Meta-RL by gradient steps within an episode: MAML (Finn et al. 2017) on its own task, and on bandits."""

import dataclasses

from neurometa import tasks
from neurometa.agents import Plastic
from neurometa.experiments.experiment import Experiment
from neurometa.training import Adam, Linear, maml

# Tested by 40 trials to each inner step, as published. Trained through two steps, whose sizes are trained too: the SD
# of the policy falls in training, and an inner step of a given size is the larger the smaller it is.
_POINT = maml.Config(
    tasks.PointNavigation(160),
    Plastic(
        (32, 32),
        adapt_after=40,
        n_adaptations=3,
        step_sizes=(0.3, 0.15),
        learned_step_size=True,
        trial_steps=100,
        initial_sd=0.5,
    ),
    optimizer=Adam(Linear(5e-3, 2e-4)),
    n_updates=110,
    batch_size=20,
    n_inner_steps=2,
    n_trials=20,
    n_epochs=2,
    n_minibatches=5,
)

# The sizes of the paper, at which the control is tested alone.
_PRETRAINED = maml.Config(
    tasks.PointNavigation(160),
    Plastic((64, 64), adapt_after=40, n_adaptations=3, step_sizes=(0.1, 0.05), trial_steps=100),
    optimizer=Adam(2e-3),
    n_updates=150,
    batch_size=20,
    n_inner_steps=0,
    n_trials=20,
)

# Without the sampling term nothing would reward the pulls before the step for what they tell: exploration is lost.
_ARMS = Plastic((), adapt_after=20, step_sizes=(10.0,), learned_step_size=True, baseline="others")
_BANDIT = maml.Config(
    tasks.IndependentBandit(),
    _ARMS,
    optimizer=Adam(Linear(0.05, 0.0)),
    sampling=True,
    n_updates=400,
    batch_size=2000,
    n_epochs=1,
)


def _arms(n_arms: int, n_explored: int, cpu_minutes: float) -> Experiment:
    network = dataclasses.replace(_ARMS, adapt_after=n_explored)
    return Experiment(
        dataclasses.replace(_BANDIT, task=tasks.IndependentBandit(n_arms=n_arms), network=network),
        source=f"Mishra et al. 2018, Table 3, {n_arms} arms and 100 pulls, the row of MAML",
        about=f"What does one gradient step, after {n_explored} pulls, learn of {n_arms} arms?",
        cpu_minutes=cpu_minutes,
    )


EXPERIMENTS = {
    "point-maml": Experiment(
        _POINT,
        source="Finn et al. 2017, section 5.3, 2D navigation",
        about="Can a policy be trained so that two gradient steps of its own take it to a new goal?",
        cpu_minutes=2.0,
    ),
    "point-fomaml": Experiment(
        dataclasses.replace(_POINT, order=1),
        source="Finn et al. 2017, section 5.3, with the first-order approximation of section 5.2",
        about="The same without the derivative of the steps.",
        cpu_minutes=2.0,
    ),
    "point-pretrained": Experiment(
        _PRETRAINED,
        source="Finn et al. 2017, section 5.3, the control that is pretrained",
        about="One policy trained on all goals at once without a step: what is in it for the step alone?",
        cpu_minutes=1.5,
    ),
    "independent-maml": Experiment(
        _BANDIT,
        source="Finn et al. 2017 on the task of Wang et al. 2016, experiment 1",
        about="What does one gradient step, after 20 pulls, learn of two arms?",
        cpu_minutes=0.3,
    ),
    "arms-5-maml": _arms(5, 20, 0.5),
    "arms-10-maml": _arms(10, 30, 1.1),
    "scarce-maml": Experiment(
        dataclasses.replace(_BANDIT, task=tasks.ScarceBandit()),
        source="Finn et al. 2017 on arms of our own: independent-maml where arms pay with probabilities below .2",
        about="What would those who learned where arms pay more have learned here?",
        cpu_minutes=0.3,
    ),
}
