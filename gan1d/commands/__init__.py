"""What is typed: flags that commands share, and the small commands."""
