"""Score matching and Langevin sampling, compared with error bars."""
