"""The two-step family: model-free, model-based and hybrid learners of Daw et al. (2011) and Kool et al. (2016).

A trial is a first choice, a second-stage state, a second choice (absent in the short form of
the task) and a reward in [0, 1]. The equations are those of one general learner of nine
parameters; each model names those that it leaves open and fixes or ties the others
(`TwoStepModel.general`).
"""

from neurometa.models.two_step.base import GENERAL, TwoStepModel
from neurometa.models.two_step.daw import Hybrid, ModelBased, ModelFree
from neurometa.models.two_step.equations import START, errors, first_logit, learn, plan, second_logit
from neurometa.models.two_step.kool import KoolHybrid

TWO_STEP_MODELS: tuple[type[TwoStepModel], ...] = (
    Hybrid,
    ModelFree,
    ModelBased,
    KoolHybrid,
)

__all__ = [
    "GENERAL",
    "START",
    "TWO_STEP_MODELS",
    "Hybrid",
    "KoolHybrid",
    "ModelBased",
    "ModelFree",
    "TwoStepModel",
    "errors",
    "first_logit",
    "learn",
    "plan",
    "second_logit",
]
