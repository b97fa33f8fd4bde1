"""The backend that every strategy balances: a greeter that says which pod answered.

A manifest runs it with `python -m greeter_server`, and sets by flags in what its strategy's servers differ.
"""
