"""What is known of an account that nobody knows yet: rates of all accounts together.

`MONTH_DAYS` says how much likelier than on an average day income is on a day of the month, 1 to
31. `HALF_HOURS` is the share of income by half hour of the bank's local day. Both are coarse on
purpose and weigh little beside an account's own experience. docs/backtest.md says how they were
made.
"""

from __future__ import annotations

# Incomes of some hundred Czech accounts of 1993 and 1994, smoothed over three days and moved half
# of the way to one: months elsewhere begin elsewhere.
MONTH_DAYS = (
    *(0.6, 0.7, 0.7, 1.0, 1.5, 1.7, 1.7, 1.7, 1.7, 1.6),
    *(1.6, 1.8, 1.8, 1.5, 0.9, 0.7, 0.7, 0.8, 0.7, 0.6),
    *(0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6, 0.6),
)

# Ours, not measured: banks book in batches from the early morning on, little in the evening and
# next to nothing at night. An hour each.
_HOURS = (1, 1, 1, 1, 1, 2, 3, 3, 3, 3, 2, 2, 2, 2, 2, 2, 2, 2, 1, 1, 1, 1, 1, 1)
HALF_HOURS = tuple(hour / sum(_HOURS) / 2 for hour in _HOURS for _ in range(2))
