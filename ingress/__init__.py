"""The edge picks: clients outside the cluster connect to one address, and its proxy balances each call."""
