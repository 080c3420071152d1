"""A text file as whole lines in pieces of bounded size, whatever its encoding and line ends."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from functools import cached_property
from io import BufferedIOBase
from pathlib import Path

from ..log import LogError

Progress = Callable[[int, int], object]
PIECE = 1 << 20  # bytes read at once, and the longest line
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MARKS = {
    codecs.BOM_UTF8: "utf-8-sig",
    codecs.BOM_UTF32_LE: "utf-32",  # before UTF-16, whose mark it begins with
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class TextFile:
    """One file of a log; progress(bytes read, bytes in all) is called after each piece, over all files."""

    def __init__(self, path: Path, before: int = 0, total: int = 0, progress: Progress | None = None) -> None:
        self.path, self.before, self.total = path, before, total
        self.repairs: list[str] = []
        self.open_end = False  # whether the last piece, once it is read, ends without a line end
        self.progress: Progress | None = None
        self.head = next(self.blocks(), b"")  # a look ahead, which is no progress
        self.progress = progress
        if not self.head:
            what = "compressed, and damaged from the start" if self.repairs else "empty"
            raise LogError(f"{path}: the file is {what}; expected a log")

    def blocks(self) -> Iterator[bytes]:
        """The bytes of the file, unpacked, a piece at a time."""
        try:
            with self.path.open("rb") as raw:
                file: BufferedIOBase = gzip.GzipFile(fileobj=raw) if raw.peek(2)[:2] == b"\x1f\x8b" else raw
                while block := self._block(file):
                    yield block
                    if self.progress:
                        self.progress(self.before + raw.tell(), self.total)
        except OSError as error:
            raise LogError(f"{self.path}: {error.strerror or error}") from None

    def _block(self, file: BufferedIOBase) -> bytes:
        parts, size = list[bytes](), 0
        # read1 gives what was unpacked before the damage, where read would raise and lose it
        try:
            while size < PIECE and (part := file.read1(PIECE - size)):
                parts.append(part)
                size += len(part)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            self.repair("the compressed file is cut off or damaged; the rest was left out")
        return b"".join(parts)

    def text(self) -> Iterator[str]:
        """The text of the file in pieces, with a single newline at every line end."""
        return map(self._plain, codecs.iterdecode(self.blocks(), self._encoding(), errors="replace"))

    def pieces(self) -> Iterator[str]:
        """Whole lines in pieces of about 1 MiB; longer lines are left out."""
        rest, skipping = "", False
        for text in self.text():
            if skipping:
                _, newline, text = text.partition("\n")
                skipping = not newline
            whole, newline, rest = (rest + text).rpartition("\n")
            if len(rest) > PIECE:
                self.repair(f"a line longer than {PIECE:,} characters was left out")
                rest, skipping = "", True
            if newline:
                yield whole + newline
        self.open_end = bool(rest)
        if rest:
            yield rest

    @cached_property
    def sample(self) -> str:
        """The text at the start of the file, in whole lines."""
        text = self._plain(codecs.getincrementaldecoder(self._encoding())(errors="replace").decode(self.head))
        cut = text.rfind("\n") + 1
        return text[:cut] if cut and len(self.head) == PIECE else text

    def is_json(self) -> bool:
        return self.sample.lstrip().startswith(("{", "["))

    def _encoding(self) -> str:
        for mark, name in MARKS.items():
            if self.head.startswith(mark):
                return name
        # UTF-16 without a mark: every other byte of plain letters is zero
        zeros = self.head[:4096].count(0)
        if zeros * 3 > len(self.head[:4096]) and len(self.head) > 1:
            odd = self.head[1:4096:2].count(0)
            return "utf-16-le" if odd * 2 > zeros else "utf-16-be"
        return "utf-8"

    def check_text(self) -> None:
        """Raise an error if the file does not start as text."""
        sample = self.sample[:65536]
        strange = sum(sample.count(chr(code)) for code in range(32) if code not in (8, 9, 10, 12, 27))
        # Bytes that are not UTF-8 may be letters of any other encoding, such as GBK; control characters never are.
        if strange * 20 > len(sample):
            what = "compressed; unpack it first" if self.head[:2] == b"PK" else "not text"
            raise LogError(f"{self.path}: the file is {what}; expected a log as text, or a TensorBoard event file")

    def repair(self, sentence: str) -> None:
        if sentence not in self.repairs:
            self.repairs.append(sentence)

    def _plain(self, text: str) -> str:
        # A run that was killed can leave zeros where its last block was never written.
        if "\0" in text:
            self.repair("zero bytes were removed")
            text = text.replace("\0", "")
        # Progress bars go back to the start of their line, so each of them is a line of its own.
        return COLOURS.sub("", text).replace("\r", "\n")
