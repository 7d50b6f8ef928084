"""The forms in which a leaked token is found: the output of programs, people and terminals.

Each form is a function of a token in clear. `FORMS` are texts, `FILES` are files of bytes.
"""

import base64
import gzip
import io
import json
import quopri
import tarfile
import zipfile
from collections.abc import Callable
from email.header import Header
from email.message import EmailMessage
from email.policy import SMTP
from urllib.parse import quote

Form = Callable[[str], str]
FileForm = Callable[[str], bytes]


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


def in_base64(text: str, encoding: str = "utf-8") -> str:
    """Return `text` in base64."""
    return base64.b64encode(text.encode(encoding)).decode()


def in_base64url(text: str) -> str:
    """Return `text` in the alphabet for URLs, without padding."""
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def quoted_printable(text: str) -> str:
    """Return `text` in quoted-printable, each character of it; lines have 76 characters."""
    codes = "".join(f"={byte:02X}" for byte in text.encode())
    return "=\r\n".join(codes[at : at + 75] for at in range(0, len(codes), 75))


def with_invisible(text: str, character: str = "\u200b") -> str:
    """Return `text` with an invisible character after each four characters."""
    return character.join(text[at : at + 4] for at in range(0, len(text), 4))


def in_lines(text: str, width: int = 20, end: str = "\n") -> str:
    """Return `text` broken over lines."""
    return end.join(text[at : at + width] for at in range(0, len(text), width))


def mail(
    text: str,
    transfer: str = "quoted-printable",
    *,
    subject: str = "Schlüssel",
    attached: bytes = b"",
) -> bytes:
    """Return a mail with `text` in its body, and an attached archive."""
    message = EmailMessage(policy=SMTP)
    message["From"] = "jdoe@example.com"
    message["Subject"] = subject
    message.set_content(f"Grüße,\n{'x' * 60} {text}\n", cte=transfer)
    if attached:
        message.add_attachment(attached, maintype="application", subtype="zip", filename="keys.zip")
    return message.as_bytes()


#: What carries it whole.
WRAPPED: dict[str, Form] = {
    "an Authorization header": lambda t: f"Authorization: Basic {in_base64(f'jdoe:{t}')}",
    "base64 behind one byte": lambda t: in_base64(f"x{t}"),
    "base64 behind two bytes": lambda t: in_base64(f"xy{t}"),
    "base64 glued to letters": lambda t: f"Basic{in_base64(t)}x",
    "a Kubernetes secret": lambda t: f"data:\n  token: {in_base64(t + chr(10))}\n",
    "a web token's payload": lambda t: (
        f"eyJh.{in_base64url(json.dumps({'k': t, 'n': '???>>>'}))}.x"
    ),
    "base64 in base64": lambda t: in_base64(f"k={in_base64(f'a:{t}')}"),
    "base64 in lines": lambda t: in_lines(in_base64(f"{'x' * 90}{t}"), 76, "\r\n"),
    "base64 in lines in JSON": lambda t: in_json(in_lines(in_base64(f"{'x' * 90}{t}"), 64)),
    "base64 in a URL": lambda t: quote(in_base64(f"~~~???{t}"), safe=""),
    "base64 of UTF-16": lambda t: f"powershell -EncodedCommand {in_base64(t, 'utf-16-le')}",
    "base64 of JSON codes": lambda t: in_base64(unicode_escapes(t)),
    "quoted-printable": quoted_printable,
    "quoted-printable with a soft line break": lambda t: f"token=3D{t[:30]}=\r\n{t[30:]}",
    "its underscore in quoted-printable": lambda t: t.replace("_", "=5F"),
    "a mail in quoted-printable": lambda t: mail(t).decode(),
    "a mail in base64": lambda t: mail(t, "base64").decode(),
    "a mail's subject in base64": lambda t: Header(f"Grüße {'ä' * 30} {t}", "utf-8").encode(),
    "a mail's subject in quoted-printable": lambda t: mail("", subject=f"Schlüssel {t}").decode(),
    "zero-width spaces": with_invisible,
    "zero-width joiners": lambda t: with_invisible(t, "\u200d"),
    "soft hyphens": lambda t: with_invisible(t, "\u00ad"),
    "word joiners in a URL": lambda t: quote(with_invisible(t, "\u2060")),
    "zero-width spaces in JSON": lambda t: in_json(with_invisible(t)),
    "zero-width spaces in HTML": lambda t: with_invisible(t, "&#8203;"),
    "zero-width spaces in quoted-printable": lambda t: quopri.encodestring(
        with_invisible(t).encode()
    ).decode(),
    "lines": in_lines,
    "lines of Windows": lambda t: in_lines(t, 16, "\r\n"),
    "indented lines": lambda t: in_lines(t, 20, "\n    "),
    "quoted lines": lambda t: in_lines(t, 20, "\n>> "),
    "continued lines": lambda t: in_lines(t, 20, "\\\n"),
    "lines in JSON": lambda t: in_json(in_lines(t)),
    "lines in a URL": lambda t: quote(in_lines(t, 20, "\r\n")),
    "tags": lambda t: f'<w:t>{t[:9]}</w:t></w:r><w:r w:rsidR="00A1"><w:t>{t[9:]}</w:t>',
    "its underscore in HTML": lambda t: t.replace("_", "&#95;"),
    "all of it in HTML": lambda t: "".join(f"&#x{ord(c):x};" for c in t),
}
FORMS = GLUED | ENCODED | WRAPPED


def zipped(content: bytes, name: str = "leak.txt") -> bytes:
    """Return a zip archive with one file."""
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, content)
    return file.getvalue()


def tar(content: bytes, name: str = "leak.txt", mode: str = "w:gz") -> bytes:
    """Return a tar archive with one file, by default compressed."""
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode=mode) as archive:
        info = tarfile.TarInfo(name)
        info.size = len(content)
        archive.addfile(info, io.BytesIO(content))
    return file.getvalue()


def encrypted_zip(name: str = "secret.txt") -> bytes:
    """Return a zip archive whose one file says that it is encrypted."""
    content = bytearray(zipped(b"x" * 100, name))
    content[6] |= 1  # the flag in the entry's own header, and in the directory
    content[content.index(b"PK\x01\x02") + 8] |= 1
    return bytes(content)


def xlsx(text: str) -> bytes:
    """Return what of a workbook has its texts."""
    strings = f"<sst><si><t>Token</t></si><si><t>{text}</t></si></sst>"
    return zipped(strings.encode(), "xl/sharedStrings.xml")


def docx(text: str) -> bytes:
    """Return what of a document has its text, which Word has split at a spelling mark."""
    body = f"<w:t>{text[:9]}</w:t></w:r><w:proofErr/><w:r><w:t>{text[9:]}</w:t></w:r>"
    return zipped(body.encode(), "word/document.xml")


#: Files, archives and documents.
FILES: dict[str, FileForm] = {
    "UTF-16": lambda t: t.encode("utf-16"),
    "UTF-32": lambda t: t.encode("utf-32"),
    "zero-width spaces in UTF-16": lambda t: with_invisible(t).encode("utf-16-be"),
    "gzip": lambda t: gzip.compress(t.encode()),
    "the second of two gzip files": lambda t: gzip.compress(b"x") + gzip.compress(t.encode()),
    "what is behind gzip": lambda t: gzip.compress(b"x") + t.encode(),
    "zip": lambda t: zipped(t.encode()),
    "a name in a zip": lambda t: zipped(b"x", f"{t}.txt"),
    "tar": lambda t: tar(t.encode(), mode="w:"),
    "tar.gz": lambda t: tar(t.encode()),
    "a name in a tar.gz": lambda t: tar(b"x", f"{'folder/' * 30}{t}"),
    "xlsx": xlsx,
    "docx": docx,
    "UTF-16 in a zip": lambda t: zipped(t.encode("utf-16")),
    "UTF-16 in a tar.gz": lambda t: tar(t.encode("utf-16-le")),
    "zip in zip in zip": lambda t: zipped(zipped(zipped(t.encode()))),
    "xlsx in a zip in a tar.gz": lambda t: tar(zipped(xlsx(t))),
    "tar.gz in tar.gz in tar.gz": lambda t: tar(tar(tar(t.encode()))),
    "a mail with a zip": lambda t: mail("hello", attached=zipped(t.encode())),
    "a mail with a docx in a zip": lambda t: mail("hello", attached=zipped(docx(t))),
    "a zip of mails with xlsx": lambda t: zipped(mail("hello", attached=xlsx(t)), "a.eml"),
    "gzip in base64": lambda t: b"key: " + base64.b64encode(gzip.compress(t.encode())),
    "zip in base64 in JSON in gzip": lambda t: gzip.compress(
        json.dumps({"file": base64.b64encode(zipped(t.encode())).decode()}).encode()
    ),
}
