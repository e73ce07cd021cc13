"""From text to a checked sweep: fields and their values, axes, schedule, experiment."""
