"""Trial-by-trial learning models: one set of equations to simulate, score and explain."""

from neurometa.models import priors
from neurometa.models.associability import PearceHall
from neurometa.models.bandit import (
    ChoiceKernel,
    Forgetting,
    ForgettingChoiceKernel,
    RescorlaWagner,
    RescorlaWagnerChoiceKernel,
    SingleValue,
    TwoLearningRates,
)
from neurometa.models.base import Array, Equations, Model, Observer, Softmax, check_model
from neurometa.models.behrens import Behrens
from neurometa.models.kalman import KalmanFilter, KalmanSoftmax
from neurometa.models.latent_state import LatentState
from neurometa.models.threshold import CompareToThreshold
from neurometa.models.two_step import TWO_STEP_MODELS, Hybrid, KoolHybrid, ModelBased, ModelFree, TwoStepModel

MODELS: tuple[type[Model], ...] = (
    RescorlaWagner,
    SingleValue,
    TwoLearningRates,
    Forgetting,
    ChoiceKernel,
    RescorlaWagnerChoiceKernel,
    ForgettingChoiceKernel,
    CompareToThreshold,
)
OBSERVERS: tuple[type[Observer], ...] = (Behrens,)
FITTED_FROM_STARTS: tuple[type[Equations], ...] = (
    LatentState,
    PearceHall,
    KalmanFilter,
    KalmanSoftmax,
    *TWO_STEP_MODELS,
)

__all__ = [
    "FITTED_FROM_STARTS",
    "MODELS",
    "OBSERVERS",
    "TWO_STEP_MODELS",
    "Array",
    "Behrens",
    "ChoiceKernel",
    "CompareToThreshold",
    "Equations",
    "Forgetting",
    "ForgettingChoiceKernel",
    "Hybrid",
    "KalmanFilter",
    "KalmanSoftmax",
    "KoolHybrid",
    "LatentState",
    "Model",
    "ModelBased",
    "ModelFree",
    "Observer",
    "PearceHall",
    "RescorlaWagner",
    "RescorlaWagnerChoiceKernel",
    "SingleValue",
    "Softmax",
    "TwoLearningRates",
    "TwoStepModel",
    "check_model",
    "priors",
]
