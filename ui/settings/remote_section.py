"""Remote access: whether other machines reach this barn, where, and how they know that it is it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

from PySide6.QtCore import Signal
from PySide6.QtGui import QGuiApplication
from PySide6.QtWidgets import (
    QCheckBox,
    QFileDialog,
    QGridLayout,
    QHBoxLayout,
    QLineEdit,
    QVBoxLayout,
    QWidget,
)

from engine.domain.accounts import AccountDesk
from engine.domain.errors import BarnhandError, EnvironmentFault
from engine.domain.remote import RemoteAccess, RemoteDesk, ServerCertificate
from ui.looking import LookingWidget
from ui.requests import RequestRunner
from ui.settings.own_password import OwnPassword
from ui.widgets import button, headed_column, label, line

LOOK_EVERY_MS = 5_000
SOON_DAYS = 30
_NAME_WIDTH = 120


class RemoteSection(LookingWidget):
    """The state in a sentence, what to open on a phone, the certificate, and the switch.

    ``desk`` None: this console runs no API. ``changed`` follows stored settings.
    """

    changed = Signal()

    def __init__(
        self, desk: RemoteDesk | None, accounts: AccountDesk | None, requests: RequestRunner
    ) -> None:
        super().__init__(LOOK_EVERY_MS)
        self._desk = desk
        self._requests = requests
        self.access: RemoteAccess | None = None
        self.busy = False
        self._named = False
        self.state = label("", "large", wrap=True)
        self.detail = label("", "muted", wrap=True)
        self.said = label("", "problem", wrap=True)
        self.password = OwnPassword(accounts, requests)
        self.restart = button(self.tr("Restart the API"), "primary")
        self.restart_words = label(
            self.tr(
                "The API still runs as it was before. Restart it to make this take effect; whoever "
                "is connected is cut off for a second or two. Cameras and recording go on."
            ),
            wrap=True,
        )
        self.addresses = QWidget()
        self.certificate = QGridLayout()
        self.names = QLineEdit()
        self.own = QCheckBox(self.tr("Use certificate files of our own"))
        self.certificate_file, self.key_file = QLineEdit(), QLineEdit()
        self.on = button(self.tr("Switch on"), "primary")
        self.off = button(self.tr("Switch off"))
        self._build()
        self._connect()
        self._dress()

    # --- layout ---------------------------------------------------------------------------------

    def _build(self) -> None:
        column = headed_column(
            self,
            self.tr("Remote access"),
            self.tr(
                "Phones, vets and other programs reach this barn over its API, encrypted and "
                "with an account. Without remote access only this machine does."
            ),
        )
        column.addSpacing(8)
        for widget in (self.state, self.detail, self.said, self.password):
            column.addWidget(widget)
        self._restart_row = QWidget()
        row = QHBoxLayout(self._restart_row)
        row.setContentsMargins(0, 4, 0, 4)
        row.setSpacing(16)
        row.addWidget(self.restart_words, 1)
        row.addWidget(self.restart)
        column.addWidget(self._restart_row)
        self._address_head = label(self.tr("OPEN ON A PHONE"), "section")
        column.addWidget(self._address_head)
        self._address_rows = QVBoxLayout(self.addresses)
        self._address_rows.setContentsMargins(0, 0, 0, 0)
        self._address_rows.setSpacing(2)
        column.addWidget(self.addresses)
        self._certificate_part = QWidget()
        part = QVBoxLayout(self._certificate_part)
        part.setContentsMargins(0, 8, 0, 0)
        part.setSpacing(6)
        part.addWidget(label(self.tr("CERTIFICATE"), "section"))
        self.certificate.setHorizontalSpacing(16)
        self.certificate.setVerticalSpacing(4)
        self.certificate.setColumnMinimumWidth(0, _NAME_WIDTH)
        self.certificate.setColumnStretch(1, 1)
        part.addLayout(self.certificate)
        column.addWidget(self._certificate_part)
        column.addSpacing(8)
        column.addWidget(line())
        column.addSpacing(8)
        column.addWidget(self._build_form())
        column.addStretch(1)
        self.setMaximumWidth(920)

    def _build_form(self) -> QWidget:
        self.form = QWidget()
        grid = QGridLayout(self.form)
        grid.setContentsMargins(0, 0, 0, 0)
        grid.setHorizontalSpacing(16)
        grid.setVerticalSpacing(8)
        grid.setColumnMinimumWidth(0, _NAME_WIDTH)
        grid.setColumnStretch(1, 1)
        self._names_label = label(self.tr("Names"), "strong")
        self._names_label.setBuddy(self.names)
        self.names.setAccessibleName(self.tr("Names and addresses for the certificate"))
        self._names_help = label(
            self.tr(
                "Addresses and host names that clients type, with commas between them. A "
                "certificate is made for them and for this machine's name."
            ),
            "small",
            wrap=True,
        )
        grid.addWidget(self._names_label, 0, 0)
        grid.addWidget(self.names, 0, 1)
        grid.addWidget(self._names_help, 1, 1)
        grid.addWidget(self.own, 2, 1)
        self._files = QWidget()
        files = QGridLayout(self._files)
        files.setContentsMargins(0, 0, 0, 0)
        for row, (words, field) in enumerate(
            (
                (self.tr("Certificate (PEM)"), self.certificate_file),
                (self.tr("Its private key (PEM, 0600)"), self.key_file),
            )
        ):
            field.setAccessibleName(words)
            browse = button(self.tr("Browse…"))
            browse.setAccessibleName(self.tr("Browse for {0}").format(words))
            browse.clicked.connect(self._browser(words, field))
            name = label(words)
            name.setBuddy(field)
            files.addWidget(name, row, 0)
            files.addWidget(field, row, 1)
            files.addWidget(browse, row, 2)
        grid.addWidget(self._files, 3, 1)
        buttons = QHBoxLayout()
        buttons.setSpacing(8)
        buttons.addWidget(self.on)
        buttons.addWidget(self.off)
        buttons.addStretch(1)
        grid.addLayout(buttons, 4, 1)
        return self.form

    def _connect(self) -> None:
        self.on.clicked.connect(self.switch_on)
        self.off.clicked.connect(self.switch_off)
        self.restart.clicked.connect(self.start_anew)
        self.own.toggled.connect(lambda _on: self._dress())
        self.password.stored.connect(self.look)

    def _browser(self, words: str, field: QLineEdit) -> Callable[[], None]:
        def browse() -> None:
            chosen, _kind = QFileDialog.getOpenFileName(self, words, field.text())
            if chosen:
                field.setText(chosen)

        return browse

    # --- looking --------------------------------------------------------------------------------

    def look(self) -> None:
        """Ask a worker what holds now."""
        if self._desk is None or self.busy:
            return
        self._requests.submit(
            "remote access", self._desk.status, self._on_status, self._on_away, owner=self
        )

    def _on_status(self, access: RemoteAccess) -> None:
        if self.busy:
            return
        before, self.access = self.access, access
        if not self._named:
            self._named = True
            known = access.certificate.names if access.on and access.certificate else ()
            self.names.setText(", ".join(_wanted_names(known or access.suggested)))
        if access != before:
            self._dress()

    def _on_away(self, error: BarnhandError) -> None:
        self.detail.setText(str(error))

    # --- acts -----------------------------------------------------------------------------------

    def switch_on(self) -> None:
        """Store that other machines may come in; also for other names or files."""
        desk = self._desk
        if desk is None:
            return
        names = [name.strip() for name in self.names.text().split(",") if name.strip()]
        if not self.own.isChecked():
            self._do("switch remote access on", lambda: desk.switch_on(names))
            return
        given = (self.certificate_file.text().strip(), self.key_file.text().strip())
        certificate, key = (Path(text) if text else None for text in given)
        if certificate is None or key is None:
            self._say(self.tr("Name the certificate and its private key."))
            return
        self._do("switch remote access on", lambda: desk.switch_on([], certificate, key))

    def switch_off(self) -> None:
        """Store that only this machine may."""
        if self._desk is not None:
            self._do("switch remote access off", self._desk.switch_off)

    def start_anew(self) -> None:
        """Restart the API on a worker."""
        if self._desk is not None:
            self._do("restart the API", self._desk.restart, self.tr("The API is being restarted…"))

    def _do(self, name: str, act: Callable[[], None], meanwhile: str = "") -> None:
        if self.busy:
            return
        self._set_busy(True)
        self._say(meanwhile)
        self._requests.submit(
            name, act, lambda _nothing: self._on_acted(), self._on_refused, owner=self
        )

    def _on_acted(self) -> None:
        self._set_busy(False)
        self._say("")
        self.look()
        self.changed.emit()

    def _on_refused(self, error: BarnhandError) -> None:
        self._set_busy(False)
        self._say(str(error))
        self.look()
        if isinstance(error, EnvironmentFault):
            self.changed.emit()

    # --- showing --------------------------------------------------------------------------------

    def _dress(self) -> None:
        access = self.access
        if self._desk is None:
            self.state.setText(self.tr("This console was started without the API."))
        elif access is None:
            self.state.setText(self.tr("Looking…"))
        known = access is not None
        for widget in (self.form, self.own):
            widget.setVisible(known)
        self._files.setVisible(known and self.own.isChecked())
        for name in (self._names_label, self.names, self._names_help):
            name.setVisible(known and not self.own.isChecked())
        self._restart_row.setVisible(access is not None and access.restart_needed)
        self.password.setVisible(access is not None and access.unchanged_password)
        self._address_head.setVisible(access is not None and bool(access.addresses))
        self._certificate_part.setVisible(access is not None and access.certificate is not None)
        if access is None:
            self.detail.hide()
            self.said.setVisible(bool(self.said.text()))
            return
        self.state.setText(self._sentence(access))
        self.detail.setText(access.problem or self._listens(access))
        self.detail.show()
        self.password.show_account(access.admin)
        self._show_addresses(access)
        self._show_certificate(access.certificate)
        self._address_head.setText(
            self.tr("OPEN ON A PHONE, ONCE THE API WAS RESTARTED")
            if access.restart_needed or not access.runs
            else self.tr("OPEN ON A PHONE")
        )
        self.on.setText(self.tr("Use these names") if access.on else self.tr("Switch on"))
        self.off.setVisible(access.on)
        self._set_busy(self.busy)

    def _sentence(self, access: RemoteAccess) -> str:
        if access.on and access.open_now:
            return self.tr("On: other machines reach this barn.")
        if access.on and access.tls_ends_upstream:
            return self.tr("On: a proxy in front of this machine lets others in.")
        if access.on:
            return self.tr("Switched on, and not in effect yet.")
        if access.open_now:
            return self.tr("Switched off, but other machines reach this barn until the restart.")
        if access.unchanged_password:
            return self.tr("Off, and cannot be switched on yet.")
        return self.tr("Off: only this machine reaches the API.")

    def _listens(self, access: RemoteAccess) -> str:
        words = self.tr("The API listens on {0}, port {1}.").format(access.host, access.port)
        if access.on and access.tls_ends_upstream and access.certificate is None:
            words += self.tr(" A proxy in front of it does TLS (api.tls_ends_upstream).")
        return words

    def _show_addresses(self, access: RemoteAccess) -> None:
        while (item := self._address_rows.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        for address in access.addresses:
            self._address_rows.addWidget(self._copied(f"{address}/docs"))
        self.addresses.setVisible(bool(access.addresses))

    def _show_certificate(self, certificate: ServerCertificate | None) -> None:
        while (item := self.certificate.takeAt(0)) is not None:
            if (old := item.widget()) is not None:
                old.deleteLater()
        if certificate is None:
            return
        kind = self.tr("Your own file") if certificate.own else self.tr("Made by Barnhand")
        rows: list[tuple[str, QWidget]] = [
            (self.tr("From"), label(f"{kind} · {certificate.path}", wrap=True)),
            (self.tr("For"), label(", ".join(certificate.names), wrap=True)),
            (self.tr("Good until"), self._expiry(certificate)),
            (self.tr("SHA-256"), self._fingerprint(certificate.sha256)),
            (
                "",
                label(
                    self.tr(
                        "Compare it on the other machine before you trust it there: who shows "
                        "another fingerprint is not this machine."
                    ),
                    "small",
                    wrap=True,
                ),
            ),
        ]
        for row, (name, widget) in enumerate(rows):
            self.certificate.addWidget(label(name, "muted"), row, 0)
            self.certificate.addWidget(widget, row, 1)

    def _expiry(self, certificate: ServerCertificate) -> QWidget:
        days = (certificate.expires_at - datetime.now(UTC)).days
        date = f"{certificate.expires_at:%Y-%m-%d}"
        if days < 0:
            return label(self.tr("{0}: it has expired; clients refuse it").format(date), "problem")
        words = self.tr("{0}, {1} days").format(date, days)
        return label(words, "problem" if days < SOON_DAYS else "")

    def _fingerprint(self, text: str) -> QWidget:
        """All of it in two lines, with a button that copies it."""
        row = QWidget()
        across = QHBoxLayout(row)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(16)
        half = len(text) // 2 + 1
        shown = label(f"{text[:half]}\n{text[half:]}", "mono")
        shown.setAccessibleName(text)
        across.addWidget(shown)
        across.addWidget(self._copier(text))
        across.addStretch(1)
        return row

    def _copier(self, text: str) -> QWidget:
        copy = button(self.tr("Copy"))
        copy.setAccessibleName(self.tr("Copy {0}").format(text))
        copy.clicked.connect(lambda: QGuiApplication.clipboard().setText(text))
        return copy

    def _copied(self, text: str) -> QWidget:
        """A line that can be selected, with a button that copies it."""
        row = QWidget()
        across = QHBoxLayout(row)
        across.setContentsMargins(0, 0, 0, 0)
        across.setSpacing(8)
        shown = QLineEdit(text)
        shown.setReadOnly(True)
        shown.setFrame(False)
        shown.setCursorPosition(0)
        shown.setAccessibleName(text)
        across.addWidget(shown, 1)
        across.addWidget(self._copier(text))
        return row

    def _say(self, words: str) -> None:
        self.said.setText(words)
        self.said.setVisible(bool(words))

    def _set_busy(self, busy: bool) -> None:
        self.busy = busy
        access = self.access
        blocked = access is None or (access.unchanged_password and not access.on)
        self.on.setEnabled(not busy and not blocked)
        self.off.setEnabled(not busy)
        self.restart.setEnabled(not busy)


def _wanted_names(names: tuple[str, ...]) -> list[str]:
    """Without those that every generated certificate has."""
    return [name for name in names if name not in ("localhost", "127.0.0.1", "::1")]
