"""How the platform does: figures of its processes over the last hour, and their charts."""
