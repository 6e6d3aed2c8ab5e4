#!/usr/bin/env python3
"""Prints which features of an editor work in half-typed arguments of the macros, and in the block beside them."""

import matrix
from lsp import Document

HEAD = "mod base;\npub use base::*;\n"
FUNCTION = "pub async fn demo(other: Session) -> Result<(), Error> {\n    %s\n    Ok(())\n}\n"
CONTEXT = "#[async_context]\npub async fn demo() -> Result<Session, Error> {\n    let mut it = connect(1).await?;\n    %s;\n    it.id();\n    Ok(())\n}\n"
# By name: the code with the cursor at $0, what completion should offer, and a name with the type that a hover shows.
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


def main():
    server = matrix.start()
    print(server.info)
    for name, (code, completion, hover) in STATES.items():
        text = HEAD + code
        cursor = text.index("$0")
        document = Document(server, "src/lib.rs", text.replace("$0", ""))
        row = ["completion" if matrix.offers(document.complete(cursor), completion) else "-"]
        if hover:
            word, shown = hover
            row.append("hover" if shown in document.hover(document.find("let " + word, word)) else "-")
            row.append("definition" if document.definitions(document.find(".id();", "id")) else "-")
        if name == "names":
            resource = document.find("with!(s =", "s =")
            row.append("type of the resource" if "Session" in document.hover(resource) else "-")
            row.append("rename" if len(document.rename(resource, "it") or []) == 3 else "-")
        row.append("%d diagnostics" % len(document.diagnostics()))
        print(f"{name:36}" + ", ".join(row), flush=True)


if __name__ == "__main__":
    main()
