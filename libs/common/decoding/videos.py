"""Films: every packet read, the first picture and the last ones decoded."""

from fractions import Fraction
from time import process_time
from typing import IO, Any, Final

import av
from av.error import FFmpegError

from libs.common.decoding.facts import Facts
from libs.common.filetypes import FileTooComplex, UnknownFileType, UnreadableFile

MAX_DURATION_MS: Final = 30 * 60 * 1_000
# 4096 x 2304: cinema's 4K.
MAX_FRAME_PIXELS: Final = 9_437_184
MAX_PACKETS: Final = 500_000
# From the last whole picture on: this many are decoded, and no more than this takes.
MAX_LAST_PACKETS: Final = 600
DECODING_CPU_SECONDS: Final = 12
# By how much a track may end before it says.
TOLERANCE_MS: Final = 2_000

_FORMATS: Final = {
    "video/mp4": "mov",
    "video/quicktime": "mov",
    "video/webm": "matroska",
}


def prepare() -> None:
    av.logging.set_level(None)


def examine(file: IO[bytes], media_type: str) -> Facts:
    try:
        # The format by name: a playlist that names other files is none of them.
        with av.open(file, format=_FORMATS[media_type], metadata_errors="ignore") as container:
            return _examine(container)
    except (FFmpegError, ValueError):
        raise _damaged() from None


def _examine(container: Any) -> Facts:
    stream = _stream(container)
    _must_fit(stream.width * stream.height)
    declared_ms = 0 if container.duration is None else container.duration // 1_000
    _must_be_short(declared_ms)
    first, last, seen_ms = _read(container, stream)
    _must_fit(first.width * first.height)
    _must_be_short(seen_ms)
    if not _has_pictures(stream, last):
        raise _damaged()
    if stream.duration is not None and seen_ms + TOLERANCE_MS < _ms(
        stream.duration, stream.time_base
    ):
        raise _damaged()
    return Facts(width=first.width, height=first.height, duration_ms=max(declared_ms, seen_ms))


def _stream(container: Any) -> Any:
    if not container.streams.video:
        raise UnknownFileType("It holds no picture, only sound or text. Send the film itself.")
    stream = container.streams.video[0]
    if stream.codec_context is None:
        raise UnknownFileType("The film is coded in a way that is not read here. Send H.264.")
    # Each thread keeps pictures of its own, and memory is bounded.
    stream.codec_context.thread_count = 1
    return stream


def _read(container: Any, stream: Any) -> tuple[Any, list[Any], int]:
    """The first picture, the packets since the last whole one, and where the film ends."""
    first, end_ms, start = None, 0, None
    last: list[Any] = []
    for number, packet in enumerate(container.demux(stream)):
        if number > MAX_PACKETS:
            raise FileTooComplex(f"A film has at most {MAX_PACKETS} pictures. Send it shorter.")
        if packet.pts is None:
            continue
        if first is None:
            first = next(iter(packet.decode()), None)
        if packet.is_keyframe:
            last = []
        if len(last) <= MAX_LAST_PACKETS:
            last.append(packet)
        start = packet.pts if start is None else min(start, packet.pts)
        end_ms = max(end_ms, _ms(packet.pts - start + (packet.duration or 0), packet.time_base))
    if first is None:
        first = next(iter(stream.codec_context.decode(None)), None)
    if first is None:
        raise _damaged()
    return first, last, end_ms


def _has_pictures(stream: Any, packets: list[Any]) -> bool:
    """Whether the last packets decode, as far as that is to be had for little."""
    if not packets or len(packets) > MAX_LAST_PACKETS:
        return True
    codec = stream.codec_context
    codec.flush_buffers()
    count = 0
    for packet in packets:
        count += len(codec.decode(packet))
        if process_time() > DECODING_CPU_SECONDS:
            return True
    return count + len(codec.decode(None)) > 0


def _must_fit(pixels: int) -> None:
    if pixels > MAX_FRAME_PIXELS:
        raise FileTooComplex(
            f"A film has at most {MAX_FRAME_PIXELS} pixels in a picture, as 4K has. Save it smaller."
        )


def _must_be_short(duration_ms: int) -> None:
    if duration_ms > MAX_DURATION_MS:
        raise FileTooComplex(
            f"A film takes at most {MAX_DURATION_MS // 60_000} minutes. Send the part that matters."
        )


def _ms(ticks: int, time_base: Fraction) -> int:
    return int(ticks * time_base * 1_000)


def _damaged() -> UnreadableFile:
    return UnreadableFile("The film is damaged or cut off. Send the original once more.")
