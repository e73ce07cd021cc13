"""What results say: statistics, tables, comparisons, exports and figures; needs no JAX."""
