"""Random templates, and the variables and other templates that they use."""

from __future__ import annotations

from random import Random
from typing import Any

import jinja2
from markupsafe import Markup


class Thing:
    """An object with attributes, items, HTML of its own, and a property that raises."""

    name = "thing <&>"
    items = ("first", "second")

    def __init__(self) -> None:
        self.count = 3

    def __getitem__(self, key: object) -> str:
        if key == "extra":
            return "<extra>"
        raise KeyError(key)

    def __str__(self) -> str:
        return "a 'thing'"

    def method(self, *arguments: object, **named: object) -> str:
        return f"<{arguments}{sorted(named)}>"

    @property
    def broken(self) -> str:
        raise ValueError("broken property")

    @property
    def absent(self) -> str:
        raise AttributeError("absent")

    @property
    def stops(self) -> str:
        raise StopIteration("stops")


class Html:
    def __html__(self) -> str:
        return "<b>html</b>"

    def __str__(self) -> str:
        return "<not html>"


@jinja2.pass_context
def show(context: jinja2.runtime.Context, *names: str) -> str:
    """What a function sees of the variables."""
    return ",".join(f"{name}={context.get(name)!r}" for name in ("a", "n", *names) if not callable(context.get(name)))


def fail(*_: object) -> str:
    raise LookupError("failed")


def stop() -> str:
    raise StopIteration


def variables() -> dict[str, Any]:
    return {
        "a": "text <&\"'>",
        "b": Markup("<i>marked</i>"),
        "n": 5,
        "f": 1.5,
        "none": None,
        "yes": True,
        "rows": [{"name": "one & two", "count": 1, "items": "shadow", "keys": 2}, {"name": "three", None: "none"}],
        "pairs": [("k", "v"), ("<k>", 2)],
        "odd": [(1, 2), (3,)],
        "tree": [{"name": "root", "rows": [{"name": "leaf <>", "rows": []}]}],
        "thing": Thing(),
        "html": Html(),
        "once": (number for number in range(3)),
        "empty": [],
        "show": show,
        "fail": fail,
        "stop": stop,
        "words": "one two",
    }


NAMES = ["a", "b", "n", "f", "none", "yes", "rows", "pairs", "odd", "thing", "html", "once", "empty", "missing", "x"]
NAMES += ["loop", "words", "tree", "row"]
ATTRIBUTES = ["name", "count", "items", "keys", "extra", "broken", "absent", "stops", "upper", "index", "method"]
FILTERS = ["upper", "lower", "length", "safe", "e", "default('d')", "d('<d>', true)", "first", "last", "join('<')"]
FILTERS += ["trim", "string", "list", "sort", "reverse", "int", "title", "sum", "batch(2)", "own", "unknown", "count"]
TESTS = ["defined", "undefined", "none", "string", "iterable", "divisibleby(2)", "in rows", "odd", "mapping", "unknown"]
OPERATORS = ["+", "-", "*", "/", "//", "%", "~", "~", "and", "or", "==", "!=", "<", ">=", "in", "not in"]
CONSTANTS = ["1", "0", "2.5", "'<c>'", '"text"', "none", "true", "[1, n]", "('x', a)", "{'k': a}", "[]", "'%s'", "''"]
CALLS = ["stop()", "loop.index", "loop.last", "loop.cycle('a', 'b')", "loop.changed(n)", "loop.length", "caller()"]
CALLS += ["loop.previtem", "loop.nextitem.name", "loop.revindex", "show('x', 'row')", "super()", "self.content()"]
FUNCTIONS = ["show", "thing.method", "fail", "m", "super", "words.split", "rows[0].get", "namespace", "joiner"]
LITERALS = ["text\n", "<p>", " & ", "\n", "é€😀", "{{ '{%' }}"]
TARGETS = ["x", "row", "k, v", "(k, (v, w))", "a"]
OTHERS = [
    "{% include 'absent' ignore missing %}",
    "{% import 'macros' as m %}{{ m.show_all(a) }}",
    "{% from 'macros' import pair as m %}{{ m(a) }}",
    "{% from 'macros' import nothing %}{{ nothing }}",
    "{% from 'macros' import show_all with context %}{{ show_all(n) }}",
    "{% do rows.append(1) %}",
    "{% include ['absent', 'part'] %}",
    "{% include a %}",
    "{% include 'fails' %}",
]

TEMPLATES = {
    "layout": (
        "<h1>{% block head %}head {{ a }}{% endblock %}</h1>\n"
        "{% for row in rows %}{% block inner scoped %}{{ row.name }}{% endblock %}{% endfor %}"
        "{% block content %}default {{ n }}{% endblock %}{{ self.head() }}"
    ),
    "part": "[{{ a }} {{ row.name }}{{ x }}{% for each in rows %}{{ each.name }}{{ loop.index0 }}{% endfor %}]",
    "fails": "one\n{{ a }}\n{% for row in rows %}\n{{ fail(row) }}{% endfor %}",
    "macros": (
        "{% macro pair(x, y='<y>') %}<{{ x }}|{{ y }}>{{ varargs }}{{ kwargs }}{% endmacro %}"
        "{% macro show_all(x) %}{{ pair(x) }}{{ caller() if caller else '' }}{{ broken.name }}{% endmacro %}"
    ),
}


class TemplateWriter:
    """Writes random templates.

    :param random: decides.
    """

    def __init__(self, random: Random) -> None:
        self.random = random

    def page(self) -> str:
        """A template; half of them extend another one."""
        if self.random.random() < 0.5:
            return self.body(4)
        name = self.random.choice(["inner", "head", "other"])
        before = self.random.choice(["", self.body(2)])
        return (
            f"{before}{{% extends 'layout' %}}{self.body(1)}{{% block content %}}{self.body(3)}{{% endblock %}}"
            f"{{% block {name} %}}{self.body(2)}{{% endblock %}}"
        )

    def body(self, depth: int) -> str:
        return "".join(self.piece(depth) for _ in range(self.random.randint(1, 3)))

    def piece(self, depth: int) -> str:
        choice = self.random.random()
        if choice < 0.25:
            return self.random.choice(LITERALS)
        if choice < 0.55 or depth <= 0:
            return f"{{{{ {self.expression(3)} }}}}"
        return self.statement(depth - 1)

    def statement(self, depth: int) -> str:
        writers = [
            self.write_if,
            self.write_for,
            self.write_for,
            self.write_set,
            self.write_scope,
            self.write_macro,
            lambda _: self.random.choice(OTHERS),
        ]
        return self.random.choice(writers)(depth)

    def write_if(self, depth: int) -> str:
        other = self.random.choice(["", f"{{% else %}}\n{self.body(depth)}"])
        return (
            f"{{%- if {self.expression(2)} %}}{self.body(depth)}{{% elif {self.expression(2)} %}}\n{self.body(depth)}"
            f"{other}{{% endif %}}"
        )

    def write_for(self, depth: int) -> str:
        body, expression = self.body(depth), self.expression(2)
        target = self.random.choice(TARGETS)
        loops = [
            f"{{% for {target} in {expression} %}}{body}{{% else %}}{self.body(depth)}{{% endfor %}}",
            f"{{% for row in rows if {expression} %}}\n{body}{{% endfor %}}",
            f"{{% for row in rows %}}\n{body}{{{{ loop.index }}}}{{{{ {expression} }}}}{{% endfor %}}",
            f"{{% for k, v in pairs %}}{body}{{{{ k }}}}{{{{ v }}}}{{% endfor %}}",
            f"{{% for row in tree recursive %}}{body}{{{{ row.name }}}}{{{{ loop(row.rows) }}}}{{% endfor %}}",
            f"{{% for x in once %}}{body}{{{{ x }}}}{{% if loop.last %}}.{{% endif %}}{{% endfor %}}",
        ]
        return self.random.choice(loops)

    def write_set(self, depth: int) -> str:
        expression = self.expression(2)
        statements = [
            f"{{% set {self.random.choice(['x', 'a', 'x, a', '_p'])} = {expression} %}}",
            f"{{% set x %}}{self.body(depth)}{{% endset %}}{{{{ x }}}}",
            f"{{% set ns = namespace(v=1) %}}{{% set ns.v = {expression} %}}{{{{ ns.v }}}}",
        ]
        return self.random.choice(statements)

    def write_scope(self, depth: int) -> str:
        body, expression = self.body(depth), self.expression(2)
        statements = [
            f"{{% with x = {expression}, y = x %}}{body}{{% endwith %}}",
            f"{{% filter {self.random.choice(['upper', 'e', 'trim'])} %}}{body}{{% endfilter %}}",
            f"{{% autoescape {self.random.choice(['true', 'false', 'yes', 'n > 9'])} %}}{body}{{% endautoescape %}}",
            f"{{% trans x={expression} %}}hello {{{{ x }}}} 5%{{% endtrans %}}",
            f"{{% trans count=n, x={expression} %}}one {{{{ x }}}}{{% pluralize %}}{{{{ count }}}}{{% endtrans %}}",
        ]
        return self.random.choice(statements)

    def write_macro(self, depth: int) -> str:
        body, expression = self.body(depth), self.expression(2)
        uses = self.random.choice(["{{ caller() }}", "{{ kwargs }}", "{{ varargs }}", "{{ y }}", ""])
        call = self.random.choice(["m(1)", "m(a, 2)", "m(x=1, z=2)", "m()", "m(1, 2, 3)", "m(1)|upper", "m(1) ~ a"])
        statements = [
            f"{{% macro m(x, y={expression}) %}}{body}{{{{ x }}}}{uses}{{% endmacro %}}{{{{ {call} }}}}",
            f"{{% macro m(x) %}}{{{{ caller(x) }}}}{{% endmacro %}}{{% call(z) m(a) %}}{body}{{% endcall %}}",
            f"{{% call m({expression}) %}}{body}{{% endcall %}}",
        ]
        return self.random.choice(statements)

    def expression(self, depth: int) -> str:
        choice = self.random.random()
        if depth <= 0 or choice < 0.3:
            return self.random.choice(NAMES if self.random.random() < 0.7 else CONSTANTS)
        one, two = self.expression(depth - 1), self.expression(depth - 1)
        expressions = [
            f"{one}.{self.random.choice(ATTRIBUTES)}",
            f"{one}['{self.random.choice(ATTRIBUTES)}']",
            f"{one}[{two}]",
            f"{one}|{self.random.choice(FILTERS)}",
            f"({one} is {self.random.choice(TESTS)})",
            f"({one} {self.random.choice(OPERATORS)} {two})",
            f"({one} < {two} <= {one})",
            f"({one} if {two} else {one})",
            f"({one} if {two})",
            f"(not {one})",
            f"(-{one})",
            f"{self.random.choice(FUNCTIONS)}({one})",
            f"thing.method({one}, key={two})",
            f"thing.method(*{one}, **{two})",
            f"{one}[{self.random.choice(['0', '1', 'n'])}:2]",
            self.random.choice(CALLS),
        ]
        return self.random.choice(expressions)
