"""The client: one server, one credential, and the API's subjects as attributes."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from .connection import Connection
from .credentials import Credential
from .events import Events
from .subjects.accounts import ApiKeys, Audit, Auth, Users
from .subjects.alerts import AlertRules, Alerts
from .subjects.cameras import Hls, Machines, Streams
from .subjects.horses import Analytics, Horses
from .subjects.models import Models
from .subjects.places import Areas, Farms, Operation
from .subjects.ptz import CameraControl
from .subjects.recordings import Bookmarks, Chunks, Detections
from .subjects.sessions import Calendar, Sessions
from .subjects.tracking import Tracking
from .subjects.work import Exports, Jobs
from .trust import Trust


class Barnhand:
    """A barn's remote API.

    ``url`` is the server without a path, ``credential`` a ``Login`` or an ``ApiKey``, ``trust``
    says which certificate is good (public authorities where it is left out). For what else a
    connection can be told, make a ``Connection`` and give it to ``Barnhand.over``::

        with Barnhand("https://barn.example", ApiKey(key)) as barn:
            for stream in barn.streams.list():
                print(stream.name, stream.status and stream.status.state)
    """

    def __init__(
        self, url: str, credential: Credential | None = None, trust: Trust | None = None
    ) -> None:
        self._join(Connection(url, credential, trust))

    @classmethod
    def over(cls, connection: Connection) -> Self:
        """A client over a connection made before."""
        barn = cls.__new__(cls)
        barn._join(connection)
        return barn

    def _join(self, connection: Connection) -> None:
        self.connection = connection
        self.auth = Auth(connection)
        self.api_keys = ApiKeys(connection)
        self.users = Users(connection)
        self.farms = Farms(connection)
        self.areas = Areas(connection)
        self.streams = Streams(connection)
        self.ptz = CameraControl(connection)
        self.hls = Hls(connection)
        self.nodes = Machines(connection)
        self.chunks = Chunks(connection)
        self.detections = Detections(connection)
        self.bookmarks = Bookmarks(connection)
        self.horses = Horses(connection)
        self.tracking = Tracking(connection)
        self.analytics = Analytics(connection)
        self.alerts = Alerts(connection)
        self.alert_rules = AlertRules(connection)
        self.sessions = Sessions(connection)
        self.calendar = Calendar(connection)
        self.jobs = Jobs(connection)
        self.exports = Exports(connection)
        self.models = Models(connection)
        self.audit = Audit(connection)
        self.operation = Operation(connection)
        self.events = Events(connection)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close what is open."""
        self.connection.close()
