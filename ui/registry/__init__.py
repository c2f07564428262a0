"""The registry: every known horse, and the corrections people make."""
