"""The declared paths of the dashboard, and a thousand similar ones that are not declared."""

from random import Random

from lib.ui.navigation.page_registry import ORGANIZATION_PAGES, TOP_PAGES, UNLISTED_PAGES

PAGES = [
    "/",
    *(f"/{item.url_path}" for item in (*TOP_PAGES, *UNLISTED_PAGES, *ORGANIZATION_PAGES)),
    "/service-erecording",
    "/service-no-such-service",
]
OF_MACHINES = ["/_stcore/health", "/_stcore/host-config", "/healthz", "/readyz"]
#: Where a gateway whose address has a typo would ask.
TYPOS = [
    "/verify",
    "/v1/verify",
    "/desk/api/v1/verify",
    "/API/V1/verify",
    "/api/v1verify",
    "/api/v2/verify",
    "/api/verify",
    "/apiv1/verify",
    "/Api/v1/verify/",
    "/api/v1",
]
_DECLARED = [*PAGES[1:], *OF_MACHINES, "/api/v1/verify", "/auth/login", "/oauth2callback"]


def _lookalikes(path: str) -> list[str]:
    """Return what a typing error, a client or an attacker makes of a declared path."""
    name = path.removeprefix("/")
    return [
        path.upper(),
        path.title(),
        f"{path}/" if path.count("/") == 1 else f"{path}//",
        f"/{path}",
        f"//{path}",
        f"/.{path}",
        f"/..{path}",
        f"/x/..{path}",
        f"/desk{path}",
        f"/desk/{name}/",
        f"{path}/x" if "verify" not in path else f"/x{path}/x",
        f"{path}/.." if "verify" not in path else f"/x{path}/..",
        f"{path}.html" if "verify" not in path else "/verify.html",
        f"{path};x" if "verify" not in path else "/verify;x",
        f"{path} " if "verify" not in path else "/verify ",
        f"{path}\0" if "verify" not in path else "/verify\0",
        f"{path}\n" if "verify" not in path else "/verify\n",
        path.replace("e", "é", 1) if "e" in path else f"{path}é",
        path.replace("a", "\N{CYRILLIC SMALL LETTER A}", 1) if "a" in path else f"{path}а",
        f"/{name[::-1]}",
        f"/{name[1:]}",
        f"\\{name}",
        f"/{name}%2f" if "verify" not in path else "/verify%2f",
        f"/{name}?" if "verify" not in path else "/verify?",
        f"/static{path}",
        f"/static/..{path}",
        f"/component{path}",
        f"/app/static{path}",
    ]


def undeclared(most: int = 1_000) -> list[str]:
    """Return at least `most` paths that are not declared, the same ones each time."""
    random = Random(8)  # noqa: S311 - to be made again
    found = dict.fromkeys([*TYPOS, "/_stcore/stream", "/index.html", "/root", "/service-"])
    found["/" + "x" * 10_000] = None
    found |= dict.fromkeys(like for path in _DECLARED for like in _lookalikes(path))
    found |= dict.fromkeys(["/service-" + "x" * 33, "/service-É", "/service-a/b", "/service-A"])
    for path in (*PAGES, *OF_MACHINES):
        found.pop(path, None)
    others = [path for path in found if not path.startswith(("/api/v1/", "/media/"))]
    while len(others) < most:
        others.append("/" + "".join(random.choices("abcdefghijklmnopqrstuvwxyz-/.%", k=12)))
    return others
