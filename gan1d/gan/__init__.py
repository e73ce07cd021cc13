"""One GAN: its parts, its training and its judging, as pure functions of arrays."""
