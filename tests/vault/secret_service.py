"""A Secret Service on the session bus, so that a keyring of the operating system can be had without a desktop.

Speaks what SecretStorage asks for, in the plain algorithm, and keeps items in memory. Run as a program; says "ready".
    python secret_service.py [works | locked | forgetful | garbled]
`locked` asks for a prompt that nobody answers; `forgetful` takes every item and finds none; `garbled` gives others.
"""

from __future__ import annotations

import sys
from typing import Any

from jeepney import DBusAddress, HeaderFields, Message, MessageType, new_error, new_method_call, new_method_return
from jeepney.io.blocking import open_dbus_connection

NAME = "org.freedesktop.secrets"
PREFIX = "org.freedesktop.Secret."
ITEMS = "/org/freedesktop/secrets/collection/login/"

mood = sys.argv[1] if len(sys.argv) > 1 else "works"
items: dict[str, tuple[dict[str, str], bytes]] = {}


def answer(message: Message) -> Message | None:
    fields = message.header.fields
    path, member = str(fields[HeaderFields.path]), str(fields[HeaderFields.member])
    match member:
        case "Get":
            return new_method_return(message, "v", (value(path, message.body[1]),))
        case "OpenSession" if message.body[0] != "plain":
            return new_error(message, "org.freedesktop.DBus.Error.NotSupported")
        case "OpenSession":
            return new_method_return(message, "vo", (("s", ""), "/session/1"))
        case "SearchItems":
            wanted = message.body[0].items()
            found = [item for item, (attributes, _) in items.items() if wanted <= attributes.items()]
            return new_method_return(message, "ao", ([] if mood == "forgetful" else found,))
        case "CreateItem":
            properties, secret, replace = message.body
            attributes = dict(properties[PREFIX + "Item.Attributes"][1])
            same = [item for item, kept in items.items() if kept[0] == attributes] if replace else []
            name = same[0] if same else f"{ITEMS}{len(items) + 1}"
            items[name] = attributes, bytes(secret[2])
            return new_method_return(message, "oo", (name, "/"))
        case "GetSecret":
            kept = b"something else" if mood == "garbled" else items[path][1]
            return new_method_return(message, "(oayays)", (("/session/1", b"", kept, "text/plain"),))
        case "Delete":
            del items[path]
            return new_method_return(message, "o", ("/",))
        case "Unlock" if mood == "locked":
            return new_method_return(message, "aoo", ([], "/prompt/1"))
        case "Unlock":
            return new_method_return(message, "aoo", (message.body[0], "/"))
        case "Prompt":
            return new_method_return(message)
    return new_error(message, "org.freedesktop.DBus.Error.UnknownMethod")


def value(path: str, name: str) -> tuple[str, Any]:
    return ("b", mood == "locked") if name == "Locked" else ("s", f"{name} of {path}")


def main() -> None:
    connection = open_dbus_connection("SESSION")
    bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
    connection.send_and_get_reply(new_method_call(bus, "RequestName", "su", (NAME, 0)))
    print("ready", flush=True)
    while True:
        message = connection.receive()
        if message.header.message_type is MessageType.method_call:
            reply = answer(message)
            if reply is not None:
                connection.send(reply)


main()
