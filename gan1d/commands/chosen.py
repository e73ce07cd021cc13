"""Flags that several commands have, of what in a results folder is meant and where it goes."""

from absl import flags

SETTING = flags.DEFINE_string(
    "setting",
    None,
    "The only setting to draw, or to sample from: its label, its number or a part of its label.",
)
SEED = flags.DEFINE_integer(
    "seed",
    None,
    "The seed to sample from, by default the best run's; or that kinds of one seed draw, "
    "by default the first with snapshots.",
)
TO = flags.DEFINE_string(
    "to",
    None,
    "The file to write, .csv, .tsv or .parquet, samples also .npy; rejudge: the folder to write.",
)
