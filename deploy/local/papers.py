"""Papers that a demo's customers upload: small, real, and each unlike every other."""

import io
from fractions import Fraction
from functools import cache
from uuid import uuid4

import av
from PIL import Image

FILM = "unboxing_video"
FRAMES_A_SECOND = 10


def paper(kind: str) -> bytes:
    """A film where that is the evidence, else a PDF that says what it is."""
    return _unlike_others(_film()) if kind == FILM else _pdf(f"{kind} {uuid4().hex}")


@cache
def _film() -> bytes:
    """A second of a parcel that is opened, in a way."""
    out = io.BytesIO()
    with av.open(out, "w", format="mp4") as container:
        stream = container.add_stream("mpeg4", rate=Fraction(FRAMES_A_SECOND))
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for number in range(FRAMES_A_SECOND):
            shade = (20 * number, 100, 100)
            picture = Image.new("RGB", (64, 48), shade)
            frame = av.VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return out.getvalue()


def _unlike_others(film: bytes) -> bytes:
    """With a box that every player skips (ISO 14496-12, `free`)."""
    mark = uuid4().hex.encode()
    return film + (8 + len(mark)).to_bytes(4, "big") + b"free" + mark


def _pdf(text: str) -> bytes:
    shown = f"BT /F1 12 Tf 20 50 Td ({text}) Tj ET"
    objects = (
        "<</Type/Catalog/Pages 2 0 R>>",
        "<</Type/Pages/Kids[3 0 R]/Count 1>>",
        "<</Type/Page/Parent 2 0 R/MediaBox[0 0 300 100]/Contents 4 0 R"
        "/Resources<</Font<</F1 5 0 R>>>>>>",
        f"<</Length {len(shown)}>>stream\n{shown}\nendstream",
        "<</Type/Font/Subtype/Type1/BaseFont/Helvetica>>",
    )
    paper, places = "%PDF-1.4\n", ""
    for number, one in enumerate(objects, start=1):
        places += f"{len(paper):010} 00000 n \n"
        paper += f"{number} 0 obj\n{one}\nendobj\n"
    size, start = len(objects) + 1, len(paper)
    paper += f"xref\n0 {size}\n0000000000 65535 f \n{places}"
    return f"{paper}trailer<</Size {size}/Root 1 0 R>>\nstartxref\n{start}\n%%EOF\n".encode()
