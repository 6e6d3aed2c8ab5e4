#!/usr/bin/env python3
"""Completion, hover and definition in the arguments of the macros while they are typed, and in the block beside."""

import sys
import time

import matrix
from lsp import Doc

HEAD = "mod base;\npub use base::*;\n"
FUNCTION = "pub async fn demo(other: Session) -> Result<(), Error> {\n    %s\n    Ok(())\n}\n"
CONTEXT = "#[async_context]\npub async fn demo() -> Result<Session, Error> {\n    let mut it = connect(1).await?;\n    %s;\n    it.id();\n    Ok(())\n}\n"
# name: (code, what completion is to find, a name to hover over and what it shows)
STATES = {
    "names": (
        FUNCTION % 'async_with!(s = session(1)?, { let who = s.$0id(); s.query("x").await?; });',
        "id",
        ("who", "u32"),
    ),
    "s = sess|": (FUNCTION % "async_with!(s = sess$0);", "session", None),
    "s = sess|, {}": (
        FUNCTION % "async_with!(s = sess$0, { let who = other.id(); });",
        "session",
        ("who", "u32"),
    ),
    "s = session(other.|)": (FUNCTION % "async_with!(s = session(other.$0));", "id", None),
    "s = session(other.|)?, {}": (
        FUNCTION % "async_with!(s = session(other.$0)?, { let who = s.id(); });",
        "id",
        ("who", "u32"),
    ),
    "s = other.|, {}": (
        FUNCTION % "async_with!(s = other.$0, { let who = other.id(); });",
        "id",
        ("who", "u32"),
    ),
    "2nd: a = session(s.|)?, {}": (
        FUNCTION % "async_with!(s = session(1)?, a = session(s.$0)?, { let who = s.id(); });",
        "id",
        ("who", "u32"),
    ),
    "2nd: a = s.|, {}": (
        FUNCTION % "async_with!(s = session(1)?, a = s.$0, { let who = s.id(); });",
        "id",
        ("who", "u32"),
    ),
    "join(s = session(other.|)?)": (
        FUNCTION % "async_with!(join(s = session(other.$0)?, b = session(2)?), { let who = s.id(); });",
        "id",
        ("who", "u32"),
    ),
    "no comma: s = session(1)? {}": (
        FUNCTION % "async_with!(s = session(1)? { let who = s.$0id(); });",
        "id",
        ("who", "u32"),
    ),
    "arrow: s = session(1)? => {}": (
        FUNCTION % "async_with!(s = session(1)? => { let who = s.$0id(); });",
        "id",
        ("who", "u32"),
    ),
    "#[within(s = sess|)]": (
        "#[within(s = sess$0)]\n" + FUNCTION % "let who = other.id();",
        "session",
        ("who", "u32"),
    ),
    "#[within(s = session(other.|)?)]": (
        "#[within(s = session(other.$0)?)]\n" + FUNCTION % "let who = s.id();",
        "id",
        ("who", "u32"),
    ),
    "#[async_context(scop)]": (
        CONTEXT.replace("#[async_context]", "#[async_context(scop)]")
        % "let who = it.$0id(); yield_resource!(it)",
        "id",
        ("who", "u32"),
    ),
    "yield_resource!(it.|)": (CONTEXT % "let who = it.id(); yield_resource!(it.$0)", "count", ("who", "u32")),
    "yield_resource!(i|)": (CONTEXT % "let who = it.id(); yield_resource!(i$0)", "it", ("who", "u32")),
}

if __name__ == "__main__":
    ra = matrix.start(matrix.A.demo)
    for _ in range(30):
        result, _ = matrix.check(ra, matrix.PLACES["plain"], *matrix.STATES["compiles"])
        if result["C"] and result["H"]:
            break
        time.sleep(1)
    print(ra.info)
    for name, (code, wanted, hover) in STATES.items():
        text = HEAD + code
        cursor = text.index("$0")
        text = text.replace("$0", "")
        doc = Doc(ra, "src/lib.rs", text)
        found = matrix.wanted(doc.complete(cursor), wanted)
        row = ["completion" if found else "-"]
        if hover:
            word, shown = hover
            at = doc.find("let " + word, word)
            row.append("hover" if shown in doc.hover(at) else "-")
            use = doc.find(".id();", "id")
            row.append("definition" if doc.goto(use) else "-")
        if name == "names":
            declared = doc.find("with!(s =", "s =")
            row.append("type of the resource" if "Session" in doc.hover(declared) else "-")
            renamed = doc.rename(declared, "it")
            row.append("rename" if isinstance(renamed, list) and len(renamed) == 3 else "-")
        row.append("%d diagnostics" % len(doc.diags()))
        print(f"{name:36}" + ", ".join(row), flush=True)
    sys.exit(0)
