"""The stream of changes: events of Transactions and sessions, pushed to those who may see them."""
