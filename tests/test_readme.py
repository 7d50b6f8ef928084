"""What README says is what the code has."""

import re
from pathlib import Path
from typing import Any

import pytest

from lib.domain.actions import ACTIONS
from lib.domain.csv_writer import disarm, undo_disarm
from lib.domain.roles import PERMISSIONS, Permission, Role
from lib.domain.states import Action
from lib.operations.imports.schema import SCHEMAS
from lib.settings import ROOT, Settings
from lib.ui.navigation import menu
from lib.wording.labels import PERMISSION_WORDS

README = (ROOT / "README.md").read_text()


def table_after(heading: str) -> dict[str, str]:
    """Return the first column of the first table after `heading`, with the rest of each row."""
    section = README.split(f"## {heading}\n")[1].split("\n## ")[0]
    rows = [line.strip("|").split("|") for line in section.splitlines() if line.startswith("|")]
    return {cells[0].strip(): "|".join(cells[1:]) for cells in rows[2:]}


class TestReadme:
    """Settings, actions, pages, files and commands, compared with the code."""

    def test_it_names_every_setting_and_no_other(self) -> None:
        """The table of settings and the class of settings have the same names."""
        fields = {
            f"`{field.validation_alias or f'TOKEN_DESK_{name.upper()}'}`"
            for name, field in Settings.model_fields.items()
        }
        assert set(table_after("Settings")) == fields

    @pytest.mark.parametrize("action", Action)
    def test_it_names_every_action_as_the_menu_does(self, action: Action) -> None:
        """Both names of each action stand in README."""
        assert ACTIONS[action].name_for_one in README
        assert ACTIONS[action].name_for_many in README

    @pytest.mark.parametrize(
        "item", [*menu.TOP_PAGES, *menu.ORGANIZATION_PAGES], ids=lambda item: item.url_path
    )
    def test_it_names_every_page_as_the_menu_does(self, item: menu.PageEntry) -> None:
        """Each page's title in the menu stands in README, and its file exists."""
        if item is not menu.LICENSE:  # reached as the service's own item
            assert item.title in README
        assert (ROOT / "pages" / item.file).is_file()

    @pytest.mark.parametrize("permission", Permission)
    def test_it_says_which_role_may_do_what(self, permission: Permission) -> None:
        """The table of roles is the one that every use case asks."""
        told = table_after("Roles")[PERMISSION_WORDS[permission]].split("|")[: len(Role)]
        assert [cell.strip() == "✓" for cell in told] == [
            permission in PERMISSIONS[role] for role in Role
        ]

    def test_it_names_the_columns_that_the_importer_wants(self) -> None:
        """The required columns of each file are in its row of the table."""
        told = table_after("Use your own directory")
        for name, sheet in SCHEMAS.items():
            required = told[name].split("|")[0]
            assert set(re.findall(r"`([a-z_]+)`", required)) == set(sheet.required)

    def test_its_program_undoes_what_protects_a_csv(self) -> None:
        """What it shows to programs is what the importer does."""
        program = next(code for code in re.findall(r"```python\n(.*?)```", README, re.DOTALL))
        names: dict[str, Any] = {}
        exec(program, names)  # noqa: S102 - README's own lines
        for cell in (
            "=1",
            " +1",
            "\xa0@x",
            "a;=1",
            'a\r\n"-1',
            ";|x",
            "\n%1",
            "＝1",
            "O'Neil",
            "x",
        ):
            assert names["as_it_was"](disarm(cell)) == undo_disarm(disarm(cell)) == cell

    def test_its_pictures_and_paths_exist(self) -> None:
        """Every picture that README shows and every test path that it names is there."""
        for path in re.findall(r"\]\((data/[^)]+)\)", README):
            assert (ROOT / path).is_file(), path
        for module in re.findall(r"python -m (tests[.\w]+|lib[.\w]+)", README):
            path = Path(ROOT, *module.split("."))
            assert path.with_suffix(".py").is_file() or (path / "__main__.py").is_file(), module
