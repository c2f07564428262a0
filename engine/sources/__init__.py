"""One file per kind of source; ``registry.open_source`` picks by the stream's kind."""
