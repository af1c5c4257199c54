"""A tenth of what `make faults` does: kills, damage and a full disk, by the scripts under tests/faults."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "faults"))

import damage
import kill
import rig
