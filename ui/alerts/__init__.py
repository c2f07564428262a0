"""The Alerts page: what needs a person, the evidence for it, and the rules that tell of it."""
