"""Why a record could not be read.

ContractError
├── Undecodable    the bytes are no event of this language: hold the record
└── NewerVersion   the bytes are from the future: hold the record until this reader is newer
"""


class ContractError(Exception):
    """A record that this release cannot read."""


class Undecodable(ContractError):
    """The record breaks the published language; `reason` says how, without quoting its content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NewerVersion(ContractError):
    """A newer major version of a type that this release knows: readers come first, so hold it, never bin it."""

    def __init__(self, name: str) -> None:
        super().__init__(f"{name} is newer than this release")
        self.type = name
