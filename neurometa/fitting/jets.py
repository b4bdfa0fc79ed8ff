"""Numbers that carry their first and second derivatives along: exact sensitivities of any model's own equations.

A `Jet` stands for an array that depends on some parameters. Arithmetic on jets is the chain rule, so that the line
of code with which a model learns also says how what it learned depends on its rates (forward-mode automatic
differentiation; Griewank & Walther 2008, chapter 13). What is absent is 0: a jet that no parameter moves costs
no more than its array.
"""

from typing import Any, Union

import numpy as np

Number = Union[float, np.ndarray, "Jet"]


class Jet:
    """An array with its derivatives.

    Attributes
    ----------
    value : array
        What it is.
    slope : dict of int to array
        First derivative by each parameter.
    bend : dict of (int, int) to array
        Second derivatives, of pairs in ascending order.
    """

    __slots__ = ("bend", "slope", "value")
    __array_ufunc__ = None  # numpy arrays leave arithmetic with a jet to the jet

    def __init__(self, value: Any, slope: dict | None = None, bend: dict | None = None) -> None:
        self.value, self.slope, self.bend = value, slope or {}, bend or {}

    @classmethod
    def parameter(cls, value: np.ndarray, index: int) -> "Jet":
        """A parameter itself."""
        return cls(value, {index: 1.0})

    def __getitem__(self, index: Any) -> "Jet":
        """Some of the elements."""
        shape = self.value.shape
        slope, bend = (
            {key: _part(each, shape, index) for key, each in parts.items()} for parts in (self.slope, self.bend)
        )
        return Jet(self.value[index], slope, bend)

    def __add__(self, other: Number) -> "Jet":
        if not isinstance(other, Jet):
            return Jet(self.value + other, self.slope, self.bend)
        return Jet(self.value + other.value, _sum(self.slope, other.slope), _sum(self.bend, other.bend))

    def __neg__(self) -> "Jet":
        return Jet(-self.value, _negative(self.slope), _negative(self.bend))

    def __sub__(self, other: Number) -> "Jet":
        if not isinstance(other, Jet):
            return Jet(self.value - other, self.slope, self.bend)
        return Jet(self.value - other.value, _difference(self.slope, other.slope), _difference(self.bend, other.bend))

    def __rsub__(self, other: Number) -> "Jet":
        return Jet(other - self.value, _negative(self.slope), _negative(self.bend))

    def __mul__(self, other: Number) -> "Jet":
        if not isinstance(other, Jet):
            return Jet(self.value * other, _scaled(self.slope, other), _scaled(self.bend, other))
        slope = _sum(_scaled(self.slope, other.value), _scaled(other.slope, self.value))
        bend = _sum(_scaled(self.bend, other.value), _scaled(other.bend, self.value))
        for i, a in self.slope.items():
            for j, b in other.slope.items():
                pair, both = (i, j) if i <= j else (j, i), _times(a, b)
                both = 2 * both if i == j else both
                bend[pair] = bend[pair] + both if pair in bend else both
        return Jet(self.value * other.value, slope, bend)

    def __truediv__(self, other: Number) -> "Jet":
        return self * (other**-1 if isinstance(other, Jet) else 1 / other)

    def __rtruediv__(self, other: Number) -> "Jet":
        return self**-1 * other

    def __pow__(self, power: float) -> "Jet":
        x = self.value
        return self._through(x**power, power * x ** (power - 1), power * (power - 1) * x ** (power - 2))

    def __rpow__(self, base: float) -> "Jet":
        log, value = np.log(base), base**self.value
        return self._through(value, log * value, log**2 * value)

    def __abs__(self) -> "Jet":
        return self * ((self.value > 0) * 1.0 - (self.value < 0) * 1.0)

    def __lt__(self, other: Number) -> np.ndarray:
        return self.value < _plain(other)

    def __le__(self, other: Number) -> np.ndarray:
        return self.value <= _plain(other)

    def __gt__(self, other: Number) -> np.ndarray:
        return self.value > _plain(other)

    def __ge__(self, other: Number) -> np.ndarray:
        return self.value >= _plain(other)

    __radd__, __rmul__ = __add__, __mul__

    def _through(self, value: np.ndarray, first: np.ndarray, second: np.ndarray) -> "Jet":
        """A function of this one, given its value and derivatives."""
        bend = _scaled(self.bend, first)
        for i, a in self.slope.items():
            for j, b in self.slope.items():
                if i <= j:
                    both = _times(_times(a, b), second)
                    bend[i, j] = bend[i, j] + both if (i, j) in bend else both
        return Jet(value, _scaled(self.slope, first), bend)


def _plain(x: Number) -> Any:
    return x.value if isinstance(x, Jet) else x


def _part(x: Any, shape: tuple[int, ...], index: Any) -> Any:
    """Elements of a derivative, which may be one number for all of them."""
    if isinstance(x, float):
        return x
    return x[index] if x.shape == shape else np.broadcast_to(x, shape)[index]


def _times(a: Any, b: Any) -> Any:
    """A product in which 1 costs nothing."""
    if isinstance(a, float) and a == 1.0:
        return b
    return a if isinstance(b, float) and b == 1.0 else a * b


def _scaled(parts: dict, by: Any) -> dict:
    return {key: _times(each, by) for key, each in parts.items()}


def _negative(parts: dict) -> dict:
    return {key: -each for key, each in parts.items()}


def _sum(a: dict, b: dict) -> dict:
    return a | {key: a[key] + each if key in a else each for key, each in b.items()}


def _difference(a: dict, b: dict) -> dict:
    return a | {key: a[key] - each if key in a else -each for key, each in b.items()}
