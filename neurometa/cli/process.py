"""The process that runs a command: its threads, and how it is interrupted."""


class Interrupted(Exception):
    """Ctrl-C, and how to go on; typer would end at a KeyboardInterrupt without a word."""


def one_thread() -> None:
    """Small networks are fastest on one thread; a second core trains a second run."""
    import torch

    torch.set_num_threads(1)
