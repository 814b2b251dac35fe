"""Stand-ins for what is outside: a mailbox, WhatsApp, the payment provider, the identity provider.

Each is a small process that speaks the real protocol, keeps what it was given in a file, and can be told to misbehave
(`PUT /behaviour`). They run in `booking up` and in containers alike (`python -m booking_standins.mailbox`).
"""
