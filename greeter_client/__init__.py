"""The call loop that every client shares. It teaches nothing: what a strategy is about is how it opens its channel.

flags = greeter_client.parser(__doc__).parse_args()
return greeter_client.run(open_channel(flags.target), flags, policy="round_robin")
"""

from greeter_client.command import run
from greeter_client.flags import milliseconds, parser

__all__ = ["milliseconds", "parser", "run"]
