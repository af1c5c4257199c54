"""What the contract tests of a kind share, shipped so that a method from elsewhere can be checked by them: no part of a benchmark's run."""
