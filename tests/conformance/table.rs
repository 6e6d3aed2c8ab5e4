//! Compares the tables of `from_python.md` with these tests and with the names of `contextlib`.

use std::collections::BTreeMap;

const GUIDE: &str = include_str!("../../docs/from_python.md");

macro_rules! sources {
    ($($module:ident)+) => {
        [$((stringify!($module), include_str!(concat!(stringify!($module), ".rs")))),+]
    };
}

/// The modules whose tests are rows of the table.
const SOURCES: [(&str, &str); 10] = sources! {
    abstract_async_context_manager
    aclosing
    async_context_manager
    async_exit_stack
    async_nullcontext
    base_exit_stack
    context_decorator
    context_manager
    nullcontext_and_closing
    suppress
};

/// The other modules. Their tests, if any, are no rows.
const SUPPORT: [&str; 5] = ["raised", "reports", "stack_against_nesting", "table", "ui"];

/// The names that `contextlib` gives to its users, and the methods of its exit stacks.
const PYTHON_NAMES: [&str; 24] = [
    "asynccontextmanager",
    "contextmanager",
    "AbstractAsyncContextManager",
    "AbstractContextManager",
    "AsyncContextDecorator",
    "ContextDecorator",
    "aclosing",
    "closing",
    "nullcontext",
    "suppress",
    "redirect_stdout",
    "redirect_stderr",
    "chdir",
    "AsyncExitStack",
    "ExitStack",
    "AsyncExitStack.enter_async_context",
    "AsyncExitStack.enter_context",
    "AsyncExitStack.push_async_exit",
    "AsyncExitStack.push",
    "AsyncExitStack.push_async_callback",
    "AsyncExitStack.callback",
    "AsyncExitStack.pop_all",
    "AsyncExitStack.aclose",
    "ExitStack.close",
];

/// The numbers of all rows, in their order.
fn expected_rows() -> Vec<String> {
    let python_13 = (1..=58).map(|number| number.to_string());
    let sync = [("s", 4), ("d", 9), ("u", 8), ("n", 1), ("l", 1)];
    let sync = sync
        .into_iter()
        .flat_map(|(letter, last)| (1..=last).map(move |number| format!("{letter}{number}")));
    python_13.chain(sync).collect()
}

/// The cells of the table under a heading, row by row, without the head of the table.
fn table(heading: &str) -> Vec<Vec<&'static str>> {
    let (_, section) = GUIDE
        .split_once(&format!("\n## {heading}\n"))
        .unwrap_or_else(|| panic!("no heading `{heading}`"));
    let section = section.split("\n## ").next().unwrap_or_default();
    let rows = section.lines().filter_map(|line| line.strip_prefix("| "));
    let cells = rows.map(|row| {
        row.trim_end_matches('|')
            .split(" | ")
            .map(str::trim)
            .collect()
    });
    cells.skip(1).collect()
}

/// The words in backquotes in a cell.
fn quoted(cell: &str) -> Vec<&str> {
    cell.split('`').skip(1).step_by(2).collect()
}

struct Row {
    number: &'static str,
    python: Vec<&'static str>,
    ours: Vec<&'static str>,
    remark: &'static str,
}

fn rows() -> Vec<Row> {
    let row = |cells: Vec<&'static str>| match cells[..] {
        [number, python, ours, remark] => Row {
            number,
            python: quoted(python),
            ours: quoted(ours),
            remark,
        },
        _ => panic!("a row has four cells: {cells:?}"),
    };
    table("Row by row").into_iter().map(row).collect()
}

/// The row that the first line of a comment names.
fn row_of(comment: &str) -> Option<&str> {
    let (number, _) = comment.strip_prefix("Row ")?.split_once(". ")?;
    Some(number)
}

/// The tests and their rows, in the order of the files.
fn suite() -> Vec<(String, String)> {
    let mut tests = Vec::new();
    for (module, source) in SOURCES {
        let mut comment = None;
        let mut is_test = false;
        for line in source.lines() {
            if let Some(text) = line.strip_prefix("/// ") {
                comment = comment.or(Some(text));
            } else if line == "#[test]" {
                is_test = true;
            } else if !line.starts_with("#[") && !line.starts_with("///") {
                if is_test {
                    let name = line
                        .trim_start_matches("fn ")
                        .split('(')
                        .next()
                        .unwrap_or_default();
                    let row = comment.and_then(row_of);
                    let row =
                        row.unwrap_or_else(|| panic!("the comment of {module}::{name} has no row"));
                    tests.push((row.to_owned(), format!("{module}::{name}")));
                }
                comment = None;
                is_test = false;
            }
        }
    }
    tests
}

/// The tests about code that must not compile, and their rows.
fn ui_suite() -> Vec<(String, String)> {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/conformance/ui");
    let files = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path());
    let cases = files.filter(|path| path.extension().is_some_and(|extension| extension == "rs"));
    let case = |path: std::path::PathBuf| {
        let name = path.file_name().unwrap().to_str().unwrap().to_owned();
        let source = std::fs::read_to_string(&path).unwrap();
        let row = source.strip_prefix("//! ").and_then(row_of);
        let row = row
            .unwrap_or_else(|| panic!("the comment of {name} has no row"))
            .to_owned();
        assert!(
            name.starts_with(&format!("row_{row}_")),
            "the comment of {name} has the row {row}"
        );
        (row, format!("ui/{name}"))
    };
    cases.map(case).collect()
}

fn by_row<N: Into<String>>(
    tests: impl IntoIterator<Item = (N, String)>,
) -> BTreeMap<String, Vec<String>> {
    let mut rows = BTreeMap::<_, Vec<_>>::new();
    for (row, test) in tests {
        rows.entry(row.into()).or_default().push(test);
    }
    for tests in rows.values_mut() {
        tests.sort();
    }
    rows
}

#[test]
fn the_table_has_every_row_in_order() {
    let rows: Vec<_> = rows().iter().map(|row| row.number).collect();
    assert_eq!(rows, expected_rows());
}

#[test]
fn the_table_names_every_test_in_its_row_and_no_other() {
    let listed = rows().into_iter().flat_map(|row| {
        row.ours
            .into_iter()
            .map(move |test| (row.number, test.to_owned()))
    });
    let tests = suite().into_iter().chain(ui_suite());
    assert_eq!(by_row(listed), by_row(tests));
}

#[test]
fn a_row_without_a_test_has_a_remark() {
    for row in rows() {
        assert!(
            !row.ours.is_empty() || !row.remark.is_empty(),
            "row {}",
            row.number
        );
    }
}

#[test]
fn tests_have_the_names_of_pythons_tests() {
    for row in rows() {
        for ours in row.ours {
            let name = match ours.strip_prefix("ui/row_") {
                None => ours.rsplit("::").next().unwrap_or_default(),
                Some(file) => &file[row.number.len() + 1..],
            };
            let is_after = |python: &str| {
                let python = python
                    .strip_prefix("test_")
                    .unwrap_or(python)
                    .to_lowercase();
                name.strip_prefix("test_")
                    .unwrap_or(name)
                    .starts_with(&python)
            };
            // One row stands for no test of Python's.
            let is_named =
                row.python.is_empty() || row.python.iter().any(|python| is_after(python));
            assert!(
                is_named,
                "row {}: {ours} is not named after {:?}",
                row.number, row.python
            );
        }
    }
}

#[test]
fn tests_are_in_the_order_of_the_rows() {
    let order = expected_rows();
    let place = |row: &str| order.iter().position(|expected| expected == row);
    for (module, _) in SOURCES {
        let tests = suite();
        let rows: Vec<_> = tests
            .iter()
            .filter(|(_, test)| test.starts_with(&format!("{module}::")))
            .map(|(row, _)| (place(row), row))
            .collect();
        assert!(rows.is_sorted(), "{module}: {rows:?}");
        assert!(!rows.is_empty(), "{module} has no tests");
    }
}

#[test]
fn every_module_is_in_one_of_the_lists() {
    let modules = include_str!("main.rs")
        .lines()
        .filter_map(|line| line.strip_prefix("mod "));
    let mut modules: Vec<_> = modules.map(|module| module.trim_end_matches(';')).collect();
    modules.sort_unstable();
    let mut known: Vec<_> = SOURCES
        .iter()
        .map(|(module, _)| *module)
        .chain(SUPPORT)
        .collect();
    known.sort_unstable();
    assert_eq!(modules, known);
}

#[test]
fn the_table_has_every_name_of_contextlib() {
    let lines = table("Names");
    let named: Vec<_> = lines.iter().flat_map(|cells| quoted(cells[0])).collect();
    for name in PYTHON_NAMES {
        assert!(named.contains(&name), "`{name}` is missing");
    }
    for cells in lines {
        assert!(cells.len() == 2 && !cells[1].is_empty(), "{cells:?}");
    }
}
