"""Throughput of the engines and of what one would write without them, side by side."""
