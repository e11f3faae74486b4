"""Types by content, never by name; names for people, and for nothing else."""

import pytest
from pydantic import TypeAdapter, ValidationError

from libs.common.filetypes import (
    MIB,
    FileName,
    UnknownFileType,
    download_name,
    max_bytes,
    media_type_of,
    too_large,
)
from tests.files import PDF, a_picture, a_video

_names = TypeAdapter(FileName)


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        (PDF, "application/pdf"),
        (a_picture("PNG"), "image/png"),
        (a_picture("JPEG"), "image/jpeg"),
        (a_picture("WEBP"), "image/webp"),
        (a_video("mp4"), "video/mp4"),
        (a_video("mov"), "video/quicktime"),
        (a_video("webm"), "video/webm"),
        *((b"\x00\x00\x00\x18ftyp" + brand + b"\x00\x00\x00\x00" + brand, "video/mp4")
          for brand in (b"isom", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1", b"dash", b"M4V ")),
    ],
)  # fmt: skip
def test_a_file_is_what_its_first_bytes_say(content: bytes, media_type: str) -> None:
    assert media_type_of(content[:4096]) == media_type


@pytest.mark.parametrize(
    "content",
    [
        b"just words",
        b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>",
        b"<?xml version='1.0'?><svg onload='alert(1)'/>",
        b"<!doctype html><script>alert(1)</script>",
        b"PK\x03\x04" + b"\x00" * 200,
        b"MZ" + b"\x00" * 200,
        b"\x7fELF" + b"\x00" * 200,
        b"#!/bin/sh\nrm -rf /\n",
        b"#EXTM3U\n#EXTINF:1,\nfile:///etc/passwd\n",
        b"GIF89a" + b"\x00" * 200,
        b"\x00\x00\x00\x18ftypheic\x00\x00\x00\x00mif1heic",
        b"\x00\x00\x00\x18ftypM4A \x00\x00\x00\x00M4A isom",
        b"\x00" * 200,
    ],
)
def test_what_is_no_picture_paper_or_film_is_not_taken(content: bytes) -> None:
    with pytest.raises(UnknownFileType) as refused:
        media_type_of(content)
    assert "application/pdf, image/jpeg" in refused.value.detail


def test_a_film_may_be_larger_than_a_picture_and_the_refusal_says_both() -> None:
    assert max_bytes("image/png") == max_bytes("application/pdf") == 20 * MIB
    assert max_bytes("video/webm") == 500 * MIB
    assert "image files have at most 20 MiB; video files have at most 500 MiB" in (
        too_large(20 * MIB).detail
    )


@pytest.mark.parametrize(
    ("name", "media_type", "shown"),
    [
        ("photo.jpg", "image/jpeg", "photo.jpg"),
        ("photo.JPEG", "image/jpeg", "photo.JPEG"),
        ("photo.png", "image/jpeg", "photo.jpg"),
        ("photo.exe", "image/png", "photo.png"),
        ("photo.jpg.html", "image/jpeg", "photo.jpg"),
        ("page.svg", "image/png", "page.png"),
        ("receipt", "application/pdf", "receipt.pdf"),
        ("Order no. 12", "application/pdf", "Order no. 12.pdf"),
        ("2024.05", "video/mp4", "2024.05.mp4"),
        (".pdf", "application/pdf", ".pdf.pdf"),
        ("tracking.json", "application/json", "tracking.json"),
        ("whatever.xyz", "application/x-other", "whatever.xyz"),
    ],
)
def test_a_download_is_named_for_what_it_is(name: str, media_type: str, shown: str) -> None:
    assert download_name(name, media_type) == shown


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ("C:\\fakepath\\receipt.pdf", "receipt.pdf"),
        ("../../etc/passwd", "passwd"),
        ("/tmp/a.pdf", "a.pdf"),
        ("  größe 快递.pdf ", "größe 快递.pdf"),
    ],
)
def test_of_a_path_the_last_part_is_the_name(sent: str, kept: str) -> None:
    assert _names.validate_python(sent) == kept


@pytest.mark.parametrize(
    "sent",
    ["", " ", "a/", "..", "a\\..", "a\nb.pdf", "a\x00.pdf", "gpj.\u202eexe", "x" * 121, "\ud800.pdf"],
)  # fmt: skip
def test_what_is_no_name_is_refused(sent: str) -> None:
    with pytest.raises(ValidationError):
        _names.validate_python(sent)
