"""The HTTP interface: routes only translate."""
