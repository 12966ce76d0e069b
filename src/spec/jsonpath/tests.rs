//! Paths whose answers Jayway gave.

use super::*;
use crate::spec::object::{Allowance, Slash};

const STORE: &str = r#"{"store":{"book":[{"category":"reference","author":"Nigel Rees","title":"Sayings of the Century","price":8.95},{"category":"fiction","author":"Evelyn Waugh","title":"Sword of Honour","price":12.99},{"category":"fiction","author":"Herman Melville","title":"Moby Dick","isbn":"0-553-21311-3","price":8.99}],"bicycle":{"color":"red","price":19.95}},"expensive":10,"numbers":[1,2,3.5,4],"names":["a","b"],"empty":[],"nothing":null,"o-d d":{"x.y":1}}"#;

fn answer(path: &str, document: &str) -> String {
    let path = match Path::compile(path) {
        Ok(path) => path,
        Err(error) => return format!("invalid: {error}"),
    };
    let mut heap = Heap::new(Allowance { fuel: 1_000_000, memory: 1 << 22 });
    let root = heap.read(document).expect("a document");
    match path.read(&mut heap, root) {
        Ok(None) => "nothing".to_owned(),
        Ok(Some(value)) => {
            let mut out = String::new();
            heap.print_json(value, Slash::Plain, &mut out, 1 << 20, &|_, _| {}).expect("it fits");
            out
        }
        Err(error) => format!("error: {error}"),
    }
}

#[test]
fn paths_lead_where_jayway_goes() {
    for (path, expected) in [
        ("$", STORE),
        ("$.expensive", "10"),
        ("expensive", "10"),
        ("$.nothing", "null"),
        ("$.missing", "nothing"),
        ("$.missing.deep", "nothing"),
        ("$.store.book[0].author", r#""Nigel Rees""#),
        ("$['store']['book'][-1]['title']", r#""Moby Dick""#),
        ("$.store.book[9]", "nothing"),
        ("$.store.book[9].title", "nothing"),
        ("$.store.book[*].price", "[8.95,12.99,8.99]"),
        ("$.store.book[0,2].price", "[8.95,8.99]"),
        ("$.store.book[:2].price", "[8.95,12.99]"),
        ("$.store.book[1:].price", "[12.99,8.99]"),
        ("$.store.book[-2:].price", "[12.99,8.99]"),
        ("$.store.book[1:2].price", "[12.99]"),
        ("$..price", "[8.95,12.99,8.99,19.95]"),
        ("$..missing", "[]"),
        ("$.store.*.color", r#"["red"]"#),
        ("$['expensive','nothing','missing']", r#"{"expensive":10,"nothing":null}"#),
        ("$.o-d d", "invalid: invalid path: use brackets, ['my prop'], for a property with blanks"),
        ("$['o-d d']['x.y']", "1"),
        ("$.store.book[?(@.isbn)].title", r#"["Moby Dick"]"#),
        ("$.store.book[?(!@.isbn)].price", "[8.95,12.99]"),
        ("$.store.book[?(@.price < $.expensive)].price", "[8.95,8.99]"),
        ("$.store.book[?(@.price > 8.96 && @.category == 'fiction')].price", "[12.99,8.99]"),
        ("$.store.book[?(@.author =~ /.*rees/i)].price", "[8.95]"),
        ("$.store.book[?(@.category in ['reference','x'])].price", "[8.95]"),
        ("$.store.book[?(@.category nin ['reference'])].price", "[12.99,8.99]"),
        ("$.store.book[?(@.title contains 'of')].price", "[8.95,12.99]"),
        ("$.store.book[?(@.title size 9)].price", "[8.99]"),
        ("$.store.book[?(!(@.price < 9) || @.isbn)].price", "[12.99,8.99]"),
        ("$.numbers.length()", "4"),
        ("$.numbers.min()", "1.0"),
        ("$.numbers.max()", "4.0"),
        ("$.numbers.avg()", "2.625"),
        ("$.numbers.sum()", "10.5"),
        ("$.numbers.first()", "1"),
        ("$.numbers.last()", "4"),
        ("$.numbers.index(1)", "2"),
        ("$.names.concat()", r#""ab""#),
        ("$.store.keys()", r#"["book","bicycle"]"#),
        ("$.empty.min()", "error: a function was called on something without numbers"),
        ("$.expensive.length()", "null"),
        ("$.sum($.numbers)", "10.5"),
        ("$..book.length()", "3"),
        ("$.expensive[?(@.x)]", "error: a filter needs an array or an object"),
    ] {
        assert_eq!(answer(path, STORE), expected, "{path}");
    }
}

#[test]
fn broken_paths_are_refused() {
    for path in [
        "",
        " ",
        "$.",
        "$..",
        "$x",
        "$[",
        "$['a'",
        "$['a' 'b']",
        "$['a',]",
        "$[?(@.a]",
        "$[?(@.a ==)]",
        "$[?()]",
        "$[a]",
        "$[1:2:x]",
        "$[:]",
        "$...a",
        "$.nope()",
        "$.sum(",
        "$[?(@.a =~ /x)]",
        "$[?(1)]",
        "$[99999999999]",
    ] {
        assert!(Path::compile(path).is_err(), "{path}");
    }
    let long = format!("${}", ".a".repeat(1000));
    let deep = format!("{}@.x{}", "$[?(".repeat(40), ")]".repeat(40));
    for path in [long, deep] {
        assert!(Path::compile(&path).is_err());
    }
}
