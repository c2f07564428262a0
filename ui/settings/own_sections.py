"""The sections of the settings page that are more than fields."""

from __future__ import annotations

from ui.requests import RequestRunner
from ui.services import ConsoleServices
from ui.settings.accounts_section import AccountsSection
from ui.settings.models_section import ModelsSection
from ui.settings.remote_section import RemoteSection
from ui.settings.settings_page import SettingsPage


class OwnSections:
    """Remote access, accounts and models, above the schema's sections."""

    def __init__(
        self, page: SettingsPage, services: ConsoleServices, requests: RequestRunner
    ) -> None:
        self.remote = RemoteSection(services.remote, services.accounts, requests)
        self.accounts = AccountsSection(services.accounts, services.streams, requests)
        self.models = ModelsSection(services.model_desk, services.engine, requests)
        page.add_section(
            "remote",
            page.tr("Remote access"),
            self.remote,
            page.tr("API phone certificate TLS fingerprint address restart"),
        )
        page.add_section(
            "accounts",
            page.tr("Accounts"),
            self.accounts,
            page.tr("user password role viewer manager administrator login granted cameras"),
        )
        page.add_section(
            "models",
            page.tr("Models"),
            self.models,
            page.tr("detector skeleton landmarks ONNX upload register activate"),
        )
        self.remote.changed.connect(page.take_stored)

    def stop(self) -> None:
        """The window closes."""
        self.models.stop()
