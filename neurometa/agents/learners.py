"""Learning models that act: what is fitted to choices can also make them."""

import dataclasses

import torch
from torch import Tensor

from neurometa.agents.base import Agent, Output, State
from neurometa.errors import InputError
from neurometa.fitting.choice_rule import log_policy
from neurometa.models import Model


class LearningModelAgent(Agent):
    """Any model from `neurometa.models`, acting through its own equations.

    Simulation and likelihood share one `update` and one `logits`, so that a fit to this
    agent's choices must give its parameters back. Its value is the reward it expects under
    its policy; NaN for a model that learns no reward, such as a choice kernel.

    Parameters
    ----------
    model : Model
        The model with its parameters: floats, or arrays (episode, 1) if episodes differ.
    n_arms : int
        Number of arms.

    Raises
    ------
    InputError
        The model is for another number of arms, or a parameter has another shape.
    """

    start: Tensor

    def __init__(self, model: Model, n_arms: int = 2) -> None:
        super().__init__()
        name = type(model).__name__
        if n_arms < 2:
            raise InputError(f"n_arms is {n_arms}; there is nothing to choose below 2.")
        if model.n_options not in (None, n_arms):
            raise InputError(f"n_arms is {n_arms}; {name} is a model of {model.n_options} arms.")
        self._fixed = model
        for parameter in model.parameters():
            values = torch.as_tensor(getattr(model, parameter), dtype=torch.get_default_dtype())
            if values.ndim and (values.ndim != 2 or values.shape[1] != 1):
                raise InputError(f"{parameter} of {name} is {tuple(values.shape)}; give one number, or (episode, 1).")
            self.register_buffer(parameter, values)
        self.register_buffer("start", torch.zeros(n_arms), persistent=False)

    @property
    def model(self) -> Model:
        """The model, its parameters on the device of the agent."""
        return dataclasses.replace(self._fixed, **{name: getattr(self, name) for name in self._fixed.parameters()})

    def begin(self, n_episodes: int) -> State:
        """Each feature of the model before the first trial, (episode, arm).

        Raises
        ------
        InputError
            A parameter was given for another number of episodes.
        """
        for name in self._fixed.parameters():
            values = getattr(self, name)
            if values.ndim and len(values) not in (1, n_episodes):
                raise InputError(f"{name} is given for {len(values)} episodes, but {n_episodes} are to be played.")
        features = self.model.begin(self.start.expand(n_episodes, -1))
        return {f"feature_{i}": feature for i, feature in enumerate(features)}

    def forward(self, observation: Tensor, action: Tensor, reward: Tensor, state: State) -> Output:
        """Answer one step; nothing to record."""
        model, before = self.model, tuple(state.values())
        acted = action.sum(-1, keepdim=True) > 0
        learned = model.update(before, action, reward[:, None])
        features = tuple(torch.where(acted, new, old) for new, old in zip(learned, before, strict=True))
        # a softmax follows when an action is drawn
        logits = log_policy(model, model.logits(features), lambda logits, axis: logits, torch.special.log_ndtr)
        expected = model.expected(features)
        if expected is not None:
            value = (torch.softmax(logits, -1) * expected).sum(-1)
        else:
            value = torch.full_like(reward, torch.nan)
        return Output(logits, value, dict(zip(state, features, strict=True)), {})
