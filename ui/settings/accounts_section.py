"""Who may come in over the API: accounts, what they may do, and which cameras viewers see."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from PySide6.QtGui import QHideEvent, QShowEvent
from PySide6.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QHBoxLayout,
    QLineEdit,
    QWidget,
)

from engine.domain.accounts import Account, AccountDesk, FarmName, Role
from engine.domain.errors import BarnhandError
from engine.domain.ids import StreamId, UserId
from engine.domain.ports import StreamRepository
from ui.diagnostics.diagnostics_page import FactTable
from ui.registry.words import ago
from ui.requests import RequestRunner
from ui.settings.account_editor import AccountEditor, fill_farms, role_list, role_words
from ui.settings.password_once import PasswordOnce
from ui.widgets import button, headed_column, label, line

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Cameras:
    names: Mapping[StreamId, str]
    granted: Sequence[StreamId]


class AccountsSection(QWidget):
    """The accounts in a table, one of them beneath it, and a row that adds one. ``desk`` None:
    this console has no server of accounts."""

    def __init__(
        self, desk: AccountDesk | None, streams: StreamRepository, requests: RequestRunner
    ) -> None:
        super().__init__()
        self._desk = desk
        self._streams = streams
        self._requests = requests
        self.accounts: Sequence[Account] = ()
        self._farms: Sequence[FarmName] = ()
        self._select: UserId | None = None
        self.busy = False
        self.table = FactTable(
            [
                self.tr("Name"),
                self.tr("Role"),
                self.tr("Farm"),
                self.tr("State"),
                self.tr("Last login"),
            ],
            self.tr("Accounts"),
            wide=3,
        )
        self.table.setSelectionMode(QAbstractItemView.SelectionMode.SingleSelection)
        self.name = QLineEdit(placeholderText=self.tr("name, like anna or dr.berg"))
        self.name.setAccessibleName(self.tr("Name of the new account"))
        self.role = role_list(self.tr("Role of the new account"))
        self.farm = QComboBox()
        self.farm.setAccessibleName(self.tr("Farm of the new account"))
        self.add = button(self.tr("Add"), "primary")
        self.said = label("", "problem", wrap=True)
        self.once = PasswordOnce()
        self.editor = AccountEditor()
        self._build()
        self._connect()

    def _build(self) -> None:
        column = headed_column(
            self,
            self.tr("Accounts"),
            self.tr(
                "Who logs in from a phone or another program. This console needs no account: "
                "whoever sits here may do everything."
            ),
        )
        column.addWidget(self.table)
        column.addWidget(self.said)
        column.addWidget(self.once)
        row = QHBoxLayout()
        row.setSpacing(8)
        row.addWidget(self.name, 1)
        for widget in (self.role, self.farm, self.add):
            row.addWidget(widget)
        self._add_row = QWidget()
        self._add_row.setLayout(row)
        row.setContentsMargins(0, 4, 0, 4)
        column.addWidget(self._add_row)
        column.addWidget(line())
        column.addWidget(self.editor)
        column.addStretch(1)
        self.setMaximumWidth(920)
        self.said.hide()
        self.table.hide()

    def _connect(self) -> None:
        self.name.textChanged.connect(lambda _text: self._dress())
        self.name.returnPressed.connect(self.add_account)
        self.add.clicked.connect(self.add_account)
        self.table.itemSelectionChanged.connect(self._on_selected)
        self.editor.changed.connect(self.change)
        self.editor.granted.connect(self.save)
        self.editor.password_asked.connect(self.new_password)
        self._dress()

    # --- looking --------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask a worker which accounts there are."""
        desk = self._desk
        if desk is None:
            self._say(self.tr("This console was started without a server of accounts."))
            self._add_row.hide()
            return

        def read() -> tuple[Sequence[Account], Sequence[FarmName]]:
            return desk.list(), desk.farms()

        self._requests.submit("accounts", read, self._on_list, self._on_failed, owner=self)

    def _on_list(self, found: tuple[Sequence[Account], Sequence[FarmName]]) -> None:
        self.accounts, self._farms = found
        fill_farms(self.farm, self._farms)
        self.table.blockSignals(True)
        self.table.fill([self._row(account) for account in self.accounts])
        self.table.clearSelection()
        self.table.blockSignals(False)
        self.table.setVisible(bool(self.accounts))
        for row, account in enumerate(self.accounts):
            if account.id == self._select:
                self.table.selectRow(row)
        self._dress()

    def _row(self, account: Account) -> tuple[str, ...]:
        names = {farm.id: farm.name for farm in self._farms}
        farm = self.tr("every farm") if account.farm_id is None else names.get(account.farm_id, "–")
        return (
            account.username,
            role_words(account.role),
            farm,
            self._state(account),
            self.tr("never") if account.last_login_at is None else ago(account.last_login_at),
        )

    def _state(self, account: Account) -> str:
        if not account.enabled:
            return self.tr("switched off")
        if account.must_change_password:
            return self.tr("has a one-time password")
        return self.tr("may log in")

    def _on_selected(self) -> None:
        rows = {index.row() for index in self.table.selectionModel().selectedRows()}
        chosen = [account for row, account in enumerate(self.accounts) if row in rows]
        if not chosen:
            self._select = None
            self.editor.hide()
            return
        self._select = chosen[0].id
        self.editor.show_account(chosen[0], self._farms)
        self._read_cameras(chosen[0])

    def _read_cameras(self, account: Account) -> None:
        desk, streams = self._desk, self._streams
        if desk is None:
            return

        def read() -> _Cameras:
            names = {stream.id: stream.name for stream in streams.list(account.farm_id)}
            return _Cameras(names, desk.grants(account))

        def show(found: _Cameras) -> None:
            self.editor.show_cameras(account, found.names, found.granted)

        self._requests.submit("cameras of an account", read, show, self._on_failed, owner=self)

    # --- acts -----------------------------------------------------------------------------------

    def add_account(self) -> None:
        """Make the account that the row describes, and show its password once."""
        desk, name = self._desk, self.name.text().strip()
        role, farm_id = Role(self.role.currentData()), self.farm.currentData()
        if desk is None or not name:
            return

        def added(made: tuple[Account, str]) -> None:
            account, password = made
            self.name.clear()
            self._select = account.id
            self.once.show_password(account.username, password)

        self._do("add an account", lambda: desk.add(name, role, farm_id), added)

    def change(self, account: Account) -> None:
        """Store role, farm or state."""
        desk = self._desk
        if desk is not None:
            self._do("change an account", lambda: desk.change(account), lambda _account: None)

    def save(self, account: Account, granted: frozenset[StreamId] | None) -> None:
        """Store what was edited: role and farm first, so that the cameras fit the farm."""
        desk = self._desk
        if desk is None:
            return
        before = next((one for one in self.accounts if one.id == account.id), None)

        def act() -> None:
            stored = account if account == before else desk.change(account)
            if granted is not None:
                desk.set_grants(stored, sorted(granted))

        self._do("change an account", act, lambda _nothing: None)

    def new_password(self, account: Account) -> None:
        """Give the account a new one-time password and show it once."""
        desk = self._desk
        if desk is None:
            return

        def given(password: str) -> None:
            self.once.show_password(account.username, password)

        self._do("give a new password", lambda: desk.one_time_password(account), given)

    def _do(self, name: str, act: Callable[[], T], then: Callable[[T], None]) -> None:
        if self.busy:
            return
        self.busy = True
        self.once.forget()
        self._say("")
        self._dress()

        def done(answer: T) -> None:
            self.busy = False
            then(answer)
            self.look()

        def refused(error: BarnhandError) -> None:
            self.busy = False
            self._on_failed(error)
            self.look()

        self._requests.submit(name, act, done, refused, owner=self)

    def _on_failed(self, error: BarnhandError) -> None:
        self._say(str(error))
        self._dress()

    def _say(self, words: str) -> None:
        self.said.setText(words)
        self.said.setVisible(bool(words))

    def _dress(self) -> None:
        self.add.setEnabled(not self.busy and bool(self.name.text().strip()))
        self.editor.setEnabled(not self.busy)

    def showEvent(self, event: QShowEvent) -> None:
        super().showEvent(event)
        self.look()

    def hideEvent(self, event: QHideEvent) -> None:
        super().hideEvent(event)
        self.once.forget()
