"""The API's paths by subject: one class each, reached over ``Barnhand``."""
