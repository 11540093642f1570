"""What the committed cassettes hold: each scenario is one exchange, or a short conversation."""
