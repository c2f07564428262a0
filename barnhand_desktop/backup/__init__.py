"""Backups of the database: made daily, verified, kept a month, restored beside the old one."""
