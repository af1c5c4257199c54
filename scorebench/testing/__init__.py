"""The contract tests: what every method of a kind must do, and what these tests share."""
