"""The console: Qt lives here and in ``barnhand_desktop.desktop`` only."""
