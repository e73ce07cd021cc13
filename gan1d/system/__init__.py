"""The machine underneath: cores, memory, devices, provenance, progress and signals."""
