"""The engine processes that share this server, and who watches which camera."""

from __future__ import annotations

from barnhand_desktop.api.guard import CallerHere, ServicesHere
from barnhand_desktop.api.node_schemas import LeaseOut, NodeOut, NodesOut


def list_nodes(caller: CallerHere, services: ServicesHere) -> NodesOut:
    """Nodes by name, with the cameras the caller sees."""
    visible = services.visible_to(caller)
    table = services.leases.list()
    return NodesOut(
        at=table.at,
        nodes=[
            NodeOut(
                node_id=node.id,
                name=node.name,
                version=node.version,
                capacity=node.capacity,
                started_at=node.started_at,
                last_seen_at=node.last_seen_at,
                alive=node.alive,
                cameras=[stream_id for stream_id in node.cameras if stream_id in visible],
            )
            for node in table.nodes
        ],
        leases=[
            LeaseOut(
                stream_id=lease.stream_id,
                node_id=lease.node_id if lease.live else None,
                name=lease.node_name,
                generation=lease.generation,
                since=lease.since,
                expires_at=lease.expires_at,
            )
            for lease in table.leases
            if lease.stream_id in visible
        ],
    )
