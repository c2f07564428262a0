"""The fixtures of the sessions' tests with real servers."""

from tests.fixtures_api import api_config, api_database, api_url, wait_until, world

__all__ = ["api_config", "api_database", "api_url", "wait_until", "world"]
