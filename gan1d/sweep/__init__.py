"""Many GANs: how a sweep is laid out, trained block by block, kept, and put together."""
