"""What agents see: frames drawn for a whole batch of episodes at once, on the CPU or on CUDA."""

from neurometa.render.first_person import Camera, Look, Seen, cast, first_person, flat, patterns

__all__ = ["Camera", "Look", "Seen", "cast", "first_person", "flat", "patterns"]
