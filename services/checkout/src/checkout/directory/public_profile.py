"""What everybody may see of a practitioner."""

from uuid import UUID

from pydantic import BaseModel, Field


class PublicProfile(BaseModel):
    """The part of a profile that the list and the profile itself share."""

    id: UUID
    name: str = Field(examples=["Budi Santoso"])
    photo_url: str | None = Field(examples=["https://example.com/budi.jpg"])
    bio: str | None = Field(examples=["Sepuluh tahun mendampingi keluarga."])
    profession: str | None = Field(examples=["Psikolog"])
    tiers: list[str] = Field(examples=[["gold"]])
    timezone: str = Field(examples=["Asia/Jakarta"])
