"""PDFs: opened, their pages counted and their contents unpacked; nothing in them may act."""

from collections.abc import Iterator
from typing import IO, Any, Final

from pypdf import PdfReader
from pypdf.errors import LimitReachedError, PyPdfError

from libs.common.decoding.facts import Facts
from libs.common.decoding.images import MAX_PIXELS
from libs.common.filetypes import ActiveContent, FileTooComplex, UnreadableFile

MAX_PAGES: Final = 500
# Of all pages' contents, unpacked.
MAX_CONTENT_BYTES: Final = 150_000_000
MAX_ACTIONS: Final = 1_000
# Actions that do more than turn a page or open an address (ISO 32000-2, 12.6.4).
_ACTING: Final = frozenset({"/JavaScript", "/Launch", "/ImportData", "/Rendition"})


def examine(file: IO[bytes]) -> Facts:
    try:
        reader = PdfReader(file)
        _must_open(reader)
        pages = _pages(reader)
        _must_be_still(reader, pages)
        _must_unpack(pages)
    except (LimitReachedError, RecursionError):
        raise _too_much() from None
    except (PyPdfError, OSError, ValueError, KeyError, TypeError, AttributeError, IndexError):
        # The parser answers what is broken in many ways.
        raise UnreadableFile(
            "The PDF is damaged or cut off. Print it to a PDF again, or send pictures of it."
        ) from None
    return Facts(pages=len(pages))


def _must_open(reader: PdfReader) -> None:
    if reader.is_encrypted and not reader.decrypt(""):
        raise UnreadableFile("The PDF asks for a password. Save it without one.")


def _pages(reader: PdfReader) -> list[Any]:
    root: Any = reader.root_object
    declared = int(root["/Pages"]["/Count"])
    if declared > MAX_PAGES or len(reader.pages) > MAX_PAGES:
        raise FileTooComplex(f"A PDF has at most {MAX_PAGES} pages. Send those that matter.")
    if not len(reader.pages):
        raise UnreadableFile("The PDF has no page. Print it to a PDF again.")
    return list(reader.pages)


def _must_be_still(reader: PdfReader, pages: list[Any]) -> None:
    for number, action in enumerate(_actions(reader, pages), start=1):
        if number > MAX_ACTIONS:
            raise _too_much()
        if action.get("/S") in _ACTING:
            raise ActiveContent(
                f"The PDF has an action of the kind {action['/S']}. Print it to a PDF, which leaves "
                "such things out."
            )


def _actions(reader: PdfReader, pages: list[Any]) -> Iterator[Any]:
    """Those of the document, of its pages and of what can be clicked; not yet all that follow."""
    root = reader.root_object
    if "/JavaScript" in root.get("/Names", {}):
        yield {"/S": "/JavaScript"}
    yield from _of(root)
    for page in pages:
        yield from _of(page)
        for annotation in page.get("/Annots", ()) or ():
            yield from _of(annotation.get_object())


def _of(holder: Any) -> Iterator[Any]:
    found = [holder.get("/OpenAction"), holder.get("/A")]
    extra = holder.get("/AA")
    if extra is not None:
        found += list(extra.get_object().values())
    for one in found:
        action = None if one is None else one.get_object()
        if isinstance(action, dict):
            yield action


def _must_unpack(pages: list[Any]) -> None:
    unpacked = 0
    for page in pages:
        contents = page.get_contents()
        unpacked += 0 if contents is None else len(contents.get_data())
        if unpacked > MAX_CONTENT_BYTES:
            raise _too_much()
        for picture in _pictures(page):
            if int(picture.get("/Width", 0)) * int(picture.get("/Height", 0)) > MAX_PIXELS:
                raise FileTooComplex(
                    f"A picture in the PDF has more than {MAX_PIXELS} pixels. Send it smaller."
                )


def _pictures(page: Any) -> Iterator[Any]:
    resources = page.get("/Resources")
    objects = None if resources is None else resources.get_object().get("/XObject")
    for one in () if objects is None else objects.get_object().values():
        if (found := one.get_object()).get("/Subtype") == "/Image":
            yield found


def _too_much() -> FileTooComplex:
    return FileTooComplex(
        f"The PDF unfolds to more than {MAX_CONTENT_BYTES} bytes, or to what has no end. Print it to "
        "a PDF again, or send pictures of it."
    )
