"""One control connection of a small FTP server, with the data connections beside it."""

import asyncio
import socket
import struct
from contextlib import suppress
from hashlib import sha256
from typing import Final

from storeroom.drivers._ftp.channel import on_its_way
from tests.servers._lying_ftp.state import State
from tests.servers.process import HOST

_MOMENT: Final = "20240203040506"
_ABORT: Final = struct.pack("ii", 1, 0)  # SO_LINGER, on, for no time: closing sends RST


class Session:
    """One control connection."""

    def __init__(
        self, state: State, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        self._state = state
        self._lies = state.lies
        self._reader = reader
        self._writer = writer
        self._verb = ""
        self._cwd = "/"
        self._start = 0
        self._from = ""
        self._data: asyncio.Server | None = None
        self._met: asyncio.Queue[tuple[asyncio.StreamReader, asyncio.StreamWriter]] = (
            asyncio.Queue()
        )

    async def close(self) -> None:
        self._forget()
        self._writer.transport.abort()
        with suppress(OSError):
            await self._writer.wait_closed()

    async def serve(self) -> None:
        await self.say("220 welcome")
        while line := await self._reader.readline():
            command = line.decode(errors="surrogateescape").rstrip("\r\n")
            verb, _, argument = command.partition(" ")
            self._state.said.append(command)
            self._verb = verb
            if self._lies.takes_one and self._reader._buffer:  # type: ignore[attr-defined]
                self._lies.lost += 1
                self._reader._buffer.clear()  # type: ignore[attr-defined]
            if not await self._answer(verb, argument):
                return
        return

    async def say(self, reply: str | bytes) -> None:
        raw = reply if isinstance(reply, bytes) else f"{reply}\r\n".encode()
        if self._verb in self._lies.twice and not raw.startswith(b"1"):
            raw += raw
        pieces = [raw[at : at + 1] for at in range(len(raw))] if self._lies.scattered else [raw]
        for piece in pieces:
            self._writer.write(piece)
            await self._writer.drain()
            if self._lies.scattered:
                await asyncio.sleep(0)

    async def _answer(self, verb: str, argument: str) -> bool:
        """Whether the session goes on."""
        lies = self._lies
        if verb in lies.silent:
            return True
        if lies.strict and self._from and verb != "RNTO":
            await self.say("501 Bad sequence of commands")
            return True
        if verb in lies.slow:
            await asyncio.sleep(lies.slow[verb])
        if verb in lies.leaving:
            lies.leaving.remove(verb)
            await self.say("421 Service not available, closing control connection.")
            return False
        answer = lies.answers.get(f"{verb} {argument}", lies.answers.get(verb))
        if answer is not None:
            await self.say(answer)
            return True
        work = getattr(self, f"do_{verb.lower()}", None)
        if verb in lies.lacks or work is None:
            await self.say("502 Command not implemented.")
            return True
        is_last = verb == "QUIT"
        if verb in lies.losing:
            lies.losing.remove(verb)
            self.say = self._mute  # type: ignore[method-assign]
            is_last = True
        if verb in lies.before:
            lies.before[verb]()
        await work(argument)
        if verb in lies.after:
            lies.after[verb]()
        return not is_last

    async def _mute(self, reply: str | bytes) -> None:
        """Only that something begins."""
        if isinstance(reply, str) and reply.startswith("1"):
            await Session.say(self, reply)

    def _path(self, argument: str) -> str:
        whole = argument if argument.startswith("/") else f"{self._cwd}/{argument}"
        path = "/" + "/".join(part for part in whole.split("/") if part)
        for link, target in self._lies.links.items():
            if path == link or path.startswith(f"{link}/"):
                return target + path.removeprefix(link)
        return path

    async def do_user(self, argument: str) -> None:
        await self.say("331 Password required.")

    async def do_pass(self, argument: str) -> None:
        await self.say("230 Logged in.")

    async def do_feat(self, argument: str) -> None:
        lines = "".join(f" {name}\r\n" for name in self._lies.features)
        await self.say(f"211-Features:\r\n{lines}211 End".encode() + b"\r\n")

    async def do_type(self, argument: str) -> None:
        await self.say("200 Type set.")

    do_noop = do_opts = do_pbsz = do_prot = do_type

    async def do_pwd(self, argument: str) -> None:
        await self.say(f'257 "{self._cwd}"')

    async def do_quit(self, argument: str) -> None:
        await self.say("221 Goodbye.")

    async def do_cwd(self, argument: str) -> None:
        path = self._path(argument)
        if path not in self._state.folders:
            return await self.say("550 Failed to change directory.")
        self._cwd = path
        return await self.say("250 Directory changed.")

    async def do_rest(self, argument: str) -> None:
        self._start = int(argument)
        await self.say("350 Restarting.")

    async def do_epsv(self, argument: str) -> None:
        await self.say(f"229 Extended passive mode (|||{await self._listening()}|)")

    async def do_pasv(self, argument: str) -> None:
        port = await self._listening()
        host = self._lies.pasv_host.replace(".", ",")
        await self.say(f"227 Entering passive mode ({host},{port >> 8},{port & 255}).")

    async def _listening(self) -> int:
        self._forget()
        queue = self._met = asyncio.Queue()

        async def met(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            self._state.met += 1
            if queue is self._met and not self._writer.is_closing():
                queue.put_nowait((reader, writer))
            else:
                writer.transport.abort()

        self._data = await asyncio.start_server(met, HOST, 0, ssl=self._state.context)
        port: int = self._data.sockets[0].getsockname()[1]
        return self._lies.data_port or port

    def _forget(self) -> None:
        """Data connections that nothing was asked for."""
        if self._data is not None:
            self._data.close()
        while not self._met.empty():
            _, writer = self._met.get_nowait()
            writer.transport.abort()

    async def do_size(self, argument: str) -> None:
        data = self._state.files.get(self._path(argument))
        if data is None:
            return await self.say("550 Could not get file size.")
        return await self.say(f"213 {len(data) + self._lies.size_off}")

    async def do_mdtm(self, argument: str) -> None:
        path = self._path(argument)
        stamp, _, rest = argument.partition(" ")
        if (
            path not in self._state.files
            and stamp.isdecimal()
            and self._path(rest) in self._state.files
        ):
            self._state.times[self._path(rest)] = stamp
            return await self.say("213 File modification time set.")
        if path not in self._state.files:
            return await self.say("550 Could not get file modification time.")
        return await self.say(f"213 {self._state.times.get(path, _MOMENT)}")

    async def do_mlst(self, argument: str) -> None:
        path = self._path(argument)
        facts = self._facts(path)
        if facts is None:
            return await self.say("550 No such file or directory.")
        return await self.say(f"250-Listing\r\n {facts} {path}\r\n250 End".encode() + b"\r\n")

    def _facts(self, path: str) -> str | None:
        if path in self._state.folders or path in self._lies.links:
            return f"type=dir;modify={_MOMENT};"
        data = self._state.files.get(path)
        if data is None:
            return None
        size, mode = len(data) + self._lies.size_off, self._state.modes.get(path, "0644")
        moment = self._state.times.get(path, _MOMENT)
        return f"type=file;size={size};modify={moment};unix.mode={mode};"

    async def do_mlsd(self, argument: str) -> None:
        path = self._path(argument)
        if path not in self._state.folders:
            return await self.say("550 No such directory.")
        lines = [f"{self._facts(at)} {at.rpartition('/')[2]}".encode() for at in self._inside(path)]
        return await self._send_lines(lines + self._lies.names)

    async def do_list(self, argument: str) -> None:
        if argument and argument != "-a":
            return await self.say("550 No such directory.")
        if self._lies.lines is not None:
            return await self._send_lines(self._lies.lines)
        dots = ["drwxr-xr-x 2 o g 0 Jan 01 00:00 ."] if argument else []
        lines = [self._line(at) for at in self._inside(self._cwd) if argument or "/." not in at]
        return await self._send_lines([line.encode() for line in dots + lines] + self._lies.names)

    async def do_nlst(self, argument: str) -> None:
        names = [at.rpartition("/")[2].encode() for at in self._inside(self._cwd)]
        await self._send_lines(names + self._lies.names)

    def _inside(self, folder: str) -> list[str]:
        everything = [*self._state.files, *(self._state.folders - {"/"}), *self._lies.links]
        return [at for at in everything if (at.rpartition("/")[0] or "/") == folder]

    def _line(self, path: str) -> str:
        name = path.rpartition("/")[2]
        if path in self._state.folders or path in self._lies.links:
            return f"drwxr-xr-x 2 owner group 4096 Jan 02 2024 {name}"
        return f"-rw-r--r-- 1 owner group {len(self._state.files[path])} Jan 02 2024 {name}"

    async def _send_lines(self, lines: list[bytes]) -> None:
        await self._send(b"".join(line + b"\r\n" for line in lines))

    async def do_retr(self, argument: str) -> None:
        data = self._state.files.get(self._path(argument))
        if data is None:
            return await self.say("550 Failed to open file.")
        start, self._start = self._start, 0
        return await self._send(self._lies.sends(data[start:]))

    async def _begin(self) -> None:
        for _ in range(self._lies.begins):
            await self.say("150 Here it comes.")

    async def _end(self, writer: asyncio.StreamWriter) -> None:
        raw = writer.get_extra_info("socket")
        if self._lies.resets and self._state.context:
            writer.transport.abort()
        elif self._lies.resets:
            while on_its_way(raw):  # noqa: ASYNC110 - nothing tells
                await asyncio.sleep(0)
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
        writer.close()
        await asyncio.sleep(0)  # the socket is closed a turn later

    async def _send(self, data: bytes) -> None:
        await self._begin()
        _, writer = await self._met.get()
        cut, self._lies.cut_at = self._lies.cut_at, None
        with suppress(ConnectionError):
            writer.write(data if cut is None else data[:cut])
            await writer.drain()
        await self._end(writer)
        await self.say(self._lies.ends if cut is None else "426 Data connection broke.")

    async def do_stor(self, argument: str) -> None:
        await self._receive(self._path(argument), b"")

    async def do_appe(self, argument: str) -> None:
        path = self._path(argument)
        await self._receive(path, self._state.files.get(path, b""))

    async def _receive(self, path: str, before: bytes) -> None:
        if (
            path.rpartition("/")[0] or "/"
        ) not in self._state.folders or path in self._state.folders:
            return await self.say("553 Could not create file.")
        self._state.files[path] = before
        is_early = self._lies.resets and not self._state.context
        if self._lies.stops is not None and is_early:
            await self._end((await self._met.get())[1])
            await self._begin()
            return await self.say(self._lies.stops)
        await self._begin()
        reader, writer = await self._met.get()
        if self._lies.stops is not None:
            await self._end(writer)
            return await self.say(self._lies.stops)
        try:
            data = await reader.read(-1)
        except ConnectionError:
            return await self.say("426 Failure reading network stream.")
        finally:
            await self._end(writer)
        self._state.files[path] = before + (
            data[: len(data) // 2] if self._lies.keeps_half else data
        )
        return await self.say("226 Transfer complete.")

    async def do_dele(self, argument: str) -> None:
        gone = self._state.files.pop(self._path(argument), None)  # no link is deleted
        await self.say("550 Delete operation failed." if gone is None else "250 Deleted.")

    async def do_mkd(self, argument: str) -> None:
        path = self._path(argument)
        taken = path in self._state.files or path in self._state.folders
        if taken or (path.rpartition("/")[0] or "/") not in self._state.folders:
            return await self.say("550 Create directory operation failed.")
        self._state.folders.add(path)
        return await self.say(f'257 "{path}" created')

    async def do_rmd(self, argument: str) -> None:
        path = self._path(argument)
        if path not in self._state.folders or self._inside(path):
            return await self.say("550 Remove directory operation failed.")
        self._state.folders.discard(path)
        return await self.say("250 Removed.")

    async def do_rnfr(self, argument: str) -> None:
        path = self._path(argument)
        self._from = path if path in self._state.files else ""
        await self.say("350 Ready for RNTO." if self._from else "550 RNFR command failed.")

    async def do_rnto(self, argument: str) -> None:
        path, files = self._path(argument), self._state.files
        source, self._from = self._from, ""
        is_taken = path in self._state.folders or (path in files and not self._lies.replaces)
        has_no_folder = (path.rpartition("/")[0] or "/") not in self._state.folders
        if is_taken or has_no_folder or source not in files:
            return await self.say("550 Rename failed.")
        files[path] = files.pop(source)
        return await self.say("250 Rename successful.")

    async def do_site(self, argument: str) -> None:
        verb, mode, path = argument.split(" ", 2)
        if verb != "CHMOD" or "CHMOD" in self._lies.lacks:
            return await self.say("500 Unknown SITE command.")
        self._state.modes[self._path(path)] = mode
        return await self.say("200 SITE CHMOD command ok.")

    async def do_mfmt(self, argument: str) -> None:
        stamp, _, path = argument.partition(" ")
        self._state.times[self._path(path)] = stamp
        await self.say(f"213 Modify={stamp}; {path}")

    async def do_hash(self, argument: str) -> None:
        data = self._state.files[self._path(argument)]
        await self.say(f"213 SHA-256 0-{len(data)} {sha256(data).hexdigest().upper()} {argument}")

    async def do_xsha256(self, argument: str) -> None:
        data = self._state.files[self._path(argument.strip('"'))]
        await self.say(f"250 {sha256(data).hexdigest()}")
