"""Small files that are what they say: pictures, papers and films that decode to the end."""

import io
import tempfile
from functools import cache
from pathlib import Path
from uuid import uuid4

import av
from PIL import Image


def a_pdf(text: str = "", *, pages: int = 1, catalog: str = "") -> bytes:
    """With a cross-reference table, as programs write them; `text` makes it differ from others."""
    content = f"BT 20 50 Td ({text}) Tj ET"
    kids = " ".join(f"{number} 0 R" for number in range(4, 4 + pages))
    page = "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 100]/Contents 3 0 R>>"
    return pdf_of(
        f"<</Type/Catalog/Pages 2 0 R{catalog}>>",
        f"<</Type/Pages/Kids[{kids}]/Count {pages}>>",
        f"<</Length {len(content)}>>stream\n{content}\nendstream",
        *[page] * pages,
    )


def pdf_of(*objects: str | bytes) -> bytes:
    """A PDF of these objects, numbered from 1; the first is its catalog."""
    out, places = b"%PDF-1.7\n", []
    for number, one in enumerate(objects, start=1):
        places.append(len(out))
        body = one if isinstance(one, bytes) else one.encode()
        out += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size, start = len(objects) + 1, len(out)
    return out + b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n<</Size %d/Root 1 0 R>>\n" % (
        size,
        table,
        size,
    ) + b"startxref\n%d\n%%%%EOF\n" % start  # fmt: skip


@cache
def a_picture(form: str = "PNG", width: int = 8, height: int = 8, **options: object) -> bytes:
    out = io.BytesIO()
    Image.new("RGB", (width, height), (200, 10, 10)).save(out, form, **options)
    return out.getvalue()


@cache
def a_video(
    form: str = "mp4", *, frames: int = 10, width: int = 64, height: int = 48, tail: str = ""
) -> bytes:
    """Ten pictures a second. `tail`: options of the container, such as movflags=faststart."""
    options = dict(pair.split("=") for pair in tail.split(",") if pair)
    codec = "libvpx" if form == "webm" else "mpeg4"
    # By a path: an index in front is put there by reading what was written.
    with tempfile.NamedTemporaryFile() as file:
        with av.open(file.name, "w", format=form, options=options) as container:
            stream = container.add_stream(codec, rate=10)
            stream.width, stream.height, stream.pix_fmt = width, height, "yuv420p"
            for number in range(frames):
                shade = (number * 20 % 255, 0, 0)
                frame = av.VideoFrame.from_image(Image.new("RGB", (width, height), shade))
                container.mux(stream.encode(frame))
            container.mux(stream.encode(None))
        return Path(file.name).read_bytes()


PDF = a_pdf()
PNG = a_picture()


def file_for(kind: str) -> bytes:
    """A file of that kind of evidence, unlike every other."""
    if kind != "unboxing_video":
        return a_pdf(f"{kind} {uuid4().hex}")
    # What stands in a free box is nobody's, and makes another file of it.
    mark = uuid4().hex.encode()
    return a_video() + (8 + len(mark)).to_bytes(4, "big") + b"free" + mark
