"""What agents see: frames drawn for a whole batch of episodes at once, on the CPU or on CUDA."""
