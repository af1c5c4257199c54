"""A sampler for scorebench, as an installed package brings it: see `pyproject.toml` beside this folder."""
