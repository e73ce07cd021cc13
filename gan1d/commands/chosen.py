"""Flags that several commands have, of what in a results folder is meant and where it goes."""

from absl import flags

SETTING = flags.DEFINE_string(
    "setting", None, "The only setting that counts: its label, its number or a part of its label."
)
SEED = flags.DEFINE_integer("seed", None, "The only seed that counts, where one is shown or used.")
TO = flags.DEFINE_string("to", None, "The file to write, of the kind that its name ends in.")
