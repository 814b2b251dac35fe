"""Mail: the message with its parts and its invitation, and the conversation with the SMTP server."""
