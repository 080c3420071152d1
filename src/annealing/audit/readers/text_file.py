"""A text file as whole lines in pieces of bounded size, whatever its encoding and line ends."""

from __future__ import annotations

import codecs
import gzip
import re
import zlib
from collections.abc import Callable, Iterator
from io import BufferedIOBase
from pathlib import Path

from ..log import LogError

Progress = Callable[[int, int], object]
PIECE = 1 << 20  # bytes read at once, and the longest line
COLOURS = re.compile(r"\x1b\[[0-9;]*[A-Za-z]")
MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


class TextFile:
    """One file of a log; progress(bytes read, bytes in all) is called after each piece, over all files."""

    def __init__(self, path: Path, before: int = 0, total: int = 0, progress: Progress | None = None) -> None:
        self.path, self.before, self.total, self.progress = path, before, total, progress
        self.repairs: list[str] = []
        self.open_end = False
        try:
            with path.open("rb") as file:
                self.packed = file.read(2) == b"\x1f\x8b"
            self.head = next(self._read(), b"")
        except OSError as error:
            raise LogError(f"{path}: {error.strerror or error}") from None
        if not self.head:
            what = "compressed, and damaged from the start" if self.repairs else "empty"
            raise LogError(f"{path}: the file is {what}; expected a log")

    def blocks(self) -> Iterator[bytes]:
        """The bytes of the file, unpacked, a piece at a time."""
        try:
            yield from self._read(self.progress)
        except OSError as error:
            raise LogError(f"{self.path}: {error.strerror or error}") from None

    def _read(self, progress: Progress | None = None) -> Iterator[bytes]:
        with self.path.open("rb") as raw:
            file: BufferedIOBase = gzip.GzipFile(fileobj=raw) if self.packed else raw
            while block := self._block(file):
                yield block
                if progress:
                    progress(self.before + raw.tell(), self.total)

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
        decoder = codecs.getincrementaldecoder(self.encoding())(errors="replace")
        for block in self.blocks():
            yield self._plain(decoder.decode(block))
        if rest := decoder.decode(b"", final=True):
            yield self._plain(rest)

    def pieces(self) -> Iterator[str]:
        """Whole lines in pieces of about 1 MiB; longer lines are left out."""
        rest, skipping = "", False
        for text in self.text():
            text = rest + text
            if skipping:
                _, newline, text = text.partition("\n")
                if not newline:
                    rest = ""
                    continue
                skipping = False
            cut = text.rfind("\n") + 1
            whole, rest = text[:cut], text[cut:]
            if len(rest) > PIECE:
                self.repair(f"a line longer than {PIECE:,} characters was left out")
                rest, skipping = "", True
            if whole:
                yield whole
        self.open_end = bool(rest)
        if rest:
            yield rest

    def sample(self) -> str:
        """The text at the start of the file, in whole lines."""
        text = self._plain(codecs.getincrementaldecoder(self.encoding())(errors="replace").decode(self.head))
        cut = text.rfind("\n") + 1
        return text[:cut] if cut and len(self.head) == PIECE else text

    def encoding(self) -> str:
        for mark, name in MARKS:
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
        sample = self.sample()[:65536]
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
        if "\x1b" in text:
            text = COLOURS.sub("", text)
        # Progress bars go back to the start of their line, so each of them is a line of its own.
        return text.replace("\r", "\n") if "\r" in text else text
