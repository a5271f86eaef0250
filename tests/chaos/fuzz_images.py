"""Images: odd in kind, size or suffix, cut off, damaged, or with a header that promises a billion pixels."""

import io
import struct
import zlib
from functools import cache
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from fuzz import Family, outcome, outcome_of_command
from PIL import Image
from sources import Source

from carcinosis_loc.annotations.images import SUFFIXES, image_size, list_images, read_image

SIZES = [(1, 1), (1, 20_000), (20_000, 1), (2, 3), (33, 20), (64, 64), (200, 300)]  # height, width
KINDS = ["1.png", "L.png", "LA.png", "RGB.png", "RGBA.png", "P.png", "P-transparent.png", "16.png", "16-RGB.png"]
KINDS += ["16-RGBA.png", "film.png", "film.gif", "P.gif", "film.webp", "RGB.webp", "RGBA.webp", "RGB.jpg", "L.jpg"]
KINDS += ["CMYK.jpg", "CMYK.tif", "RGB.tif", "16.tif", "F.tif", "I.tif", "LAB.tif", "film.tif", "lzw.tif", "RGB.bmp"]
KINDS += ["P.bmp", "RGB.ppm", "L.pgm", "RGB.jp2", "RGB.ico", "RGB.pcx", "text.svg", "ps.eps", "empty.png"]
EXIF = [
    b"",
    b"Exif\0\0MM\0*\0\0\0\x08\0\x01\x01\x12\0\x03\0\0\0\x01\0\x06\0\0\0\0\0\0",
    b"Exif\0\0II*\0\xff\xff\xff\xff",
    b"\0" * 9,
]


@cache
def encoded(kind: str, size: tuple[int, int]) -> bytes:
    """An image file, sound."""
    mode, suffix = kind.split(".")
    random = np.random.default_rng(0)
    if mode in ("text", "ps", "empty"):
        return {"text": b"<svg width='9' height='9'/>", "ps": b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"}.get(
            mode, b""
        )
    rgb = Image.fromarray(random.integers(0, 256, (*size, 3), dtype=np.uint8))
    out = io.BytesIO()
    if mode.startswith("16") and suffix == "png":
        channels = {"16": (), "16-RGB": (3,), "16-RGBA": (4,)}[mode]
        done, data = cv2.imencode(".png", random.integers(0, 2**16, (*size, *channels), dtype=np.uint16))
        return bytes(data) if done else b""
    if mode == "16":
        rgb = Image.fromarray(random.integers(0, 2**16, size, dtype=np.uint16))
    elif mode in ("1", "L", "LA", "RGBA", "CMYK", "F", "I", "LAB"):
        rgb = Image.fromarray(np.zeros((*size, 3), np.uint8), "LAB") if mode == "LAB" else rgb.convert(mode)
    elif mode.startswith("P"):
        rgb = rgb.quantize(16)
    options: dict[str, Any] = {"transparency": 3} if mode == "P-transparent" else {}
    if mode == "film":
        options = {"save_all": True, "append_images": [rgb.rotate(180), rgb.rotate(90)]}
    if mode == "lzw":
        options = {"compression": "tiff_lzw"}
    formats = {"jpg": "JPEG", "tif": "TIFF", "pgm": "PPM", "jp2": "JPEG2000"}
    try:
        rgb.save(out, formats.get(suffix, suffix.upper()), **options)
    except (OSError, ValueError, SystemError, RuntimeError):  # this format has no such size
        return encoded(kind, (33, 20)) if size != (33, 20) else b""
    return out.getvalue()


def promising(content: bytes, width: int, height: int) -> bytes:
    """The same file, whose header says another size; the checksum of a PNG's header is right."""
    if content.startswith(b"\x89PNG"):
        header = content[12:16] + struct.pack(">II", width % 2**31, height % 2**31) + content[24:29]
        return content[:12] + header + struct.pack(">I", zlib.crc32(header)) + content[33:]
    if content.startswith(b"GIF"):
        return content[:6] + struct.pack("<HH", width % 2**16, height % 2**16) + content[10:]
    if content.startswith(b"BM"):
        return content[:18] + struct.pack("<ii", width % 2**31, height % 2**31) + content[26:]
    if content[:2] in (b"P5", b"P6"):
        return content[:2] + f" {width} {height} 255\n".encode() + content[15:]
    start = content.find(b"\xff\xc0")
    if start > 0:  # JPEG
        return content[: start + 5] + struct.pack(">HH", height % 2**16, width % 2**16) + content[start + 9 :]
    return content


def chunked(content: bytes, source: Source) -> bytes:
    """A PNG with a further chunk: text that unpacks to much, a profile, EXIF data, an animation's control."""
    bomb = zlib.compress(b"\0" * source.pick([10, 10**6, 10**8]), 9)
    chunks = [(b"zTXt", b"a\0\0" + bomb), (b"iCCP", b"a\0\0" + bomb), (b"iTXt", b"a\0\1\0\0\0" + bomb)]
    chunks += [(b"eXIf", source.pick(EXIF)), (b"acTL", struct.pack(">II", 2**31 - 1, 0)), (b"tRNS", b"\0" * 300)]
    kind, data = source.pick([*chunks, (b"PLTE", b"\0"), (b"IDAT", b"junk")])
    chunk = struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
    return content[:33] + chunk + content[33:]


def images(source: Source) -> tuple[str, str, bytes]:
    """How the file is used, what it is called, and its content."""
    kind = source.pick(KINDS)
    content = encoded(kind, source.pick(SIZES))
    if content.startswith(b"\x89PNG") and source.one_in(8):
        content = chunked(content, source)
    if source.one_in(8):
        sides = [0, 1, 2**31 - 1, 65_500, 100_000, 13_000, 20_000]
        content = promising(content, source.pick(sides), source.pick(sides))
    content = source.damaged(content, one_in=2)
    suffix = source.pick(sorted(SUFFIXES)) if source.one_in(6) else f".{kind.split('.')[1]}"
    return source.pick(["read"] * 6 + ["folder", "mask", "picture"]), f"image{suffix}", content


def attempt(case: tuple[str, str, bytes], folder: Path) -> str:
    """Read the image alone, out of a folder, or make points out of it as a mask or with one."""
    how, name, content = case
    (folder / "images").mkdir()
    path = folder / "images" / name
    path.write_bytes(content)
    if how in ("mask", "picture"):
        (folder / "masks").mkdir()
        other = encoded("L.png", (33, 20))
        (folder / "masks" / f"image{path.suffix if how == 'mask' else '.png'}").write_bytes(
            content if how == "mask" else other
        )
        if how == "mask":
            path.unlink()
            (folder / "images" / "image.png").write_bytes(encoded("RGB.png", (33, 20)))
        words = ["masks2points", str(folder / "images"), str(folder / "out"), "--mask-dir", str(folder / "masks")]
        ended = outcome_of_command(words)
        assert (folder / "out").exists() == (ended == "success"), "half a result"
        return ended
    read: list[Any] = []
    given = list_images(folder / "images") if how == "folder" and path.suffix in SUFFIXES else [path]
    ended = outcome(lambda: read.extend((image_size(given[0]), read_image(given[0]))))
    if len(read) == 2:
        assert read[1].dtype == np.uint8
        assert read[1].shape == (*read[0], 3), f"{read[0]} was promised, {read[1].shape} read"
    return ended


FAMILIES = [Family("images", images, attempt)]
