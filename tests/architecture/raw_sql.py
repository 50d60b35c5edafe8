"""Raw SQL of migrations: which statements old code bears. What is not listed here, it may not."""

import re
from collections.abc import Collection, Iterator
from typing import Final

_COMMENT: Final = r"--[^\n]*|/\*.*?\*/"
_TEXT: Final = r"(?P<tag>\$\w*\$).*?(?P=tag)|'(?:[^']|'')*'"
_HIDDEN: Final = re.compile(rf'(?P<comment>{_COMMENT})|{_TEXT}|(?P<name>"[^"]*")', re.DOTALL)

#: What only adds, or changes rows. `OR REPLACE` is missing on purpose: old code has the old one.
_ADDS: Final = re.compile(
    r"CREATE (TABLE|INDEX|VIEW|MATERIALIZED VIEW|FUNCTION|SEQUENCE|TYPE) .*"
    r"|CREATE POLICY (?!.*\bRESTRICTIVE\b).*"
    r"|(GRANT|COMMENT ON|INSERT INTO|UPDATE|ANALYZE) .*",
    re.IGNORECASE,
)
_ALTERS: Final = re.compile(
    r"ALTER TABLE (IF EXISTS )?(ONLY )?[\w.]+ (?P<actions>.*)", re.IGNORECASE
)
#: A column that old code can leave out; whatever else binds its rows is not.
_LEFT_OUT: Final = re.compile(
    r"ADD (COLUMN )?(IF NOT EXISTS )?"
    r"(?!(CONSTRAINT|CHECK|UNIQUE|PRIMARY|FOREIGN|EXCLUDE)\b)\w+ "
    r"(?!.*\b(CONSTRAINT|CHECK|UNIQUE|PRIMARY|REFERENCES)\b)"
    r"((?!.*\bNOT NULL\b).*|.*\b(DEFAULT(?! NULL\b)|GENERATED)\b.*)",
    re.IGNORECASE,
)
_ACTIONS: Final = re.compile(
    r"ALTER (COLUMN )?\w+ (SET DEFAULT .*|DROP NOT NULL|SET STORAGE \w+|SET STATISTICS \d+)"
    r"|(SET|RESET) ?\(\)"
    r"|VALIDATE CONSTRAINT \w+",
    re.IGNORECASE,
)
_ABOUT: Final = re.compile(
    r"(ALTER TABLE|CREATE (UNIQUE INDEX|TRIGGER|POLICY)\b.*? ON) (?P<table>\w+)", re.IGNORECASE
)


def unbearable(sql: str, *, new: Collection[str]) -> Iterator[str]:
    """Yield the statements that old code may not bear; it does not know the tables in `new`."""
    for statement in _bare(sql).split(";"):
        words = " ".join(statement.split())
        about = _ABOUT.match(words)
        if words and not _borne(words) and not (about and about["table"].lower() in new):
            yield words


def _borne(statement: str) -> bool:
    if altered := _ALTERS.fullmatch(statement):
        actions = (action.strip() for action in altered["actions"].split(","))
        return all(_LEFT_OUT.fullmatch(each) or _ACTIONS.fullmatch(each) for each in actions)
    return bool(_ADDS.fullmatch(statement))


def _bare(sql: str) -> str:
    """Return SQL without comments, and without what stands in quotes and brackets."""

    def without(found: re.Match[str]) -> str:
        return " " if found["comment"] else "quoted" if found["name"] else "''"

    bare, count = _HIDDEN.sub(without, sql), 1
    while count:  # from the inmost pair outwards
        bare, count = re.subn(r"\([^()]+\)", "()", bare)
    return bare
