"""Configuration: where it is found, what it may say, and how a mistake in it is told."""

import logging
import os
import traceback
from collections.abc import Callable, Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol

import pytest
from pydantic import SecretStr

from storeroom import ConfigError, LocalDriver, MemoryDriver, Storage, StorageManager
from storeroom.config import Builder, disk_config, filesystems, from_url, look
from storeroom.config.sources import Found
from storeroom.contracts.values import Visible
from storeroom.layers.cache import Cache
from storeroom.layers.mirror import Mirror
from storeroom.layers.readonly import ReadOnly
from storeroom.layers.retry import Retry
from storeroom.layers.scoped import Scoped
from storeroom.layers.timeout import TimeLimit

SECRET = "hunter2-do-not-show"
KEY = "a signing key of enough bytes"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def written(here: Path) -> Callable[[str, str], Path]:
    def write(name: str, text: str) -> Path:
        path = here / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    return write


def manager(config: Mapping[str, Any] | str | Path | None = None) -> StorageManager:
    return StorageManager.isolated(config)


def refused(config: Any) -> str:
    with pytest.raises(ConfigError) as caught:
        manager(config)
    return str(caught.value)


def one(**disk: Any) -> dict[str, Any]:
    return {"disks": {"media": disk}}


def local_root(storage: StorageManager, name: str | None = None) -> str:
    return storage.disk(name).path("x").removesuffix("/x")


class TestWhereItIsFound:
    def test_the_environment_alone_is_enough(self, here: Path) -> None:
        storage = manager()
        assert local_root(storage) == str(here / "storage/app")
        assert storage.url("a b") == "/storage/a%20b"
        assert isinstance(storage.disk("memory").driver, MemoryDriver)
        assert storage.disk("s3").name == "s3"

    def test_variables_move_the_local_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("FILESYSTEM_ROOT", "/srv/files")
        monkeypatch.setenv("FILESYSTEM_URL", "https://cdn.test/files/")
        storage = manager()
        assert local_root(storage) == "/srv/files"
        assert storage.url("a") == "https://cdn.test/files/a"

    def test_variables_describe_an_s3_disk(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name, value in (
            ("AWS_BUCKET", "bucket"),
            ("AWS_DEFAULT_REGION", "eu-west-1"),
            ("AWS_ACCESS_KEY_ID", "id"),
            ("AWS_SECRET_ACCESS_KEY", SECRET),
            ("AWS_SESSION_TOKEN", SECRET),
            ("AWS_PROFILE", "work"),
            ("AWS_ENDPOINT", "https://minio.test"),
            ("AWS_URL", "https://cdn.test"),
            ("AWS_USE_PATH_STYLE_ENDPOINT", "true"),
        ):
            monkeypatch.setenv(name, value)
        s3 = filesystems(look()).disk("s3")
        assert s3.options == {
            "bucket": "bucket",
            "region": "eu-west-1",
            "key": SecretStr("id"),
            "secret": SecretStr(SECRET),
            "token": SecretStr(SECRET),
            "profile": "work",
            "endpoint": "https://minio.test",
            "url": "https://cdn.test",
            "use_path_style_endpoint": "true",
        }
        assert SECRET not in repr(s3)

    def test_the_more_specific_endpoint_wins(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AWS_ENDPOINT", "https://a.test")
        monkeypatch.setenv("AWS_ENDPOINT_URL", "https://b.test")
        assert filesystems(look()).disk("s3").options["endpoint"] == "https://a.test"

    def test_a_file_in_the_working_folder_is_taken(
        self, here: Path, written: Callable[[str, str], Path]
    ) -> None:
        written("filesystems.toml", "[disks.toml]\ndriver = 'local'\nroot = 'a'")
        assert local_root(manager(), "toml") == str(here / "a")
        written("config/filesystems.py", "FILESYSTEMS = {'disks': {'py': {'driver': 'memory'}}}")
        assert repr(manager().disk()) == "Disk('default')"
        assert manager().disk().name == "py"

    def test_a_variable_names_a_file_anywhere(
        self, here: Path, written: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        written("filesystems.toml", "[disks.here]\ndriver = 'memory'")
        path = written("else/where.toml", "[disks.there]\ndriver = 'local'\nroot = 'r'")
        for named in (str(path), "else/where.toml"):
            monkeypatch.setenv("STOREROOM_CONFIG", named)
            assert local_root(manager(), "there") == str(here / "else/r")

    def test_what_is_given_goes_before_all(
        self, written: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("STOREROOM_CONFIG", str(written("x.toml", "")))
        assert manager(one(driver="memory")).disk().name == "media"
        path = written("y.toml", "[disks.y]\ndriver = 'memory'")
        assert manager(path).disk().name == "y"
        assert manager(str(path)).disk().name == "y"

    def test_a_relative_root_starts_at_the_project_where_the_file_is_in_config(
        self, here: Path, written: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        text = "FILESYSTEMS = {'disks': {'local': {'driver': 'local', 'root': 'storage/app'}}}"
        path = written("config/filesystems.py", text)
        assert local_root(manager()) == str(here / "storage/app")
        (here / "sub").mkdir()
        monkeypatch.chdir(here / "sub")
        assert local_root(manager(path)) == str(here / "storage/app")

    def test_a_relative_root_is_taken_once(
        self, here: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        storage = manager(one(driver="local", root="a"))
        (here / "sub").mkdir()
        monkeypatch.chdir(here / "sub")
        assert local_root(storage) == str(here / "a")

    def test_a_python_file_may_use_its_own_name_and_paths(
        self, written: Callable[[str, str], Path]
    ) -> None:
        path = written(
            "settings.py",
            "from pathlib import Path\n"
            "HERE = Path(__file__).parent\n"
            "FILESYSTEMS = {'disks': {'m': {'driver': 'local', 'root': HERE / 'files'}}}",
        )
        assert local_root(manager(path)) == str(path.parent / "files")

    @pytest.mark.parametrize(
        ("name", "text", "reason"),
        [
            ("a.toml", "disks = [", "is not TOML"),
            ("a.py", "X = 1", "has no FILESYSTEMS"),
            ("a.py", "FILESYSTEMS = ['x']", "has no FILESYSTEMS"),
            ("a.json", "{}", "a .toml or a .py file"),
        ],
    )
    def test_a_file_that_is_none_is_named(
        self, written: Callable[[str, str], Path], name: str, text: str, reason: str
    ) -> None:
        message = refused(written(name, text))
        assert reason in message
        assert name in message
        assert "there is no configuration file" in refused("missing.toml")

    async def test_the_loop_does_not_wait_for_the_file(
        self, written: Callable[[str, str], Path]
    ) -> None:
        path = written(
            "filesystems.py",
            "import threading\n"
            "name = threading.current_thread().name\n"
            "FILESYSTEMS = {'disks': {'m': {'driver': 'memory', 'url': name}}}",
        )
        os.environ["STOREROOM_CONFIG"] = str(path)
        try:
            storage = manager()
            await storage.put("a", b"")
        finally:
            del os.environ["STOREROOM_CONFIG"]
        assert storage.url("a").startswith("storeroom")


class TestTheDefault:
    def test_it_is_named_or_local_or_the_only_one(self) -> None:
        two = {"local": {"driver": "memory"}, "a": {"driver": "memory"}}
        assert manager({"default": "a", "disks": two}).disk().name == "a"
        assert manager({"disks": two}).disk().name == "local"
        assert manager(one(driver="memory")).disk().name == "media"

    def test_without_any_it_is_asked_for(self) -> None:
        storage = manager({"disks": {"a": {"driver": "memory"}, "b": {"driver": "memory"}}})
        with pytest.raises(ConfigError, match="set `default` to one of: a, b"):
            _ = storage.disk().driver
        assert storage.disk("a").name == "a"
        with pytest.raises(ConfigError, match="none yet"):
            _ = manager({}).driver

    async def test_a_verb_tells_that_too(self) -> None:
        with pytest.raises(ConfigError, match="set `default`"):
            await manager({}).get("a")
        with pytest.raises(ConfigError, match="set `default`"):
            await manager({}).disk().get("a")

    def test_an_unknown_one_gets_the_nearest(self) -> None:
        assert "'meda' is not there; did you mean 'media'?" in refused(
            {"default": "meda", **one(driver="memory")}
        )

    def test_the_environment_beats_a_file(
        self, written: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = written(
            "x.toml", "default = 'a'\n[disks.a]\ndriver = 'memory'\n[disks.b]\ndriver = 'memory'"
        )
        monkeypatch.setenv("FILESYSTEM_DISK", "b")
        assert manager(path).disk().name == "b"
        monkeypatch.setenv("FILESYSTEM_DISK", "memory")
        assert manager().disk().name == "memory"
        monkeypatch.setenv("FILESYSTEM_DISK", "nowhere")
        assert "'nowhere' is not there" in refused(path)

    def test_the_environment_does_not_beat_the_program(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FILESYSTEM_DISK", "b")
        disks = {"a": {"driver": "memory"}, "b": {"driver": "memory"}}
        assert manager({"default": "a", "disks": disks}).disk().name == "a"
        assert manager({"disks": disks}).disk().name == "b"

    def test_the_environment_may_give_a_url(
        self, here: Path, written: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("FILESYSTEM_DISK", "local:///srv/a%20b?visibility=private")
        for source in (None, written("x.toml", "[disks.a]\ndriver = 'memory'")):
            storage = manager(source)
            assert storage.disk().name == "default"
            assert local_root(storage) == "/srv/a b"
        assert manager().disk("memory").name == "memory"


class TestToml:
    def test_placeholders_are_filled(
        self, written: Callable[[str, str], Path], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        path = written(
            "x.toml",
            """
            default = "${WHICH:-media}"
            signing_key = ["${SIGNING}", "the one before, also long"]
            [disks.media]
            driver = "local"
            root = "/srv/${TENANT}/files"
            url = "${BASE:-https://cdn.test}/x"
            read_only = "${READ_ONLY:-yes}"
            permissions = { file = { public = 0o640 } }
            """,
        )
        monkeypatch.setenv("TENANT", "t1")
        monkeypatch.setenv("SIGNING", KEY)
        monkeypatch.setenv("BASE", "")
        storage = manager(path)
        assert storage.url("a") == "https://cdn.test/x/a"
        assert isinstance(storage.driver, ReadOnly)
        with pytest.raises(ConfigError, match="WHICH"):
            manager(written("y.toml", "default = '${WHICH}'"))

    def test_a_missing_variable_is_named_with_its_place(
        self, written: Callable[[str, str], Path]
    ) -> None:
        path = written("x.toml", "[disks.media]\ndriver = 'local'\nroot = '${NOWHERE}'")
        assert f"{path}: disks: media: root: the variable NOWHERE is not set" in refused(
            path
        ).replace("'", "")

    @pytest.mark.parametrize(
        ("text", "read"),
        [
            ("$${HOME}", "${HOME}"),
            ("$HOME", "$HOME"),
            ("pa$$word", "pa$$word"),
            ("${}", "${}"),
            ("${A:-x}${B:-y}", "xy"),
            ("${A:-}", ""),
            ("${A:-a b/ü:1}", "a b/ü:1"),
        ],
    )
    def test_other_dollars_stay(
        self, written: Callable[[str, str], Path], text: str, read: str
    ) -> None:
        path = written("x.toml", f"[disks.media]\ndriver = 'memory'\nurl = '{text}'")
        assert manager(path).url("a") == f"{read}/a"


class TestMistakes:
    @pytest.mark.parametrize(
        ("config", "message"),
        [
            ({"disk": {}}, "the configuration given: unknown key 'disk'; did you mean 'disks'?"),
            ({"disks": []}, "disks: Input should be a valid dictionary"),
            ({"default": 5}, "default: Input should be a valid string"),
            (one(), "on disk 'media': driver is missing; for example driver = 'local'"),
            (one(driver=5), "on disk 'media': driver is a name, not int"),
            (one(driver="memroy"), "there is no driver 'memroy'; did you mean 'memory'?"),
            (one(driver="local"), "on disk 'media': root: Field required"),
            (one(driver="local", root=5), "on disk 'media': root: Input should be a valid string"),
            (one(driver="local", rooot="x"), "unknown key 'rooot'; did you mean 'root'?"),
            (one(driver="memory", prefx="x"), "unknown key 'prefx'; did you mean 'prefix'?"),
            (one(driver="memory", disk="x"), "unknown key 'disk'"),
            (one(driver="memory", visibility="open"), "visibility: Input should be 'public' or"),
            (one(driver="memory", read_only="perhaps"), "read_only: Input should be a valid boo"),
            (one(driver="memory", retries=-1), "retries: Input should be greater than or equal"),
            (one(driver="memory", prefix=5), "prefix: Input should be a valid string"),
            (one(driver="memory", timeout=5), "the driver 'memory' takes no timeout"),
            (one(driver="memory", throw=True), "failures are always raised here; leave it out"),
            (one(driver="local", root="x", serve=True), "leave it out"),
            (one(driver="memory", layers="retry"), "layers is a list, the outermost first"),
            (one(driver="memory", layers=["retri"]), "no layer 'retri'; did you mean 'retry'?"),
            (one(driver="memory", layers=[{}]), "a layer is a name or {layer = name, ...}"),
            (one(driver="memory", layers=[5]), "a layer is a name or {layer = name, ...}"),
            (
                one(driver="memory", layers=[{"layer": "retry", "tries": 3}]),
                "on disk 'media': layer 'retry': unknown key 'tries'; ",
            ),
            (
                one(driver="memory", layers=[{"layer": "retry", "attempts": "many"}]),
                "on disk 'media': layer 'retry': attempts: Input should be a valid integer",
            ),
            (one(driver="memory", retries=2, layers=["retry"]), "would multiply; keep one"),
            (one(driver="scoped", prefix="x"), "disk is missing; a scoped disk names both"),
            (one(driver="scoped", disk="media"), "prefix is missing"),
            (one(driver="scoped", disk="media", prefix="a"), "itself: media -> media"),
            (one(driver="scoped", disk="meida", prefix="a"), "'meida'; did you mean 'media'?"),
            (one(driver="scoped", disk={"driver": "x"}, prefix="a"), "there is no driver 'x'"),
            (one(driver="scoped", disk=5, prefix="a"), "a name, a URL or a mapping, not int"),
            (
                one(driver="scoped", disk={"driver": "memory"}, prefix="a", root="x"),
                "unknown key 'root'",
            ),
            (one(driver="mirror"), "disks is missing; a mirror names two or more"),
            (one(driver="mirror", disk="x"), "disks is missing"),
            (one(driver="mirror", disks="a"), "disks is a list of names, URLs and mappings"),
            (
                one(driver="mirror", disks=["memory://"]),
                "disks has 1; a mirror stands on two or more",
            ),
            (
                one(driver="readthrough", disks=["memory://"] * 3),
                "disks has 3; a readthrough stands on two, [fast, origin]",
            ),
            (one(driver="failover", disks=["x", "x"]), "disks names 'x' twice"),
            (one(driver="failover", disks=["memory://", 5]), "a URL or a mapping, not int"),
            (one(driver="failover", disks=["memory://", "media"]), "itself: media -> media"),
            (one(driver="mirror", disks=["memory://", "meida"]), "'meida'; did you mean 'media'?"),
            (
                one(driver="mirror", disks=["memory://", "memory://"], wrte="all"),
                "unknown key 'wrte'; did you mean 'write'?",
            ),
            (
                one(driver="mirror", disks=["memory://", {"driver": "memory", "rot": 1}]),
                "unknown key 'rot'",
            ),
            (one(driver="mirror", disks=["memory://", "memory://"], patience="x"), "patience: "),
            (one(driver="memory", layers=["mirror"]), "'mirror' stands on several disks; it is a"),
            (one(driver="memory", cache="redis"), "options, such as {store = 'redis', ttl = 3600}"),
            (
                one(driver="memory", layers=["retri", "x"]),
                "no layer 'retri'; did you mean 'retry'?",
            ),
            (one(driver="memory", cache={"store": "reddis"}), "'reddis'; did you mean 'redis'?"),
            (one(driver="memory", layers=["mirrors"]), "there is no layer 'mirrors'; there are: "),
            (one(driver="miror"), "there is no driver 'miror'; did you mean 'mirror'? (one of"),
            (
                one(driver="mirror", disks=["memory://", "memory://"], disk="x"),
                "unknown key 'disk'; did you mean 'disks'?",
            ),
            (
                one(driver="mirror", disks=["memory://", {"driver": "local", "rot": "x"}]),
                "on disk 'media': disks[1]: unknown key 'rot'; did you mean 'root'?",
            ),
            (
                one(driver="failover", disks=["memory://", {"driver": "memory", "layers": "x"}]),
                "on disk 'media': disks[1]: layers is a list",
            ),
            ({"disks": {"media": "s3://b#c"}}, "on disk 'media': the s3 URL has a '#'"),
            ({"disks": {"media": 5}}, "on disk 'media': this is a mapping"),
            ({"disks": {"media": {5: "x", "driver": "memory"}}}, "with text for keys"),
            ({"disks": {"media": "media"}}, "a mapping or a URL such as 'local:///srv/files'"),
            ({"signing_key": "short"}, "signing_key has 5 bytes and needs 16 or more"),
            ({"signing_key": 5}, "signing_key"),
        ],
    )
    def test_every_one_says_where_and_what_instead(self, config: object, message: str) -> None:
        assert message in refused(config)

    def test_a_circle_of_disks_is_shown(self) -> None:
        disks = {
            "a": {"driver": "scoped", "disk": "b", "prefix": "x"},
            "b": {
                "driver": "scoped",
                "disk": {"driver": "scoped", "disk": "a", "prefix": "y"},
                "prefix": "z",
            },
        }
        assert "a -> b -> a" in refused({"disks": disks})

    def test_two_words_for_one_key_are_refused(self) -> None:
        assert "'base_url' and 'url' are one key" in refused(
            one(driver="memory", url="/a", base_url="/b")
        )

    @pytest.mark.parametrize(
        "disk",
        [
            {"driver": "s3", "bucket": "b", "secret": SECRET, "password": {"nested": SECRET}},
            {"driver": "memory", "token": SECRET},
            {"driver": "memory", "secret_key": [SECRET]},
            {"driver": "memory", "layers": [{"layer": "retry", "key": SECRET}]},
            f"s3://id:{SECRET}@bucket/prefix?secret={SECRET}",
            f"memory://user:{SECRET}@/",
            f"s3://bucket:{SECRET}/x",
        ],
    )
    def test_no_secret_is_ever_shown(self, disk: Any, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(logging.DEBUG)
        shown: list[str] = []
        try:
            storage = manager({"disks": {"media": disk}, "signing_key": SECRET * 2})
            shown += [repr(storage), repr(storage._shelf.config()), str(storage._shelf.config())]
            _ = storage.driver
        except ConfigError:
            shown.append(traceback.format_exc())
        assert SECRET not in "".join(shown) + caplog.text


class TestOptions:
    def test_every_parameter_of_a_driver_is_a_key(self, here: Path) -> None:
        storage = manager(
            one(
                driver="local",
                root=str(here / "a"),
                base_url="/files",
                visibility="private",
                directory_visibility="public",
                durability="none",
                permissions={"file": {"private": 0o640}, "dir": {"public": 0o750}},
            )
        )
        assert isinstance(storage.driver, LocalDriver)
        assert storage.url("a") == "/files/a"

    @pytest.mark.parametrize(
        ("disk", "address"),
        [
            (
                {
                    "driver": "gcs",
                    "project_id": "p",
                    "key_file_path": "service-account.json",
                    "bucket": "media",
                    "path_prefix": "t1",
                    "api_endpoint": "https://storage.example.com",
                },
                "https://storage.example.com/media/t1/a%20b",
            ),
            (
                {
                    "driver": "gcs",
                    "key_file": {
                        "type": "service_account",
                        "client_email": "a@b",
                        "private_key": SECRET,
                    },
                    "bucket": "media",
                    "storage_api_uri": "https://cdn.example.com",
                },
                "https://cdn.example.com/a%20b",
            ),
            (
                {"driver": "azure", "name": "acme", "key": "a2V5", "container": "media"},
                "https://acme.blob.core.windows.net/media/a%20b",
            ),
            (
                {
                    "driver": "azure",
                    "account": "acme",
                    "sas_token": f"sv=2025&sig={SECRET}",
                    "container": "media",
                    "prefix": "t1",
                },
                "https://acme.blob.core.windows.net/media/t1/a%20b",
            ),
            (
                "azure://media/t1?account_name=acme&account_key=a2V5",
                "https://acme.blob.core.windows.net/media/t1/a%20b",
            ),
            ("gs://media/t1?anonymous=true", "https://storage.googleapis.com/media/t1/a%20b"),
            (
                {
                    "driver": "ftp",
                    "host": "files.example.com",
                    "username": "me",
                    "password": SECRET,
                    "ssl": True,
                    "passive": True,
                    "base_url": "https://files.example.com",
                },
                "https://files.example.com/a%20b",
            ),
            (
                {
                    "driver": "sftp",
                    "host": "files.example.com",
                    "username": "me",
                    "privateKey": SECRET,
                    "passphrase": SECRET,
                    "hostFingerprint": "SHA256:uNiVztksCsDhcc0u9e8BrrQXVUpKZIDTMczCvj3tD2s",
                    "useAgent": False,
                    "maxTries": 4,
                    "url": "https://files.example.com/",
                },
                "https://files.example.com/a%20b",
            ),
        ],
    )
    def test_the_words_of_laravel_and_its_packages_are_understood(
        self, disk: Any, address: str
    ) -> None:
        storage = manager({"disks": {"media": disk}})
        assert storage.disk("media").url("a b") == address
        assert SECRET not in repr(storage.disk("media").driver)

    async def test_text_from_a_url_or_the_environment_is_read_by_type(self) -> None:
        made: list[dict[str, Any]] = []

        def tape(
            label: str,
            /,
            *,
            port: int = 0,
            ratio: float = 0.0,
            slow: bool = False,
            verify: bool | str = True,
            agent: bool | str = False,
            wait: timedelta = timedelta(),
            visibility: Visible | None = None,
            secret_key: str | None = None,
            copy: str = "",
            json: "Unknown" = None,  # noqa: F821
            **more: object,
        ) -> MemoryDriver:
            made.append({k: v for k, v in locals().items() if k != "made"})
            return MemoryDriver()

        storage = manager({})
        storage.extend("tape", tape)
        storage.build(
            "tape://?label=a%20b&port=21&ratio=0.5&slow=true&visibility=public&copy=x&verify=false&agent=/run/a"
            f"&secret_key={SECRET}&other=y"
        )
        assert made == [
            {
                "label": "a b",
                "port": 21,
                "ratio": 0.5,
                "slow": True,
                "verify": False,
                "agent": "/run/a",
                "wait": timedelta(),
                "visibility": "public",
                "secret_key": SECRET,
                "copy": "x",
                "json": None,
                "more": {"other": "y"},
            }
        ]

    def test_a_wrong_type_names_disk_and_key(self) -> None:
        class Tape(MemoryDriver):
            def __init__(self, *, port: int = 21, password: SecretStr | None = None) -> None:
                self.port, self.password = port, password
                super().__init__()

        storage = manager({})
        storage.extend("tape", Tape)
        built = storage.build({"driver": "tape", "port": "22", "password": SECRET}).driver
        assert isinstance(built, Tape)
        assert built.port == 22
        with pytest.raises(ConfigError) as caught:
            storage.build({"driver": "tape", "port": SECRET, "password": 5}, name="media")
        assert str(caught.value).startswith(
            "on disk 'media': port: Input should be a valid integer"
        )
        assert SECRET not in "".join(traceback.format_exception(caught.value))

    def test_a_type_that_cannot_be_checked_is_let_through(self) -> None:
        class Odd(Protocol):
            x: int

        class Tape(MemoryDriver):
            def __init__(self, *, odd: "Odd | None" = None, plain=None) -> None:
                super().__init__()
                self.odd = odd

        storage = manager({})
        storage.extend("tape", Tape)
        assert storage.build({"driver": "tape", "plain": object()}).driver

    def test_a_factory_that_makes_no_driver_is_refused(self) -> None:
        storage = manager({})
        storage.extend("tape", object)
        with pytest.raises(TypeError, match="object is no driver: it lacks stat"):
            storage.build({"driver": "tape"})


class TestLayers:
    def test_they_lie_as_written_within_prefix_and_read_only(self) -> None:
        storage = manager(
            one(
                driver="memory",
                prefix="t1",
                read_only=True,
                layers=[{"layer": "retry", "attempts": 5}, {"layer": "scoped", "prefix": "in"}],
            )
        )
        outer = storage.driver
        assert isinstance(outer, ReadOnly)
        prefix = outer.inner
        assert isinstance(prefix, Scoped)
        retry = prefix.inner
        assert isinstance(retry, Retry)
        scoped = retry.inner
        assert isinstance(scoped, Scoped)
        assert isinstance(scoped.inner, MemoryDriver)
        assert storage.url("a") == "/storage/in/t1/a"

    @pytest.mark.parametrize("cache", [True, "true", {"ttl": 60}])
    def test_a_cache_lies_within_the_prefix_and_outside_of_the_layers(self, cache: Any) -> None:
        disk = one(driver="memory", prefix="t1", cache=cache, layers=["timeout"], read_only=True)
        outer = manager(disk).driver
        assert isinstance(outer, ReadOnly)
        prefix = outer.inner
        assert isinstance(prefix, Scoped)
        cached = prefix.inner
        assert isinstance(cached, Cache)
        assert isinstance(cached.inner, TimeLimit)

    def test_a_cache_is_held_on_another_disk(self) -> None:
        fast = {"driver": "memory"}
        cached = {"driver": "memory", "cache": {"store": "fast", "namespace": "m", "ttl": 60}}
        config = {"default": "media", "disks": {"fast": fast, "media": cached}}
        layer = manager(config).layer(Cache)
        assert "memory" in repr(layer)
        for wrong, reason in (("fsat", "did you mean 'fast'"), ("media", "stands on itself")):
            disks = {"fast": fast, "media": {**cached, "cache": {"store": wrong}}}
            with pytest.raises(ConfigError, match=reason):
                manager({"default": "media", "disks": disks})

    def test_no_cache_is_none(self) -> None:
        for cache in (False, "false", None):
            assert isinstance(manager(one(driver="memory", cache=cache)).driver, MemoryDriver)
        assert "unknown key 'tttl'; did you mean 'ttl'?" in refused(
            one(driver="memory", cache={"tttl": 5})
        )

    def test_read_only_may_be_spelled_as_laravel_does(self) -> None:
        assert isinstance(manager(one(**{"driver": "memory", "read-only": True})).driver, ReadOnly)

    def test_retries_are_tries_after_the_first(self) -> None:
        retry = manager(one(driver="memory", retries=2)).driver
        assert isinstance(retry, Retry)
        assert retry._attempts == 3
        assert isinstance(manager(one(driver="memory", retries=0)).driver, MemoryDriver)

    def test_a_driver_that_retries_itself_gets_the_number(self) -> None:
        class Tape(MemoryDriver):
            def __init__(self, *, retries: int = 3) -> None:
                super().__init__()
                self.retries = retries

        storage = manager({})
        storage.extend("tape", Tape)
        disk = storage.build({"driver": "tape", "retries": 0})
        assert isinstance(disk.driver, Tape)
        assert disk.driver.retries == 0
        with pytest.raises(ConfigError):
            _ = storage.build({"driver": "tape", "layers": ["retry"]}).driver

    async def test_a_scoped_disk_stands_on_another_or_on_its_own(self) -> None:
        storage = manager(
            {
                "default": "all",
                "disks": {
                    "all": {"driver": "memory"},
                    "t1": {"driver": "scoped", "disk": "all", "prefix": "t1"},
                    "t1r": {"driver": "scoped", "disk": "t1", "prefix": "r", "read_only": True},
                    "own": {"driver": "scoped", "disk": {"driver": "memory"}, "prefix": "x"},
                    "url": {"driver": "scoped", "disk": "memory://", "prefix": "x"},
                },
            }
        )
        await storage.disk("t1").put("r/a", b"x")
        assert await storage.all_files() == ["t1/r/a"]
        assert await storage.disk("t1r").all_files() == ["a"]
        for name in ("own", "url"):
            await storage.disk(name).put("a", b"")
            assert storage.disk(name).url("a") == "/storage/x/a"
        assert await storage.all_files() == ["t1/r/a"]

    @pytest.mark.parametrize("driver", ["mirror", "failover", "readthrough"])
    async def test_a_disk_of_disks_takes_names_mappings_and_urls(
        self, here: Path, written: Callable[[str, str], Path], driver: str
    ) -> None:
        path = written(
            "else/where.toml",
            f"""
            default = "both"
            [disks.one]
            driver = "memory"
            [disks.both]
            driver = "{driver}"
            disks = ["one", {{ driver = "local", root = "r", prefix = "in" }}]
            prefix = "t1"
            [disks.urls]
            driver = "{driver}"
            disks = ["local://u?durability=none", "memory://"]
            patience = 3
            """,
        )
        storage = manager(path)
        await storage.put("a", b"x")
        assert await storage.get("a") == b"x"
        assert await storage.disk("one").all_files() == ["t1/a"]
        assert (here / "else/r/in/t1/a").read_bytes() == b"x"
        await storage.disk("urls").put("b", b"x")
        assert await storage.disk("urls").get("b") == b"x"
        assert (here / "else/u/b").read_bytes() == b"x"
        await storage.disk("both").aclose()
        assert await storage.disk("one").get("t1/a") == b"x"
        await storage.aclose()

    def test_a_disk_of_disks_takes_layers_as_any_other(self) -> None:
        both = {
            "driver": "mirror",
            "disks": ["memory://", "memory://"],
            "layers": [{"layer": "scoped", "prefix": "in"}],
            "retries": 2,
            "read_only": True,
        }
        outer = manager(one(**both)).driver
        assert isinstance(outer, ReadOnly)
        scoped = outer.inner
        assert isinstance(scoped, Scoped)
        retry = scoped.inner
        assert isinstance(retry, Retry)
        assert isinstance(retry.inner, Mirror)

    def test_a_driver_of_ones_own_may_have_such_a_name(self) -> None:
        storage = manager({})
        storage.extend("mirror", lambda disks: MemoryDriver(url=disks))
        assert storage.build({"driver": "mirror", "disks": "/own"}).url("a") == "/own/a"

    def test_circles_over_disks_of_disks_are_shown(self) -> None:
        disks = {
            "a": {"driver": "mirror", "disks": ["memory://", "b"]},
            "b": {"driver": "failover", "disks": [{"driver": "memory"}, "c"]},
            "c": {"driver": "readthrough", "disks": ["memory://", "sound"]},
            "sound": {"driver": "scoped", "disk": "memory://", "prefix": "x"},
        }
        assert manager({"default": "a", "disks": disks}).disk().name == "a"
        disks["sound"] = {"driver": "scoped", "disk": "a", "prefix": "x"}
        assert "itself: a -> b -> c -> sound -> a" in refused({"disks": disks})

    async def test_closing_a_scoped_disk_leaves_the_other_open(self) -> None:
        disks = {
            "all": {"driver": "memory"},
            "t1": {"driver": "scoped", "disk": "all", "prefix": "t"},
        }
        storage = manager({"default": "all", "disks": disks})
        await storage.disk("t1").put("a", b"x")
        await storage.disk("t1").aclose()
        assert await storage.get("t/a") == b"x"
        assert await storage.disk("t1").get("a") == b"x"


class TestUrls:
    @pytest.mark.parametrize(
        ("url", "config"),
        [
            ("memory://", {"driver": "memory"}),
            ("memory://?url=%2Fa%20b", {"driver": "memory", "url": "/a b"}),
            ("local:///srv/a%20b", {"driver": "local", "root": "/srv/a b"}),
            ("local://storage/app", {"driver": "local", "root": "storage/app"}),
            ("LOCAL:///x?durability=full", {"driver": "local", "root": "/x", "durability": "full"}),
            ("file:///srv/files", {"driver": "local", "root": "/srv/files"}),
            ("file://localhost/srv", {"driver": "local", "root": "/srv"}),
            ("s3://My.Bucket", {"driver": "s3", "bucket": "My.Bucket"}),
            (
                "s3://id:se%2Fcret@bucket/a/b/?region=eu-west-1",
                {
                    "driver": "s3",
                    "bucket": "bucket",
                    "prefix": "a/b",
                    "key": "id",
                    "secret": "se/cret",
                    "region": "eu-west-1",
                },
            ),
            ("minio://bucket/p", {"driver": "minio", "bucket": "bucket", "prefix": "p"}),
            ("gs://bucket/p", {"driver": "gcs", "bucket": "bucket", "prefix": "p"}),
            ("azure://container/p", {"driver": "azure", "container": "container", "prefix": "p"}),
            (
                "ftp://host.test/in",
                {"driver": "ftp", "host": "host.test", "tls": False, "root": "in"},
            ),
            (
                "ftps://host.test//srv/in/",
                {"driver": "ftp", "host": "host.test", "tls": "explicit", "root": "/srv/in"},
            ),
            (
                "sftp://me:p%40ss@host.test:2222/srv/files",
                {
                    "driver": "sftp",
                    "host": "host.test",
                    "port": 2222,
                    "root": "srv/files",
                    "username": "me",
                    "password": "p@ss",
                },
            ),
            ("ftps://host.test", {"driver": "ftp", "host": "host.test", "tls": "explicit"}),
        ],
    )
    def test_a_url_is_a_disk(self, url: str, config: dict[str, Any]) -> None:
        assert from_url(url) == config

    @pytest.mark.parametrize(
        ("url", "reason"),
        [
            ("local://", "names no folder"),
            ("file://host/srv", "three slashes"),
            ("memory://host", "has no host"),
            ("memory:///path", "has no path"),
            ("memory://?a=1&a=2", "gives an option twice"),
            ("memory://?a", "cannot be read"),
            ("local:///a#b", "percent-encode it as %23"),
            ("s3://bucket:port/x", "cannot be read"),
            ("gs://user@bucket", "has no user"),
        ],
    )
    def test_what_a_url_cannot_say_is_refused(self, url: str, reason: str) -> None:
        with pytest.raises(ConfigError, match=reason):
            from_url(url)

    def test_common_keys_work_in_a_url(self) -> None:
        disk = Storage.build("memory://?prefix=t%2F1&read_only=true&retries=1")
        assert isinstance(disk.driver, ReadOnly)
        assert disk.url("a") == "/storage/t/1/a"

    def test_disks_may_be_given_as_urls(self) -> None:
        assert manager({"disks": {"m": "memory://?url=/x"}}).url("a") == "/x/a"


class TestSigningKeys:
    async def test_a_key_beside_the_disks_signs_for_all_of_them(self) -> None:
        disks = {"a": {"driver": "memory"}, "b": {"driver": "memory"}}
        storage = manager({"signing_key": KEY, "default": "a", "disks": disks})
        url = await storage.temporary_url("x", 60)
        assert (await storage.disk("a").verify_temporary_url(url)).path == "x"
        with pytest.raises(PermissionError):
            await storage.disk("b").verify_temporary_url(url)

    async def test_a_list_rotates(self) -> None:
        old = manager({"signing_key": KEY, **one(driver="memory")})
        new = manager({"signing_key": [KEY[::-1], KEY], **one(driver="memory")})
        assert await new.verify_temporary_url(await old.temporary_url("x", 60))

    async def test_the_environment_may_hold_it(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("STOREROOM_SIGNING_KEY", KEY)
        storage = manager({**one(driver="memory")})
        await storage.verify_temporary_url(await storage.temporary_url("x", 60))
        told = manager({"signing_key": KEY, **one(driver="memory")})
        assert await storage.verify_temporary_url(await told.temporary_url("x", 60))
        other = manager({"signing_key": KEY[::-1], **one(driver="memory")})
        with pytest.raises(PermissionError):
            await other.verify_temporary_url(await told.temporary_url("x", 60))


def test_models_can_be_used_by_themselves() -> None:
    found = Found({"disks": {"m": "memory://"}}, "/", "a test")
    read = filesystems(found)
    assert (read.default, read.keys) == ("m", None)
    config = disk_config("x", {"driver": "memory"})
    builder = Builder({}, Storage.disk)
    assert isinstance(builder.build("x", config), MemoryDriver)
