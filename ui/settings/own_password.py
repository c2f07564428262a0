"""A password of one's own in place of the one-time password, twice typed."""

from __future__ import annotations

from PySide6.QtCore import Qt, Signal
from PySide6.QtWidgets import QGridLayout, QLineEdit, QWidget

from engine.domain.accounts import Account, AccountDesk
from engine.domain.errors import BarnhandError, NotFound
from ui.requests import RequestRunner
from ui.widgets import button, label

FIELD_WIDTH = 260


class OwnPassword(QWidget):
    """Two fields and a button. ``stored`` follows a password that was taken."""

    stored = Signal()

    def __init__(self, accounts: AccountDesk | None, requests: RequestRunner) -> None:
        super().__init__()
        self._accounts = accounts
        self._requests = requests
        self._username = ""
        self.words = label("", wrap=True)
        self.first, self.second = QLineEdit(), QLineEdit()
        self.set = button(self.tr("Set the password"), "primary")
        self.problem = label("", "problem", wrap=True)
        self.problem.hide()
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 4, 0, 4)
        grid.setVerticalSpacing(6)
        grid.setHorizontalSpacing(12)
        grid.addWidget(self.words, 0, 0, 1, 3)
        for row, (name, field) in enumerate(
            ((self.tr("New password"), self.first), (self.tr("Once more"), self.second)), start=1
        ):
            field.setEchoMode(QLineEdit.EchoMode.Password)
            field.setFixedWidth(FIELD_WIDTH)
            field.setAccessibleName(name)
            field.textChanged.connect(self._on_typed)
            field.returnPressed.connect(self.store)
            words = label(name, "muted")
            words.setBuddy(field)
            grid.addWidget(words, row, 0)
            grid.addWidget(field, row, 1)
        grid.addWidget(self.set, 2, 2, Qt.AlignmentFlag.AlignLeft)
        grid.addWidget(self.problem, 3, 0, 1, 3)
        grid.setColumnStretch(2, 1)
        self.set.clicked.connect(self.store)
        self._on_typed()

    def show_account(self, username: str) -> None:
        """Whose password it is."""
        self._username = username
        self.words.setText(
            self.tr(
                "“{0}” still has the one-time password it was made with. Give it one of your own "
                "here (or log in with it and change it); then other machines may be let in."
            ).format(username)
        )
        for widget in (self.first, self.second, self.set):
            widget.setEnabled(self._accounts is not None)
        self._on_typed()

    def store(self) -> None:
        """Set it on a worker; what is wrong with it is said beneath."""
        accounts, username, password = self._accounts, self._username, self.first.text()
        if accounts is None or not self.set.isEnabled():
            return
        self.set.setEnabled(False)

        def act() -> None:
            accounts.set_password(_named(accounts, username), password)

        self._requests.submit(
            "set a password", act, lambda _none: self._on_stored(), self._on_refused, owner=self
        )

    def _on_stored(self) -> None:
        self.first.clear()
        self.second.clear()
        self._say("")
        self.stored.emit()

    def _on_refused(self, error: BarnhandError) -> None:
        self._on_typed()
        self._say(str(error))

    def _on_typed(self) -> None:
        first, second = self.first.text(), self.second.text()
        differs = bool(second) and not first.startswith(second) and first != second
        self._say(self.tr("The two differ.") if differs else "")
        self.set.setEnabled(bool(first) and first == second and self._accounts is not None)

    def _say(self, words: str) -> None:
        self.problem.setText(words)
        self.problem.setVisible(bool(words))


def _named(accounts: AccountDesk, username: str) -> Account:
    for account in accounts.list():
        if account.username == username:
            return account
    raise NotFound(f"There is no account {username}.", "Start Barnhand anew: it makes one.")
