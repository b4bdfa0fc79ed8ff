"""What an import tells of itself."""

import dataclasses
import textwrap
from pathlib import Path

WIDTH = 60


def wrapped(line: str) -> str:
    """Break a line at 60 columns; what follows is set in."""
    wrap = textwrap.TextWrapper(WIDTH, subsequent_indent="    ", break_on_hyphens=False, break_long_words=False)
    return wrap.fill(line)


@dataclasses.dataclass(frozen=True)
class Report:
    """What was read into a table, to be looked at before its numbers are believed.

    ``print(report)`` tells it in 60 columns; ``dataclasses.asdict(report)`` is plain JSON.

    Attributes
    ----------
    source : str
        The file, or "The table" for a DataFrame.
    n_rows : int
        Rows below the header that hold anything.
    columns : dict
        The column read as each role (subject, episode, trial, choice, reward), where there is one.
    guessed : list of str
        Roles whose column was guessed by its name.
    n_subjects, n_episodes, n_trials, n_missed : int
        Counts; missed trials are among the trials.
    shortest, longest : int
        Fewest and most trials of an episode.
    n_all_missed : int
        Episodes, kept, in which no choice was made.
    n_gaps : int
        Trial numbers that are absent within episodes; what was recorded is kept as it is.
    n_padded : int
        Cells after the end of shorter episodes, where ``valid`` is False.
    options : dict
        How often each option was chosen, by its label in the table.
    mean_reward : float or None
        Over trials with a choice; None if there is none.
    kept : dict
        Dims of every further variable, by its name in the dataset.
    dropped : dict
        Number of things left out, by what they were.
    recoded : list of str
        What does not stand in the dataset as it stood in the table.
    warnings : list of str
        What is unlikely to be meant.
    """

    source: str
    n_rows: int
    columns: dict[str, str]
    guessed: list[str]
    n_subjects: int
    n_episodes: int
    n_trials: int
    n_missed: int
    shortest: int
    longest: int
    n_all_missed: int
    n_gaps: int
    n_padded: int
    options: dict[str, int]
    mean_reward: float | None
    kept: dict[str, str]
    dropped: dict[str, int]
    recoded: list[str]
    warnings: list[str]

    def __str__(self) -> str:
        lines = [f"{Path(self.source).name}: {self.n_rows:,} rows", *self._roles()]
        lines.append(
            f"Trials: {self.n_trials:,}, of which {self.n_missed:,} missed ({self.n_missed / self.n_trials:.1%})."
        )
        counts = (
            (self.n_padded, "Padded: {:,} cells after shorter episodes, where `valid` is False."),
            (self.n_gaps, "Gaps: {:,} trial numbers are absent; what was recorded is kept in order."),
            (self.n_all_missed, "Episodes without any choice: {:,}, kept."),
        )
        lines += [told.format(n) for n, told in counts if n]
        for each, dims in (("trial", "episode, trial"), ("episode", "episode")):
            kept = [name for name, spanned in self.kept.items() if spanned == dims]
            lines += [f"Kept for each {each}: {', '.join(kept)}."] if kept else []
        lines += [f"Dropped: {n:,} {what}." for what, n in self.dropped.items()]
        lines += [f"Recoded: {what}" for what in self.recoded]
        lines += [f"Warning: {what}" for what in self.warnings]
        return "\n".join(wrapped(line) for line in lines)

    def _roles(self) -> list[str]:
        made = max(1, self.n_trials - self.n_missed)
        lengths = f"{self.shortest:,}" if self.shortest == self.longest else f"{self.shortest:,} to {self.longest:,}"
        reward = "no choice was made" if self.mean_reward is None else f"mean {self.mean_reward:.4g}"
        roles = (
            ("subject", f"{self.n_subjects:,} in all", "one subject"),
            ("episode", f"{self.n_episodes:,} in all", "one episode per subject"),
            ("trial", f"{lengths} per episode", f"in the order of the rows, {lengths} per episode"),
            ("choice", ", ".join(f"{label}: {n / made:.1%}" for label, n in self.options.items()), ""),
            ("reward", reward, ""),
        )
        stages = ("common", "second_state", "second_choice")
        two_step = [(role, "", "") for role in stages if role in self.columns]
        told, width = [], max(8, *(len(role) for role, *_ in two_step or roles))
        for role, found, absent in [*roles, *two_step]:
            guess = " (guessed)" if role in self.guessed else ""
            column = f"{self.columns[role]}{guess}; {found}" if role in self.columns else f"no column; {absent}"
            told.append(f"  {role:<{width}} {column}".removesuffix("; "))
        return told
