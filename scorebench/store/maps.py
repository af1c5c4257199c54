"""A target in the plane and its sources on a grid: the names of the arrays in map/<target>.npz (`engine.maps` makes them)."""


def of_source(name: str, model: str = "", loss: str = "") -> str:
    """An array, "log_prob" or "score", of a trained source; of the target itself where no model is named."""
    return f"{model} {loss}/{name}" if model else name
