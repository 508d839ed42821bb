"""Replays recorded histories through the rules that read and detect in production.

It knows the domain and files, never a table, a flow or a provider. `files` reads the histories,
`windows` says when money was there, `policies` when to read, `replay` lets one account live,
`fixed` does the same for evenly spaced schedules by arithmetic, `compare` sets a policy against
them, `run` puts it together and `report` draws it. The protocol and what the figures mean stand in
docs/backtest.md.
"""
