"""The embedded servers: PostgreSQL and Valkey in the user's data folder, and who watches them."""
