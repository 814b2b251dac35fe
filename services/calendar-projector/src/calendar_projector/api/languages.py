"""In which language the caller wants the calendar's words."""

from typing import Annotated

from fastapi import Header

AcceptLanguage = Annotated[
    str | None, Header(max_length=200, description="The language of titles, `id` or `en`; else that of the token.")
]
