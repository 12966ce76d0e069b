//! Reading, printing, arithmetic.

use super::*;

fn heap<'a>() -> Heap<'a> {
    Heap::new(Allowance { fuel: 1_000_000, memory: 1 << 20 })
}

fn printed(heap: &Heap<'_>, value: Value<'_>) -> String {
    let mut out = String::new();
    // The lifetimes meet here: both are shortened to the borrow.
    heap.print(value, &mut out, 1 << 20, &|_, _| {}).expect("it fits");
    out
}

#[test]
fn documents_are_read_and_printed_as_javas_objects_and_as_json() {
    for (text, java, json) in [
        (r#"{"a":1,"b":[true,null,"x/y"]}"#, r#"{a=1, b=[true,null,"x\/y"]}"#, r#"{"a":1,"b":[true,null,"x/y"]}"#),
        (r#"[{"foo":"bar"}]"#, r#"[{"foo":"bar"}]"#, r#"[{"foo":"bar"}]"#),
        ("{statusCode: 200,}", "{statusCode=200}", r#"{"statusCode":200}"#),
        ("{'a': word, b: [1,,2,]}", "{a=word, b=[1,2]}", r#"{"a":"word","b":[1,2]}"#),
        ("  1.50 ", "1.5", "1.5"),
        ("12345678901234567890", "12345678901234567890", "12345678901234567890"),
        ("1e10", "1.0E10", "1.0E10"),
        (r#""é\u00e9\ud83d\ude00\n""#, "éé😀\n", "\"éé😀\\n\""),
        (r#"{"a":1,"b":2,"a":3}"#, "{a=3, b=2}", r#"{"a":3,"b":2}"#),
    ] {
        let mut heap = heap();
        let value = heap.read(text).expect(text);
        assert_eq!(printed(&heap, value), java, "{text}");
        let mut out = String::new();
        heap.print_json(value, Slash::Plain, &mut out, 1 << 20, &|_, _| {}).expect("it fits");
        assert_eq!(out, json, "{text}");
    }
    for text in ["", "{", "[1", "word", "{\"a\"}", "\"open", "{} x", "\"\\u12\"", "]", "{]", "[}"] {
        assert!(matches!(heap().read(text), Err(NotJson::Syntax { .. })), "{text}");
    }
    let deep = "[".repeat(300) + &"]".repeat(300);
    assert_eq!(heap().read(&deep).unwrap_err(), NotJson::Exceeded(Exceeded::Depth));
}

#[test]
fn a_map_keeps_its_order_and_finds_its_keys_while_it_grows_and_shrinks() {
    let mut heap = heap();
    let id = heap.map().expect("room");
    let keys: Vec<String> = (0..200).map(|n| format!("key{n}")).collect();
    for (n, key) in keys.iter().enumerate() {
        let key = heap.text(key.clone()).expect("room");
        assert!(heap.put(id, key, Value::Int(n as i32)).expect("room").is_none());
    }
    for n in (0..200).step_by(3) {
        let key = heap.text(keys[n].clone()).expect("room");
        assert!(matches!(heap.remove(id, key), Ok(Some(Value::Int(at))) if at == n as i32));
    }
    let left: Vec<usize> = (0..200).filter(|n| n % 3 != 0).collect();
    let found: Vec<i32> = heap.dict(id).entries().iter().map(|(_, value)| heap.int(*value)).collect();
    assert_eq!(found, left.iter().map(|n| *n as i32).collect::<Vec<_>>());
    for (n, key) in keys.iter().enumerate() {
        assert_eq!(heap.at(id, key).is_some(), n % 3 != 0, "{key}");
    }
    assert!(heap.put(id, Value::Int(1), Value::Bool(true)).expect("room").is_none());
    assert!(matches!(heap.get(id, Value::Int(1)), Ok(Some(Value::Bool(true)))));
    assert!(matches!(heap.get(id, Value::Long(1)), Ok(None)));
}

#[test]
fn doubles_print_as_java_prints_them() {
    for (number, text) in [
        (0.0, "0.0"),
        (-0.0, "-0.0"),
        (1.0, "1.0"),
        (249.99, "249.99"),
        (0.001, "0.001"),
        (0.0009, "9.0E-4"),
        (9999999.0, "9999999.0"),
        (1e7, "1.0E7"),
        (1.5e300, "1.5E300"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-Infinity"),
    ] {
        let mut out = String::new();
        java_double(number, &mut out);
        assert_eq!(out, text);
    }
}

#[test]
fn whole_numbers_grow_from_int_to_long_to_big() {
    let mut heap = heap();
    let cases = [
        (Operator::Add, Value::Int(i32::MAX), Value::Int(1), "2147483648"),
        (Operator::Add, Value::Long(i64::MAX), Value::Int(1), "9223372036854775808"),
        (Operator::Subtract, Value::Long(i64::MIN), Value::Int(1), "-9223372036854775809"),
        (Operator::Multiply, Value::Long(i64::MAX), Value::Long(i64::MAX), "85070591730234615847396907784232501249"),
        (Operator::Divide, Value::Int(-7), Value::Int(2), "-3"),
        (Operator::Modulo, Value::Int(-7), Value::Int(2), "-1"),
        (Operator::Divide, Value::Int(7), Value::Double(2.0), "3.5"),
    ];
    for (operator, left, right, text) in cases {
        let value = heap.arithmetic(operator, left, right).expect("fuel").expect("a number");
        assert_eq!(printed(&heap, value), text, "{operator:?}");
    }
    assert!(heap.arithmetic(Operator::Divide, Value::Int(1), Value::Int(0)).expect("fuel").is_none());
    let big = Big::parse("85070591730234615847396907784232501249").expect("digits");
    let small = Big::parse("-1234567890123456789").expect("digits");
    let (quotient, rest) = big.divide(&small).expect("no zero");
    assert_eq!(quotient.times(&small).plus(&rest), big);
    assert_eq!(
        (quotient.to_string(), rest.to_string()),
        ("-68907179921654658193".into(), "1220929346832178972".into())
    );
}

#[test]
fn what_contains_itself_is_printed_and_compared_within_bounds() {
    let mut heap = heap();
    let Ok(Value::List(list)) = heap.list(ListKind::Java, vec![]) else { panic!("no list") };
    heap.items_mut(list).push(Value::List(list));
    assert_eq!(printed(&heap, Value::List(list)), "[(this Collection)]");
    let Ok(Value::List(outer)) = heap.list(ListKind::Java, vec![Value::List(list)]) else { panic!("no list") };
    heap.items_mut(list)[0] = Value::List(outer);
    let mut out = String::new();
    assert_eq!(heap.print(Value::List(list), &mut out, 1 << 20, &|_, _| {}), Err(Exceeded::Depth));
    assert_eq!(heap.equals(Value::List(list), Value::List(outer)), Err(Exceeded::Depth));
}
