"""`python -m benchmarks`: see the package's docstring."""

import os
import sys

# One thread and one core for everybody, before any library looks.
os.environ |= {"OMP_NUM_THREADS": "1", "XLA_FLAGS": "--xla_cpu_multi_thread_eigen=false", "TORCHINDUCTOR_COMPILE_THREADS": "1"}

if __name__ == "__main__":
    from benchmarks.main import main

    sys.exit(main())
