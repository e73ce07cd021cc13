"""Flags that several commands have: absl knows each one once."""

from absl import flags

SEEDS = flags.DEFINE_string(
    "seeds", None, "Seeds: how many, or FIRST:END, END excluded; for example 8 or 128:256."
)
DRAW = flags.DEFINE_bool("draw", False, "Also draw what it says, into the figures of the folder.")
