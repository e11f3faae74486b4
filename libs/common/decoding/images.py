"""Pictures, decoded to the last pixel of the last frame."""

from typing import IO, Final

from PIL import Image, JpegImagePlugin, PngImagePlugin, WebPImagePlugin

from libs.common.decoding.facts import Facts
from libs.common.filetypes import FileTooComplex, UnreadableFile

MAX_PIXELS: Final = 64_000_000
MAX_FRAMES: Final = 200
# Of all frames of an animation together.
MAX_PIXELS_IN_ALL: Final = 4 * MAX_PIXELS

_FORMATS: Final = {
    "image/jpeg": JpegImagePlugin.JpegImageFile.format,
    "image/png": PngImagePlugin.PngImageFile.format,
    "image/webp": WebPImagePlugin.WebPImageFile.format,
}


def prepare() -> None:
    """Our own limit is the one that counts, and it is asked before anything is decoded."""
    Image.MAX_IMAGE_PIXELS = None
    Image.preinit()


def examine(file: IO[bytes], media_type: str) -> Facts:
    try:
        with Image.open(file, formats=[str(_FORMATS[media_type])]) as image:
            width, height = image.size
            _must_be_simple(width * height, _frames(image))
            for frame in range(_frames(image)):
                image.seek(frame)
                image.load()
    except (OSError, SyntaxError, EOFError, ValueError) as wrong:
        if "too large" in str(wrong):
            raise FileTooComplex(
                "A text in the picture unfolds to too much. Save it without."
            ) from None
        raise UnreadableFile(
            "The picture is damaged or cut off. Send the original once more."
        ) from None
    return Facts(width=width, height=height)


def _frames(image: Image.Image) -> int:
    """Of a JPEG the first picture is the picture; what cameras put behind it are previews."""
    return (
        1 if isinstance(image, JpegImagePlugin.JpegImageFile) else getattr(image, "n_frames", 1)
    )


def _must_be_simple(pixels: int, frames: int) -> None:
    if pixels > MAX_PIXELS:
        raise FileTooComplex(
            f"It says that it has {pixels} pixels; a picture has at most {MAX_PIXELS}. Send it smaller."
        )
    if frames > MAX_FRAMES or frames * pixels > MAX_PIXELS_IN_ALL:
        raise FileTooComplex(
            f"It is an animation of {frames} frames; send a film, or at most {MAX_FRAMES} frames and "
            f"{MAX_PIXELS_IN_ALL} pixels in all."
        )
