"""What administrators do with accounts, from the API and from the console alike: the change, its
row in the audit trail, and word to whoever is logged in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from barnhand_desktop.api.audit import Actor, AuditTrail
from barnhand_desktop.api.passwords import Passwords, require_good
from db.live.announcer import Announcer
from db.repositories.grants import GrantRepository
from db.repositories.users import Role, User, UserRepository
from engine.domain.ids import FarmId, StreamId


@dataclass(frozen=True, slots=True)
class AccountActs:
    """The acts; ``address`` is where the actor is. All may block on the database or on hashing."""

    users: UserRepository
    grants: GrantRepository
    passwords: Passwords
    audit: AuditTrail
    announcer: Announcer

    def add(
        self,
        actor: Actor,
        address: str,
        username: str,
        password: str,
        role: Role,
        farm_id: FarmId | None,
    ) -> User:
        """A new account whose password is to be changed; OperatorMistake, Conflict."""
        require_good(password, username)
        hashed = self.passwords.hash(password)
        user = self.users.add(username, hashed, role, farm_id, must_change_password=True)
        self.audit.record(actor, "user.add", "user", user.id, address, {"role": user.role})
        return user

    def change(self, actor: Actor, address: str, user: User) -> User:
        """Store role, farm and state of an account; switching it off ends its logins."""
        changed = self.users.update(user)
        if not changed.enabled:
            self.users.revoke_all(changed.id, "switched off")
        details = {"role": changed.role, "enabled": changed.enabled}
        self.audit.record(actor, "user.change", "user", changed.id, address, details)
        self.announcer.session_revoked(changed.username, "account changed")
        return changed

    def set_password(
        self, actor: Actor, address: str, user: User, password: str, must_change: bool
    ) -> None:
        """Give an account a password and end its logins; OperatorMistake for a weak one."""
        require_good(password, user.username)
        hashed = self.passwords.hash(password)
        self.users.set_password(user.id, hashed, must_change, keep_family=None)
        details = {"one_time": must_change}
        self.audit.record(actor, "user.password", "user", user.id, address, details)
        self.announcer.session_revoked(user.username, "password changed")

    def remove(self, actor: Actor, address: str, user: User) -> None:
        """Remove an account; the audit trail keeps its name."""
        self.users.remove(user.id)
        details = {"username": user.username}
        self.audit.record(actor, "user.remove", "user", user.id, address, details)
        self.announcer.session_revoked(user.username, "account removed")

    def set_grants(
        self, actor: Actor, address: str, user: User, stream_ids: Sequence[UUID]
    ) -> Sequence[StreamId]:
        """Replace the streams granted to an account; those that it has now."""
        self.grants.set_grants(user.id, stream_ids)
        granted = list(self.grants.grants(user.id))
        details = {"stream_ids": [str(stream_id) for stream_id in granted]}
        self.audit.record(actor, "user.grant", "user", user.id, address, details)
        self.announcer.session_revoked(user.username, "grants changed")
        return granted
