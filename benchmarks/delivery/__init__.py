"""The other processes of ``benchmarks.event_delivery``: the clients and the peer."""
