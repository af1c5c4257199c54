"""The table of a run."""

import pandas as pd


def summary(rows: pd.DataFrame) -> str:
    """One work, a line a contestant."""
    lines = [f"{rows['label'].iloc[0]}, {rows['unit'].iloc[0]}"]
    for row in rows.itertuples():
        if row.status != "ok":
            lines.append(f"  {row.contestant:36} {row.status}")
        else:
            ratio = f"times scorebench {row.ratio:.2f} [{row.ratio_low:.2f}, {row.ratio_high:.2f}]"
            lines.append(f"  {row.contestant:36} {row.median:9.3g} [{row.low:.3g}, {row.high:.3g}]  {ratio}")
    return "\n".join(lines)
