"""How fast scorebench is: beside other libraries, beside the same step compiled by hand, and against size.

`make bench`, or `python -m benchmarks [--work NAME ...] [--rounds N] [--only PART] [--device cuda]` from the repository's folder. Each piece of work is a file
of `works/`; who does it, a file of `contestants/`. All take the same model, batch and start, in float32, on one thread of one core. All are first seen to
compute the same, and who does not is refused (`sampling`, `training`); then they are measured in strict alternation (`contest`).

results/bench/: speed.csv; starts.csv, the first call in a new process; scaling.csv, slopes.csv; figures/.
"""
