"""The backend that every strategy balances: a greeter that says which pod answered.

Run it with `python -m greeter_server`; a strategy's `server.py` is a few lines on `main`.
"""

from greeter_server.command import main

__all__ = ["main"]
