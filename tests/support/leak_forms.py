"""The forms in which a leaked token is found: the output of programs, people and terminals.

Each form is a function of a token in clear. Archives, base64 and mail are not covered yet.
"""

import json
from collections.abc import Callable
from urllib.parse import quote

Form = Callable[[str], str]


def percent(text: str, digits: str = "02X") -> str:
    """Return `text` with each character percent-encoded."""
    return "".join(f"%{ord(c):{digits}}" for c in text)


def unicode_escapes(text: str, digits: str = "04x") -> str:
    r"""Return `text` with each character as JSON's `\u0000`."""
    return "".join(f"\\u{ord(c):{digits}}" for c in text)


def in_json(text: str) -> str:
    """Return `text` as a JSON string has it."""
    return json.dumps(text)[1:-1]


def coloured(token: str) -> str:
    """Return `token` as `grep --color=always` prints it after a search for its prefix."""
    prefix, rest = token.split("_")
    return f"\x1b[01;31m\x1b[K{prefix}_\x1b[m\x1b[K{rest}"


#: What stands directly before and after it.
GLUED: dict[str, Form] = {
    "a line end": lambda t: f"{t}\n",
    "a line end of Windows": lambda t: f"\r\n{t}\r\n",
    "white space": lambda t: f" \t{t} \u00a0",
    "quotation marks": lambda t: f'"{t}"',
    "a form's field": lambda t: f"token={t}&next=1",
    "a line end in JSON": lambda t: f'{{"file": "TOKEN\\n{t}\\nEND"}}',
    "a tab in JSON": lambda t: f'{{"row": "a\\t{t}\\tb"}}',
    "quotation marks in JSON": lambda t: json.dumps({"body": json.dumps({"token": t})}),
    "JSON in JSON in JSON": lambda t: json.dumps(json.dumps(json.dumps({"token": f"\t{t}\t"}))),
    "an equals sign and ampersand in JSON": lambda t: f"token\\u003d{t}\\u0026x\\u003d1",
    "quotation marks as JSON codes": lambda t: f"\\u0022{t}\\u0022",
    "a byte as Python prints it": lambda t: f"b'\\x0b{t}\\x0c'",
    "a space in a URL": lambda t: f"/?q=Bearer%20{t}%20x",
    "an equals sign in a URL": lambda t: f"/?next=%2Fx%3Ftoken%3D{t}%26a%3D1",
    "an equals sign in a URL, lower case": lambda t: f"/?next=%2fx%3ftoken%3d{t}%26a%3d1",
    "quotation marks in a URL": lambda t: f"/?json=%22{t}%22",
    "quotation marks in a URL in a URL": lambda t: f"/?next=%252F%253Fjson%253D%2522{t}%2522",
    "a colour code": lambda t: f"\x1b[31m{t}\x1b[0m",
    "a colour code in JSON": lambda t: f"\\u001b[31m{t}\\u001b[0m",
    "a length byte": lambda t: f"\n{chr(len(t))}{t}\x12\x04",
    "a letter before": lambda t: f"x{t}",
    "a letter after": lambda t: f"{t}x",
    "digits before and after": lambda t: f"00{t}99",
    "letters of other scripts": lambda t: f"é{t}日",
    "underscores": lambda t: f"TOKEN_{t}_OLD",
    "itself": lambda t: f"{t}{t}",
    "the prefix": lambda t: f"demo_demo_demo{t}",
    "the beginning of one": lambda t: t[:30] + t,
    "one whose end is the prefix": lambda t: f"demo_{'x' * 42}{t}",
    "a percent sign": lambda t: f"100%{t}%",
    "a backslash": lambda t: f"C:\\{t}\\",
}
#: What its own characters have become.
ENCODED: dict[str, Form] = {
    "its underscore in a URL": lambda t: t.replace("_", "%5F"),
    "its underscore in a URL, lower case": lambda t: f"token%3d{t.replace('_', '%5f')}%26",
    "its underscore in JSON": lambda t: t.replace("_", "\\u005f"),
    "its underscore in JSON, upper case": lambda t: t.replace("_", "\\u005F"),
    "its underscore in Markdown": lambda t: t.replace("_", "\\_"),
    "its underscore in Markdown in JSON": lambda t: in_json(t.replace("_", "\\_")),
    "all of it in a URL": percent,
    "all of it in a URL, lower case": lambda t: percent(t, "02x"),
    "all of it in a URL in a URL": lambda t: quote(percent(t)),
    "all of it in a URL in a URL in a URL": lambda t: quote(quote(percent(t))),
    "all of it in JSON": unicode_escapes,
    "all of it in JSON, upper case": lambda t: unicode_escapes(t, "04X"),
    "all of it in JSON in JSON": lambda t: in_json(unicode_escapes(t)),
    "all of it in JSON in JSON in JSON": lambda t: in_json(in_json(unicode_escapes(t))),
    "all of it in JavaScript": lambda t: "".join(f"\\x{ord(c):02x}" for c in t),
    "all of it in JSON in a URL": lambda t: quote(unicode_escapes(t)),
    "all of it in JSON, all of that in a URL": lambda t: percent(unicode_escapes(t)),
    "all of it in a URL, all of that in JSON": lambda t: unicode_escapes(percent(t)),
    "every other character in a URL": lambda t: "".join(
        c if n % 2 else percent(c) for n, c in enumerate(t)
    ),
    "its underscore in a URL, behind an encoded percent sign": lambda t: (
        f"100%25{t.replace('_', '%5F')}"
    ),
    "its underscore in a URL, behind a percent sign": lambda t: f"100%{t.replace('_', '%5F')}",
    "a colour code inside": coloured,
    "a colour code inside, in JSON": lambda t: unicode_escapes(coloured(t)[:18]) + coloured(t)[18:],
    "a colour code inside, all of it in a URL": lambda t: percent(coloured(t)),
}
FORMS = GLUED | ENCODED
