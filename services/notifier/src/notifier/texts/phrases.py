"""The short phrases that the texts are put together from, by language."""

from dataclasses import dataclass

from booking_web.languages import Language


@dataclass(frozen=True, slots=True)
class Phrases:
    """One language's words for codes and for people whose name we don't know (any more)."""

    reader: str
    member: str
    practitioner: str
    product: str
    footer: str
    no_date: str
    reasons: dict[str, str]
    review_causes: dict[str, str]


PHRASES: dict[Language, Phrases] = {
    "id": Phrases(
        reader="Bapak/Ibu",
        member="klien Anda",
        practitioner="praktisi Anda",
        product="Konsultasi",
        footer="Pesan ini dikirim otomatis. Anda dapat memilih saluran dan bahasa pemberitahuan di pengaturan akun.",
        no_date="belum terjadwal",
        reasons={
            "canceled_by_member": "dibatalkan oleh klien",
            "canceled_by_practitioner": "dibatalkan oleh praktisi",
            "practitioner_timeout": "praktisi tidak menjawab hingga batas waktu",
            "payment_reversed": "pembayaran dikembalikan",
            "technical": "kendala teknis",
            "no_show_member": "klien tidak hadir",
            "no_show_practitioner": "praktisi tidak hadir",
            "other": "alasan lain",
        },
        review_causes={
            "after_expiry": "uang datang setelah transaksi kedaluwarsa",
            "after_cancel": "uang datang setelah transaksi dibatalkan",
            "wrong_amount": "jumlahnya tidak sesuai",
            "wrong_currency": "mata uangnya tidak sesuai",
            "second_payment": "transaksi ini sudah dibayar",
        },
    ),
    "en": Phrases(
        reader="there",
        member="your client",
        practitioner="your practitioner",
        product="Consultation",
        footer="This message was sent automatically. You can choose channels and language in your account's settings.",
        no_date="without a date so far",
        reasons={
            "canceled_by_member": "canceled by the client",
            "canceled_by_practitioner": "canceled by the practitioner",
            "practitioner_timeout": "the practitioner did not answer in time",
            "payment_reversed": "the payment was returned",
            "technical": "technical trouble",
            "no_show_member": "the client did not come",
            "no_show_practitioner": "the practitioner did not come",
            "other": "another reason",
        },
        review_causes={
            "after_expiry": "money came after the order had expired",
            "after_cancel": "money came after the order was canceled",
            "wrong_amount": "the amount is wrong",
            "wrong_currency": "the currency is wrong",
            "second_payment": "the order was already paid",
        },
    ),
}
