"""The outside world of Saldo for demo and tests: people, banks, an SMS gateway, phones.

It speaks real wire formats over HTTP and knows nothing of Saldo itself.
"""
