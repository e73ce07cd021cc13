"""What results say: statistics, tables, comparisons, exports, figures, a page; needs no JAX."""
