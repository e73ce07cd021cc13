"""Sweeps larger than a process: cut into shards, started, followed, and merged again.

`launch.local` runs shards as a bounded pool of processes on this machine, `launch.slurm` as an
array of jobs; `shards.sbatch` and `kubernetes.yaml` do that without any of this code. A shard is
always the same command, `python -m gan1d.main --shard=I/N`, and all that is known of it lies in
files of the results folder.
"""
