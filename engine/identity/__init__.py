"""Whose track it is: live decisions, spans, and the corrections people make to them."""
