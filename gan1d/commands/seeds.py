"""The flag by which commands that train are told of which seeds."""

from absl import flags

SEEDS = flags.DEFINE_string(
    "seeds", None, "Seeds: how many, or FIRST:END, END excluded; for example 8 or 128:256."
)
