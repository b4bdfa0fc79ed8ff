"""Agents: anything that carries a state from step to step and answers with a policy."""

from neurometa.agents.base import Agent, Output, State
from neurometa.agents.recurrent import LSTMAgent

__all__ = ["Agent", "LSTMAgent", "Output", "State"]
