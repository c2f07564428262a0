"""One account: what it may do, of which farm, which cameras a viewer sees, and its state."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from PySide6.QtCore import QCoreApplication, Qt, Signal
from PySide6.QtWidgets import (
    QComboBox,
    QGridLayout,
    QHBoxLayout,
    QListWidget,
    QListWidgetItem,
    QWidget,
)

from engine.domain.accounts import Account, FarmName, Role
from engine.domain.ids import FarmId, StreamId
from ui.widgets import button, label

ROW_HEIGHT, ROWS_SHOWN = 28, 8
_WIDTH = 260


def role_words(role: Role) -> str:
    """A role and what it may do."""
    words = {
        Role.VIEWER: QCoreApplication.translate("Accounts", "Viewer"),
        Role.MANAGER: QCoreApplication.translate("Accounts", "Manager"),
        Role.ADMIN: QCoreApplication.translate("Accounts", "Administrator"),
    }
    return words[role]


def role_help(role: Role) -> str:
    """What a role may do, in a sentence."""
    words = {
        Role.VIEWER: QCoreApplication.translate(
            "Accounts", "Sees the cameras you give it, live and recorded. Changes nothing."
        ),
        Role.MANAGER: QCoreApplication.translate(
            "Accounts", "Sees all of its farm and works with it: horses, cameras, alerts, exports."
        ),
        Role.ADMIN: QCoreApplication.translate(
            "Accounts", "May do everything, accounts and models included."
        ),
    }
    return words[role]


def role_list(name: str) -> QComboBox:
    """A list of the roles."""
    result = QComboBox()
    result.setAccessibleName(name)
    for role in Role:
        result.addItem(role_words(role), role)
    return result


def fill_farms(target: QComboBox, farms: Sequence[FarmName]) -> None:
    """The farms, and all of them; what was chosen stays chosen."""
    chosen = target.currentData()
    target.blockSignals(True)
    target.clear()
    for farm in farms:
        target.addItem(farm.name, farm.id)
    target.addItem(QCoreApplication.translate("Accounts", "Every farm"), None)
    found = target.findData(chosen) if chosen is not None else 0
    target.setCurrentIndex(max(found, 0))
    target.blockSignals(False)


class AccountEditor(QWidget):
    """Shows one account. The signals say what is asked for; nothing is stored here."""

    changed = Signal(object)
    granted = Signal(object, object)
    password_asked = Signal(object)

    def __init__(self) -> None:
        super().__init__()
        self.account: Account | None = None
        self._granted: frozenset[StreamId] = frozenset()
        self.title = label("", "large")
        self.role = role_list(self.tr("Role"))
        self.role_help = label("", "small", wrap=True)
        self.farm = QComboBox()
        self.farm.setAccessibleName(self.tr("Farm"))
        self.cameras = QListWidget()
        self.cameras.setAccessibleName(self.tr("Cameras that it sees"))
        self.cameras_words = label(self.tr("Cameras"), "muted")
        self.save = button(self.tr("Save"), "primary")
        self.password = button(self.tr("New one-time password"))
        self.switch = button("")
        self._build()
        self.role.currentIndexChanged.connect(lambda _index: self._on_edited())
        self.farm.currentIndexChanged.connect(lambda _index: self._on_edited())
        self.cameras.itemChanged.connect(lambda _item: self._on_edited())
        self.save.clicked.connect(self._on_save)
        self.switch.clicked.connect(self._on_switch)
        self.password.clicked.connect(lambda: self.password_asked.emit(self.account))
        self.hide()

    def _build(self) -> None:
        grid = QGridLayout(self)
        grid.setContentsMargins(0, 12, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, 120)
        grid.setColumnStretch(2, 1)
        grid.addWidget(self.title, 0, 0, 1, 3)
        for row, (words, widget) in enumerate(
            ((self.tr("Role"), self.role), (self.tr("Farm"), self.farm)), start=1
        ):
            widget.setFixedWidth(_WIDTH)
            name = label(words, "muted")
            name.setBuddy(widget)
            grid.addWidget(name, row, 0)
            grid.addWidget(widget, row, 1)
        grid.addWidget(self.role_help, 1, 2)
        self.cameras_words.setBuddy(self.cameras)
        grid.addWidget(self.cameras_words, 3, 0, Qt.AlignmentFlag.AlignTop)
        grid.addWidget(self.cameras, 3, 1, 1, 2)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        for one in (self.save, self.password, self.switch):
            buttons.addWidget(one)
        buttons.addStretch(1)
        grid.addLayout(buttons, 4, 1, 1, 2)

    # --- showing --------------------------------------------------------------------------------

    def show_account(self, account: Account, farms: Sequence[FarmName]) -> None:
        """Show what is stored of an account; its cameras follow."""
        self.account = account
        self._granted = frozenset()
        self.cameras.clear()
        fill_farms(self.farm, farms)
        self.title.setText(account.username)
        for chosen, value in ((self.role, account.role), (self.farm, account.farm_id)):
            chosen.blockSignals(True)
            chosen.setCurrentIndex(_index_of(chosen, value))
            chosen.blockSignals(False)
        self.switch.setText(self.tr("Switch off") if account.enabled else self.tr("Switch on"))
        self._on_edited()
        self.show()

    def show_cameras(
        self, account: Account, names: Mapping[StreamId, str], granted: Sequence[StreamId]
    ) -> None:
        """The cameras of the account's farm, with those that were granted ticked."""
        if self.account is None or account.id != self.account.id:
            return
        self._granted = frozenset(granted) & frozenset(names)
        self.cameras.blockSignals(True)
        self.cameras.clear()
        for stream_id, name in sorted(names.items(), key=lambda item: item[1].casefold()):
            item = QListWidgetItem(name)
            item.setData(Qt.ItemDataRole.UserRole, stream_id)
            item.setFlags(item.flags() | Qt.ItemFlag.ItemIsUserCheckable)
            ticked = Qt.CheckState.Checked if stream_id in granted else Qt.CheckState.Unchecked
            item.setCheckState(ticked)
            self.cameras.addItem(item)
        self.cameras.setFixedHeight(ROW_HEIGHT * min(max(len(names), 1), ROWS_SHOWN) + 4)
        self.cameras.blockSignals(False)
        self._on_edited()

    def ticked(self) -> frozenset[StreamId]:
        """The cameras that are ticked now."""
        items = (self.cameras.item(row) for row in range(self.cameras.count()))
        return frozenset(
            item.data(Qt.ItemDataRole.UserRole)
            for item in items
            if item.checkState() is Qt.CheckState.Checked
        )

    def _on_edited(self) -> None:
        viewer = self._role() is Role.VIEWER
        self.role_help.setText(role_help(self._role()))
        self.cameras.setVisible(viewer)
        self.cameras_words.setVisible(viewer)
        self.save.setEnabled(self._wanted() != self.account or self._regranted())

    # --- acts -----------------------------------------------------------------------------------

    def _role(self) -> Role:
        return Role(self.role.currentData())

    def _wanted(self) -> Account | None:
        if self.account is None:
            return None
        farm_id: FarmId | None = self.farm.currentData()
        return replace(self.account, role=self._role(), farm_id=farm_id)

    def _regranted(self) -> bool:
        return self._role() is Role.VIEWER and self.ticked() != self._granted

    def _on_save(self) -> None:
        wanted = self._wanted()
        if wanted is None:
            return
        self.granted.emit(wanted, self.ticked() if self._regranted() else None)

    def _on_switch(self) -> None:
        if self.account is not None:
            self.changed.emit(replace(self.account, enabled=not self.account.enabled))


def _index_of(target: QComboBox, value: object) -> int:
    rows = range(target.count())
    return next((row for row in rows if target.itemData(row) == value), 0)
