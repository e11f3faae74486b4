"""Files are read to their end, in a process that may die of them; what is foreign in them is found."""

import asyncio
import io
import os
import signal
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import av
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from PIL import Image
from pypdf import PdfReader, PdfWriter

from libs.common.decoding.decoder import Decoder, decoder
from libs.common.decoding.facts import Facts, Limits
from libs.common.decoding.images import MAX_PIXELS
from libs.common.decoding.papers import MAX_PAGES
from libs.common.errors import Invalid, Refusal
from libs.common.filetypes import (
    ActiveContent,
    FileTooComplex,
    PolyglotFile,
    UnknownFileType,
    UnreadableFile,
    media_type_of,
)
from tests.files import PDF, a_pdf, a_picture, a_video, pdf_of

FILES = {
    "application/pdf": PDF,
    "image/jpeg": a_picture("JPEG"),
    "image/png": a_picture("PNG"),
    "image/webp": a_picture("WEBP"),
    "video/mp4": a_video("mp4"),
    "video/mp4 with its index in front": a_video("mp4", tail="movflags=faststart"),
    "video/quicktime": a_video("mov"),
    "video/webm": a_video("webm"),
    "video/webm as it is recorded": a_video("webm", tail="live=1"),
}
PAGE = b"<html><script>alert(document.domain)</script></html>"


async def examine(content: bytes, by: Decoder | None = None) -> Facts:
    with tempfile.TemporaryFile() as file:
        file.write(content)
        file.flush()
        return await (by or decoder()).examine(file, media_type_of(content[:4096]))


async def refused(content: bytes, kind: type[Refusal], by: Decoder | None = None) -> str:
    with pytest.raises(kind) as refusal:
        await examine(content, by)
    return refusal.value.detail


def an_archive(comment: bytes = b"") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("run.js", "alert(1)")
        archive.comment = comment
    return out.getvalue()


def chunk(kind: bytes, content: bytes) -> bytes:
    checked = kind + content
    return struct.pack(">I", len(content)) + checked + struct.pack(">I", zlib.crc32(checked))


def a_png_with(extra: bytes) -> bytes:
    """Before its picture data."""
    png = a_picture("PNG")
    at = png.index(b"IDAT") - 4
    return png[:at] + extra + png[at:]


def an_animation(width: int, height: int, *, frames: int) -> bytes:
    """A PNG whose every frame is as large, in the filter that is slowest to undo (Paeth)."""
    plain = zlib.compress((b"\x04" + bytes(width * 3)) * height, 1)
    out = b"\x89PNG\r\n\x1a\n"
    out += chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0))
    out += chunk(b"acTL", struct.pack(">II", frames, 0))
    for number in range(frames):
        place = struct.pack(">IIIII", max(0, 2 * number - 1), width, height, 0, 0)
        out += chunk(b"fcTL", place + struct.pack(">HHBB", 1, 10, 0, 0))
        content = plain if number == 0 else struct.pack(">I", 2 * number) + plain
        out += chunk(b"IDAT" if number == 0 else b"fdAT", content)
    return out + chunk(b"IEND", b"")


def deflated_zeros(count: int) -> bytes:
    packer = zlib.compressobj(9)
    parts = [packer.compress(bytes(1_000_000)) for _ in range(count // 1_000_000)]
    return b"".join(parts) + packer.flush()


# --- what is taken ---------------------------------------------------------------------------


@pytest.mark.parametrize("name", FILES)
async def test_a_file_is_described_by_its_content(name: str) -> None:
    facts = await examine(FILES[name])

    if name.startswith("application"):
        assert facts == Facts(pages=1)
    elif name.startswith("image"):
        assert facts == Facts(width=8, height=8)
    else:
        assert facts == Facts(width=64, height=48, duration_ms=1_000)


async def test_pages_pixels_and_milliseconds_are_counted() -> None:
    assert (await examine(a_pdf(pages=7))).pages == 7
    assert await examine(a_picture("JPEG", 640, 480)) == Facts(width=640, height=480)
    film = await examine(a_video("mp4", frames=25, width=320, height=240))
    assert film == Facts(width=320, height=240, duration_ms=2_500)


async def test_what_cameras_put_behind_a_picture_is_of_the_picture() -> None:
    picture = a_picture("JPEG")
    for more in (
        a_picture("JPEG", 4, 4),
        a_video("mp4"),
        b"\x01\x0a\x0e\x00maker-SEFT",
        bytes(64),
    ):
        assert await examine(picture + more) == Facts(width=8, height=8)


async def test_a_paper_that_opens_without_a_password_is_read() -> None:
    assert (await examine(locked(user_password=""))).pages == 1


# --- what is cut off or damaged --------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FILES if "recorded" not in name])
async def test_a_truncated_file_is_unreadable(name: str) -> None:
    content = FILES[name]
    cuts = [len(content) * tenths // 10 for tenths in range(3, 10)]
    for cut in [*cuts, len(content) - 7]:
        await refused(content[:cut], UnreadableFile)


async def test_a_film_whose_pictures_are_missing_is_unreadable() -> None:
    """Its index is in front and its box is as long as it says: only reading it shows it."""
    film = a_video("mp4", frames=60, tail="movflags=faststart")
    at = film.index(b"mdat") + 4
    await refused(film[:at] + bytes(len(film) - at), UnreadableFile)
    # Its first pictures are there, and its last ones are not.
    middle = (at + len(film)) // 2
    await refused(film[:middle] + bytes(len(film) - middle), UnreadableFile)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.data())
async def test_a_damaged_file_is_read_or_refused_and_never_our_fault(
    data: st.DataObject,
) -> None:
    content = bytearray(FILES[data.draw(st.sampled_from(sorted(FILES)))])
    for _ in range(data.draw(st.integers(1, 8))):
        at = data.draw(st.integers(12, len(content) - 1))
        content[at] = data.draw(st.integers(0, 255))
    with suppress(Invalid, UnknownFileType):
        await examine(bytes(content))


async def test_a_locked_paper_is_unreadable() -> None:
    assert "password" in await refused(locked(user_password="secret"), UnreadableFile)


async def test_a_paper_without_pages_is_unreadable() -> None:
    await refused(a_pdf(pages=0), UnreadableFile)


async def test_sound_alone_is_no_film() -> None:
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("aac", rate=44_100)
        frame = av.AudioFrame(format="fltp", layout="stereo", samples=1024)
        frame.sample_rate = 44_100
        for plane in frame.planes:
            plane.update(bytes(plane.buffer_size))
        container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    await refused(out.getvalue(), UnknownFileType)


# --- what is too much ------------------------------------------------------------------------


async def test_a_pixel_flood_is_too_complex() -> None:
    flood = bytearray(a_picture("PNG"))
    header = b"IHDR" + struct.pack(">II", 100_000, 100_000) + bytes(flood[24:29])
    flood[12:33] = header + struct.pack(">I", zlib.crc32(header))

    assert "10000000000 pixels" in await refused(bytes(flood), FileTooComplex)


async def test_a_picture_at_the_limit_is_read_and_one_beyond_is_not() -> None:
    side = 8_000
    assert side * side == MAX_PIXELS
    assert (await examine(a_picture("JPEG", side, side))).width == side
    await refused(a_picture("JPEG", side, side + 1), FileTooComplex)


async def test_a_zip_bomb_in_a_pictures_text_is_too_complex() -> None:
    text = chunk(b"zTXt", b"Comment\x00\x00" + deflated_zeros(50_000_000))
    await refused(a_png_with(text), FileTooComplex)


async def test_a_zip_bomb_in_a_paper_is_too_complex() -> None:
    bomb = deflated_zeros(200_000_000)
    content = b"<</Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (len(bomb), bomb)
    paper = pdf_of(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Contents 4 0 R>>",
        content,
    )
    assert len(paper) < 300_000
    await refused(paper, FileTooComplex)


async def test_a_picture_in_a_paper_that_floods_is_too_complex() -> None:
    paper = pdf_of(
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 9 9]/Resources<</XObject<</I 4 0 R>>>>>>",
        "<</Subtype/Image/Width 100000/Height 100000/Length 0>>stream\n\nendstream",
    )
    await refused(paper, FileTooComplex)


async def test_too_many_pages_or_frames_are_too_complex() -> None:
    assert (await examine(a_pdf(pages=MAX_PAGES))).pages == MAX_PAGES
    await refused(a_pdf(pages=MAX_PAGES + 1), FileTooComplex)
    frames = [Image.new("RGB", (4, 4), (shade, 0, 0)) for shade in range(201)]
    out = io.BytesIO()
    frames[0].save(out, "WEBP", save_all=True, append_images=frames[1:], lossless=True)
    await refused(out.getvalue(), FileTooComplex)


async def test_a_film_too_long_or_too_large_is_too_complex() -> None:
    assert "30 minutes" in await refused(a_film_of(minutes=31), FileTooComplex)
    assert (await examine(a_film_of(minutes=29))).duration_ms == 29 * 60_000
    await refused(a_video("mp4", frames=1, width=4_100, height=2_400), FileTooComplex)


async def test_a_file_that_takes_too_much_memory_is_too_complex() -> None:
    small = Decoder(Limits(memory_bytes=320 * 1024 * 1024))
    await refused(a_picture("PNG", 8_000, 8_000), FileTooComplex, small)
    small.close()


@pytest.mark.parametrize("limits", [Limits(cpu_seconds=1), Limits(wall_seconds=1)])
async def test_a_file_that_takes_too_long_is_unreadable_and_the_next_one_is_not(
    limits: Limits,
) -> None:
    hasty = Decoder(limits)
    await refused(an_animation(8_000, 8_000, frames=4), UnreadableFile, hasty)
    assert await examine(a_picture(), hasty) == Facts(width=8, height=8)
    hasty.close()


# --- what is two things at once --------------------------------------------------------------


@pytest.mark.parametrize("name", [name for name in FILES if "recorded" not in name])
async def test_a_file_with_another_behind_it_is_a_polyglot(name: str) -> None:
    for foreign in (an_archive(), PAGE, b"\n/*<script>*/"):
        await refused(FILES[name] + foreign, PolyglotFile)


async def test_an_archive_behind_a_live_recording_is_found_too() -> None:
    await refused(FILES["video/webm as it is recorded"] + an_archive(), PolyglotFile)


async def test_a_polyglot_whose_parts_both_end_where_the_file_ends_is_found() -> None:
    """The archive's comment is the picture's own end."""
    end = chunk(b"IEND", b"")
    archive = an_archive(comment=b"\x00\x00\x00\x00" + end)[: -len(end)]
    picture = a_picture("PNG").removesuffix(end) + chunk(b"tEXt", archive[:-4])[:-4]
    await refused(picture + archive[-4:] + end, PolyglotFile)


async def test_a_page_in_the_first_bytes_is_found() -> None:
    comment = b"\xff\xfe" + struct.pack(">H", len(PAGE) + 2) + PAGE
    picture = a_picture("JPEG")
    await refused(picture[:2] + comment + picture[2:], PolyglotFile)
    await refused(PDF.replace(b"%PDF-1.7\n", b"%PDF-1.7\n%" + PAGE + b"\n"), PolyglotFile)


async def test_a_camera_like_trailer_with_a_page_in_it_is_a_polyglot() -> None:
    picture = a_picture("JPEG")
    await refused(picture + a_picture("JPEG") + PAGE, PolyglotFile)
    await refused(picture + PAGE + b"SEFT", PolyglotFile)


# --- what would act --------------------------------------------------------------------------

SCRIPT = "<</S/JavaScript/JS(app.alert\\(1\\))>>"


@pytest.mark.parametrize(
    "catalog",
    [
        f"/OpenAction{SCRIPT}",
        f"/AA<</WC{SCRIPT}>>",
        "/Names<</JavaScript<</Names[(a) 3 0 R]>>>>",
        "/OpenAction<</S/Launch/F(cmd.exe)>>",
    ],
)
async def test_a_paper_that_acts_when_it_is_opened_is_refused(catalog: str) -> None:
    await refused(a_pdf(catalog=catalog), ActiveContent)


async def test_a_paper_whose_page_or_button_acts_is_refused_and_one_with_links_is_not() -> None:
    def paper(more: str) -> bytes:
        return a_pdf().replace(b"/Contents 3 0 R", b"/Contents 3 0 R" + more.encode())

    await refused(paper(f"/AA<</O{SCRIPT}>>"), ActiveContent)
    await refused(paper("/Annots[<</Subtype/Link/A<</S/Launch/F(a.exe)>>>>]"), ActiveContent)
    link = "/Annots[<</Subtype/Link/A<</S/URI/URI(https://example.invalid)>>>>]"
    assert (await examine(paper(link))).pages == 1
    assert (await examine(a_pdf(catalog="/OpenAction[4 0 R/Fit]"))).pages == 1


# --- the process apart -----------------------------------------------------------------------


@pytest.fixture
def own() -> Iterator[Decoder]:
    made = Decoder()
    yield made
    made.close()


async def test_a_helper_that_died_is_started_anew(own: Decoder) -> None:
    await examine(PDF, own)
    assert own._helper is not None
    first = own._helper.pid
    os.kill(first, signal.SIGKILL)
    own._helper.wait()

    assert (await examine(PDF, own)).pages == 1
    assert own._helper.pid != first


async def test_the_helper_knows_nothing_of_our_environment(
    own: Decoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "a secret")
    await examine(PDF, own)
    assert own._helper is not None

    assert environment_of(own._helper.pid) == f"PATH={os.defpath}\0".encode()


async def test_a_small_file_does_not_wait_for_a_large_one(own: Decoder) -> None:
    await examine(PDF, own)
    large = asyncio.create_task(examine(a_picture("PNG", 8_000, 8_000), own))
    small = asyncio.create_task(examine(PDF, own))

    done, _ = await asyncio.wait({large, small}, return_when=asyncio.FIRST_COMPLETED)

    assert done == {small}
    await large


def test_who_reads_a_file_can_write_none(tmp_path: Path) -> None:
    code = (
        "from libs.common.decoding import worker; from libs.common.decoding.facts import Limits; "
        "import os; worker._confine(Limits()); "
        f"os.write(os.open({str(tmp_path / 'out')!r}, os.O_WRONLY | os.O_CREAT), b'x')"
    )
    ended = subprocess.run([sys.executable, "-c", code], check=False)

    assert ended.returncode == 1
    assert (tmp_path / "out").read_bytes() == b""


def environment_of(pid: int) -> bytes:
    return Path(f"/proc/{pid}/environ").read_bytes()


def locked(*, user_password: str) -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(PDF)))
    writer.encrypt(user_password, "the owner's", algorithm="AES-256")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def a_film_of(*, minutes: int) -> bytes:
    """A picture a minute."""
    out = io.BytesIO()
    with av.open(out, "w", format="webm") as container:
        stream = container.add_stream("libvpx", rate=1)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for second in range(0, minutes * 60, 60):
            frame = av.VideoFrame.from_image(Image.new("RGB", (64, 48)))
            frame.pts = second
            container.mux(stream.encode(frame))
        last = av.VideoFrame.from_image(Image.new("RGB", (64, 48)))
        last.pts = minutes * 60 - 1
        container.mux(stream.encode(last))
        container.mux(stream.encode(None))
    return out.getvalue()
