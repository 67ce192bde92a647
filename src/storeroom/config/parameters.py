"""Config keys from the signature of a driver or layer: every parameter is one, and its type is checked."""

import inspect
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Annotated, Any, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    Secret,
    SecretStr,
    ValidationError,
    create_model,
)
from pydantic.errors import PydanticUserError

from storeroom.contracts.errors import ConfigError
from storeroom.contracts.nearest import nearest

__all__ = ["Parameters", "concealed", "explained", "parameters_of", "revealed", "unknown_key"]

_SECRET = re.compile(
    r"(?:^|_)(?:keys?|key_file|privateKey|secret|token|password|passphrase|previous|credentials?|string)$"
)
_ALIASES = {
    "account": ("account_name",),
    "api_endpoint": ("endpoint_url",),
    "base_url": ("url",),
    "endpoint": ("endpoint_url",),
    "hostFingerprint": ("host_key",),
    "host_fingerprint": ("host_key",),
    "key": ("access_key", "account_key"),
    "key_file_path": ("credentials_path",),
    "maxTries": ("retries",),
    "name": ("account_name",),
    "privateKey": ("private_key",),
    "read-only": ("read_only",),
    "secret": ("secret_key",),
    "storage_api_uri": ("url",),
    "token": ("session_token",),
    "useAgent": ("agent",),
    "use_agent": ("agent",),
    "use_path_style_endpoint": ("path_style",),
}
"""Laravel's words, and what they are here: the first of these that the driver takes."""

_MEANINGLESS = {
    "throw": "failures are always raised here; leave it out",
    "report": "failures are always raised here; leave it out",
    "serve": "temporary URLs are served by a route of yours; leave it out",
    "lock": "writes are always atomic here; leave it out",
    "links": "links are never followed here; leave it out",
    "disable_asserts": "leave it out",
}


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a class or factory takes: how it is called, and the model that its options must fit."""

    positional: tuple[str, ...]
    names: frozenset[str]
    takes_any: bool
    model: type[BaseModel]

    def arguments(
        self, given: Mapping[str, Any], where: str, also: Iterable[str] = (), /
    ) -> tuple[list[Any], dict[str, Any]]:
        """Positional and keyword arguments; `also` are further keys to name where one is unknown."""
        values = self._named(given, where, also)
        try:
            model = self.model.model_validate(values)
        except ValidationError as error:
            reasons = explained(error)
        else:
            read = {
                field.alias or name: revealed(getattr(model, name))
                for name, field in type(model).model_fields.items()
                if name in model.model_fields_set
            }
            read |= {key: value for key, value in values.items() if key not in self.names}
            places = [read.pop(name) for name in self.positional if name in read]
            return places, read
        raise ConfigError(reasons, disk=where)

    def _named(self, given: Mapping[str, Any], where: str, also: Iterable[str]) -> dict[str, Any]:
        values: dict[str, Any] = {}
        for key, value in given.items():
            name = key if key in self.names else self._alias(key)
            if name not in self.names and not self.takes_any:
                raise unknown_key(key, {*self.names, *also}, where)
            if name in values:
                raise ConfigError(f"{key!r} and {name!r} are one key; give one of them", disk=where)
            values[name] = value
        return values

    def _alias(self, key: str) -> str:
        return next((name for name in _ALIASES.get(key, ()) if name in self.names), key)


@lru_cache(maxsize=256)
def parameters_of(target: Callable[..., Any], /, *, skip: int = 0) -> Parameters:
    """The parameters of a driver's class or factory; of a layer's `skip=1`, its inner driver."""
    found = list(_signature(target).parameters.values())[skip:]
    usable = [item for item in found if item.kind not in (item.VAR_POSITIONAL, item.VAR_KEYWORD)]
    return Parameters(
        tuple(item.name for item in usable if item.kind is item.POSITIONAL_ONLY),
        frozenset(item.name for item in usable),
        any(item.kind is item.VAR_KEYWORD for item in found),
        _model(usable),
    )


def unknown_key(key: str, known: Iterable[str], where: str | None, /) -> ConfigError:
    """The error for a key that nobody reads."""
    reason = _MEANINGLESS.get(key) or nearest(key, known)
    return ConfigError(f"unknown key {key!r}; {reason}", disk=where)


def explained(error: ValidationError, /) -> str:
    """What is wrong, key by key, without any value; of a union's reasons the first."""
    reasons: dict[str, str] = {}
    for item in error.errors(include_input=False, include_url=False, include_context=False):
        reasons.setdefault(str(item["loc"][0]), item["msg"])
    return "; ".join(f"{key}: {reason}" for key, reason in reasons.items())


def concealed(key: str, value: Any, /) -> Any:  # any value of a configuration
    """The value, hidden from every repr where its key says that it is a secret."""
    return SecretStr(value) if isinstance(value, str) and _SECRET.search(key) else value


def revealed(value: Any, /) -> Any:  # any value of a configuration
    """What is inside a secret."""
    if isinstance(value, Secret | SecretStr):
        return cast(Secret[Any], value).get_secret_value()
    return value


def _signature(target: Callable[..., Any]) -> inspect.Signature:
    try:
        return inspect.signature(target, eval_str=True)
    except (NameError, AttributeError):  # a type that is imported for type checkers only
        return inspect.signature(target)


def _model(parameters: list[inspect.Parameter]) -> type[BaseModel]:
    try:
        return _built(parameters)
    except PydanticUserError:  # a type that pydantic cannot check
        return _built([item.replace(annotation=Any) for item in parameters])


def _built(parameters: list[inspect.Parameter]) -> type[BaseModel]:
    # Fields get names of their own: a parameter `copy` or `json` would shadow a method of the model.
    fields: dict[str, Any] = {}
    for number, parameter in enumerate(parameters):
        default = ... if parameter.default is parameter.empty else None
        fields[f"field_{number}"] = (_type(parameter), Field(default, alias=parameter.name))
    config = ConfigDict(arbitrary_types_allowed=True, hide_input_in_errors=True)
    return create_model("Options", __config__=config, **fields)


def _type(parameter: inspect.Parameter) -> Any:
    annotation: Any = parameter.annotation
    if annotation is parameter.empty or isinstance(annotation, str):
        annotation = Any
    if {bool, str} <= set(get_args(annotation)):  # in a URL, "false" is that before it is a path
        annotation = Annotated[annotation, Field(union_mode="left_to_right")]
    hidden: Any = Secret
    return hidden[annotation] if _SECRET.search(parameter.name) else annotation
