"""Live events: from the live-state channels to WebSocket clients."""
