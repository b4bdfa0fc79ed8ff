"""A model's own equations with their derivatives, written down as the text of a loop over trials.

`learn` and its kin are run once on symbols instead of numbers. What they do to the symbols is written down, line by
line, with the chain rule of `neurometa.fitting.jets`.
"""

from collections.abc import Callable, Iterable
from typing import Any

from neurometa.fitting.jets import Jet
from neurometa.models import Model, Softmax

LOOP_TAKES = "choice, reward, told, arms, first, stop, column, begin, parameters, value_of, gradient, hessian"
BEGIN = (  # in loops, as numba would compile the message of an assignment of arrays that do not match, for seconds
    "            for a in range(begin.shape[1]):",
    "                for k in range(state.shape[1]):",
    "                    state[a, k] = begin[p, a, k]",
)
Pattern = tuple[tuple[tuple[int, ...], tuple[tuple[int, int], ...]], ...]  # which derivatives each feature has
Pairs = list[tuple[int, int]]


def _binary(sign: str, swapped: bool = False) -> Callable:
    def method(self: "Symbol", other: Any) -> Any:
        if isinstance(other, Jet):
            return NotImplemented
        a, b = (_text(other), self.name) if swapped else (self.name, _text(other))
        return self._write(f"{a} {sign} {b}")

    return method


def _compared(sign: str) -> Callable:
    return lambda self, other: self._write(
        f"1.0 if {self.name} {sign} {_text(getattr(other, 'value', other))} else 0.0"
    )


class Symbol:
    """A number that is not known yet: arithmetic on it is written down."""

    __slots__ = ("lines", "name")
    __array_ufunc__ = None

    def __init__(self, lines: list[str], name: str) -> None:
        self.lines, self.name = lines, name

    def _write(self, text: str) -> "Symbol":
        name = f"t{len(self.lines)}"
        self.lines.append(f"{name} = {text}")
        return Symbol(self.lines, name)

    __add__, __radd__ = _binary("+"), _binary("+", True)
    __sub__, __rsub__ = _binary("-"), _binary("-", True)
    __mul__, __rmul__ = _binary("*"), _binary("*", True)
    __truediv__, __rtruediv__ = _binary("/"), _binary("/", True)
    __pow__, __rpow__ = _binary("**"), _binary("**", True)
    __and__ = _binary("*")
    __lt__, __le__, __gt__, __ge__ = _compared("<"), _compared("<="), _compared(">"), _compared(">=")
    __eq__ = _compared("==")
    __hash__ = None  # type: ignore[assignment]

    def __neg__(self) -> "Symbol":
        return self._write(f"-{self.name}")

    def __abs__(self) -> "Symbol":
        return self._write(f"abs({self.name})")

    def __bool__(self) -> bool:
        raise TypeError("a branch on a number that is not known yet")


def _text(x: Any) -> str:
    """A symbol's name, or a number."""
    return x.name if isinstance(x, Symbol) else repr(float(x))


def jet_of(x: Any) -> Jet:
    """A jet, of something else one without derivatives."""
    return x if isinstance(x, Jet) else Jet(x)


def parts_of(jet: Jet, pattern: tuple) -> list[Any]:
    """A jet's value and the derivatives that a pattern names, 0 where it has none."""
    slope, bend = pattern
    return [jet.value, *(jet.slope.get(i, 0.0) for i in slope), *(jet.bend.get(ij, 0.0) for ij in bend)]


class Writer:
    """Writes the loop of a model."""

    def __init__(self, model: type[Softmax], free: tuple[bool, ...]) -> None:
        self.free = free
        self.model: Any = model  # has `learn` or `weigh`, as its kind asks
        self.n_rates, self.n = len(model.rates()), len(model.rates()) + len(model.weights)
        self.learns = issubclass(model, Model)
        self.pattern = self._settled() if issubclass(model, Model) else ()

    def rates(self, lines: list[str]) -> list[Any]:
        """The rates as symbols, jets where they are free."""
        named = [Symbol(lines, f"p{k}") for k in range(self.n_rates)]
        return [Jet(each, {k: 1.0}) if self.free[k] else each for k, each in enumerate(named)]

    def features(self, lines: list[str], pattern: Pattern) -> tuple:
        """The features of an arm as jets of symbols."""
        return tuple(
            Jet(
                Symbol(lines, f"f{k}"),
                {i: Symbol(lines, f"f{k}_{i}") for i in slope},
                {(i, j): Symbol(lines, f"f{k}_{i}_{j}") for i, j in bend},
            )
            for k, (slope, bend) in enumerate(pattern)
        )

    def _settled(self) -> Pattern:
        """Which derivatives the features have once they have learned."""
        pattern = self._pattern_of(self.model.first(Symbol([], "arm"), *self.rates([])))
        while True:
            lines: list[str] = []
            learned = self._learned(lines, pattern)
            wider = tuple(
                (tuple(sorted({*a, *c})), tuple(sorted({*b, *d})))
                for (a, b), (c, d) in zip(pattern, self._pattern_of(learned), strict=True)
            )
            if wider == pattern:
                return pattern
            pattern = wider

    def _learned(self, lines: list[str], pattern: Pattern) -> tuple:
        told = Symbol(lines, "chosen"), Symbol(lines, "earned")
        return self.model.learn(self.features(lines, pattern), *told, *self.rates(lines))

    @staticmethod
    def _pattern_of(features: Iterable[Any]) -> Pattern:
        jets = [jet_of(each) for each in features]
        return tuple((tuple(sorted(each.slope)), tuple(sorted(each.bend))) for each in jets)

    def source(self) -> str:
        """The whole loop."""
        names = [
            name
            for k, (slope, bend) in enumerate(self.pattern)
            for name in (f"f{k}", *(f"f{k}_{i}" for i in slope), *(f"f{k}_{i}_{j}" for i, j in bend))
        ]
        lines: list[str] = []
        learned = zip(map(jet_of, self._learned(lines, self.pattern)), self.pattern, strict=True) if self.learns else ()
        texts = [_text(part) for each, pattern in learned for part in parts_of(each, pattern)]
        store = [f"state[a, {k}] = {text}" for k, text in enumerate(texts)]
        load = [f"{name} = state[a, {k}]" for k, name in enumerate(names)]
        see, slopes, bends = self._seen()
        pairs = [(i, j) for i in slopes for j in slopes if i <= j]
        told = [f"told{k} = told[{k}, a, c, m, t]" for k in range(len(self.model.told))]
        score = _scored([*load, *told, *see], slopes, bends, pairs)
        learn = [
            "for a in range(n_here):",
            "    chosen = 1.0 if a == chose else 0.0",
            *(f"    {line}" for line in (*load, *lines, *store)),
        ]
        text = [
            f"def loop({LOOP_TAKES}):",
            f"    state = np.zeros((begin.shape[1], {max(1, len(names))}))",
            f"    x = np.zeros((begin.shape[1], {1 + len(slopes) + len(bends)}))",
            "    for p in range(len(column)):",
            "        c = column[p]",
            *(f"        p{k} = parameters[{k}, p]" for k in range(self.n)),
            "        value, product = 0.0, 1.0",
            *(f"        g{i} = 0.0" for i in slopes),
            *(f"        h{i}_{j} = 0.0" for i, j in pairs),
            "        for m in range(choice.shape[1]):",
            "            n_here = arms[c, m]",
            *BEGIN,
            "            for t in range(stop[c]):",
            "                chose = choice[c, m, t]",
            "                if chose < 0:",
            "                    continue",
            "                earned = reward[c, m, t]",
            "                if t >= first[c]:",
            *(f"                    {line}" for line in score),
            *(f"                {line}" for line in (learn if self.learns else ())),
            "        value_of[p] = value - math.log(product)",
            *(f"        gradient[{i}, p] = g{i}" for i in slopes),
            *(f"        hessian[{i}, {j}, p] = h{i}_{j}" for i, j in pairs),
            *(f"        hessian[{j}, {i}, p] = h{i}_{j}" for i, j in pairs if i != j),
        ]
        return "\n".join(text) + "\n"

    def filler(self) -> str:
        """A loop that leaves the gaps (feature, trial, other, point, member) of the weighed features."""
        lines: list[str] = []
        learned = [_text(jet_of(each).value) for each in self._learned(lines, self.pattern)]
        learn, lines = [*lines, *(f"state[a, {k}] = {text}" for k, text in enumerate(learned))], []
        told = [Symbol(lines, f"told{k}") for k in range(len(self.model.told))]
        seen = self.model.weighed(self.features(lines, self.pattern), *told)[: len(self.model.weights)]
        load = [f"f{k} = state[a, {k}]" for k in range(len(self.pattern))]
        shown = [f"told{k} = told[{k}, a, c, m, t]" for k in range(len(self.model.told))]
        leave = [
            *(f"x{k} = {_text(jet_of(each).value)}" for k, each in enumerate(seen)),
            "if a == 0:",
            *(f"    z{k} = x{k}" for k in range(len(seen))),
            "else:",
            *(f"    gap[{k}, t - first[c], a - 1, p, m] = x{k} - z{k}" for k in range(len(seen))),
        ]
        text = [
            "def loop(choice, reward, told, arms, first, stop, column, begin, parameters, gap):",
            f"    state = np.zeros((begin.shape[1], {len(self.pattern)}))",
            "    for p in range(len(column)):",
            "        c = column[p]",
            *(f"        p{k} = parameters[{k}, p]" for k in range(self.n_rates)),
            "        for m in range(choice.shape[1]):",
            *BEGIN,
            "            for t in range(stop[c]):",
            "                chose = choice[c, m, t]",
            "                if chose < 0:",
            "                    continue",
            "                earned = reward[c, m, t]",
            "                if t >= first[c]:",
            *(f"                    z{k} = 0.0" for k in range(len(seen))),
            "                    for a in range(begin.shape[1]):",
            *(f"                        {line}" for line in (*load, *shown, *lines, *leave)),
            "                for a in range(begin.shape[1]):",
            "                    chosen = 1.0 if a == chose else 0.0",
            *(f"                    {line}" for line in (*load, *learn)),
        ]
        return "\n".join(text) + "\n"

    def _seen(self) -> tuple[list[str], list[int], list[tuple[int, int]]]:
        """Lines that leave the logit of arm a and its derivatives in x, and by which parameters those are."""
        lines: list[str] = []
        told = [Symbol(lines, f"told{k}") for k in range(len(self.model.told))]
        if self.learns:
            seen = self.model.weighed(self.features(lines, self.pattern), *told)
        else:
            seen = self.model.weigh(*told, *self.rates(lines))
        weights = [Jet(Symbol(lines, f"p{k}"), {k: 1.0}) for k in range(self.n_rates, self.n)]
        logit = sum(
            (weight * jet_of(each) for weight, each in zip(weights, seen, strict=False)), Jet(Symbol(lines, "0.0"))
        )
        slopes, bends = sorted(logit.slope), sorted(logit.bend)
        parts = [logit.value, *(logit.slope[i] for i in slopes), *(logit.bend[ij] for ij in bends)]
        return [*lines, *(f"x[a, {k}] = {_text(each)}" for k, each in enumerate(parts))], slopes, bends


def _scored(look: list[str], slopes: list[int], bends: Pairs, pairs: Pairs) -> list[str]:
    """Lines that add what one choice says to the value, the gradient and the Hessian."""
    place = {i: 1 + k for k, i in enumerate(slopes)}
    second = {ij: 1 + len(slopes) + k for k, ij in enumerate(bends)}
    return [
        "top = -np.inf",
        "for a in range(n_here):",
        *(f"    {line}" for line in (*look, "top = max(top, x[a, 0])")),
        "whole = 0.0",
        *(f"mean{i} = 0.0" for i in slopes),
        *(f"both{i}_{j} = 0.0" for i, j in pairs),
        "for a in range(n_here):",
        "    share = math.exp(x[a, 0] - top)",
        "    whole += share",
        *(f"    s{i} = x[a, {place[i]}]" for i in slopes),
        *(f"    w{i} = share * s{i}" for i in slopes),
        *(f"    mean{i} += w{i}" for i in slopes),
        *(
            f"    both{i}_{j} += w{i} * s{j}" + (f" + share * x[a, {second[i, j]}]" if (i, j) in second else "")
            for i, j in pairs
        ),
        "value += x[chose, 0] - top",
        "product *= whole",
        "if product > 1e250:",
        "    value -= math.log(product)",
        "    product = 1.0",
        "share = 1.0 / whole",
        *(f"mean{i} *= share" for i in slopes),
        *(f"g{i} += x[chose, {place[i]}] - mean{i}" for i in slopes),
        *(
            f"h{i}_{j} += mean{i} * mean{j} - both{i}_{j} * share"
            + (f" + x[chose, {second[i, j]}]" if (i, j) in second else "")
            for i, j in pairs
        ),
    ]
