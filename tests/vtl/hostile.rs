//! Templates that mean harm: each ends, soon, with an output or an error, and never with a panic.

use super::generate::Generator;
use super::render;
use meridian::spec::vtl::{Limits, Overrides, Sample, Template};
use proptest::prelude::*;
use serde_json::json;
use std::time::{Duration, Instant};

const TIGHT: Limits = Limits { iterations: 1000, fuel: 300_000, memory: 8 << 20, output: 1 << 20 };

/// Renders on a stack as small as a thread's, and in a time that a slow debug build keeps.
fn bounded(name: &str, template: String) -> Result<String, String> {
    let begun = Instant::now();
    let run = std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(move || render(&template, &json!({"s": "str", "l": [1, 2, 3]}), &TIGHT).map_err(|error| error.message));
    let result = run.expect("a thread").join().unwrap_or_else(|_| panic!("{name} panicked"));
    assert!(begun.elapsed() < Duration::from_secs(20), "{name} took {:?}", begun.elapsed());
    result
}

#[test]
fn what_grows_without_end_is_stopped() {
    let loops = |body: &str| format!("#foreach($i in [1..1000])#foreach($j in [1..1000]){body}#end#end");
    for (name, template, message) in [
        ("nested loops", loops("#foreach($k in [1..1000])#end"), "it took more steps than are allowed"),
        (
            "doubled text",
            format!("#set($t = 'ab'){}", loops("#set($t = $t + $t)")),
            "it made more data than is allowed",
        ),
        ("repeated text", "#set($t = 'ab')$t.repeat(2000000000)".into(), "it made more data than is allowed"),
        (
            "doubled list",
            format!("#set($t = [1]){}", loops("#set($x = $t.addAll($t))")),
            "it made more data than is allowed",
        ),
        (
            "doubled map",
            "#set($m = {})#foreach($i in [1..1000])#set($m = {'a': $m, 'b': $m})#end$m".into(),
            "it is nested too deeply",
        ),
        (
            "doubled map, printed",
            "#set($m = {})#foreach($i in [1..60])#set($m = {'a': $m, 'b': $m})#end$m".into(),
            "its output is longer than allowed",
        ),
        (
            "doubled map, compared",
            "#set($m = {})#set($n = {})#foreach($i in [1..60])#set($m = {'a': $m, 'b': $m})#set($n = {'a': $n, 'b': $n})#end$m.equals($n)".into(),
            "it took more steps than are allowed",
        ),
        ("long output", format!("#set($t = $s.repeat(1000)){}", loops("$t")), "its output is longer than allowed"),
        ("own list", "#set($x = $l.add($l))#set($y = [$l])#set($z = $l.add($y))$l".into(), "it is nested too deeply"),
        ("big numbers", format!("#set($n = 9){}", loops("#set($n = $n * $n)")), "it made more data than is allowed"),
        ("long range", "#foreach($i in [0..2000000000])#end".into(), "it made more data than is allowed"),
        ("long split", "#set($t = $s.repeat(100000))$t.split('').size()".into(), "it made more data than is allowed"),
        ("replaced", "#set($t = $s.repeat(1000))#set($u = $t.replace('s', $t))".into(), ""),
        (
            "slow pattern",
            format!("#set($t = $s.repeat(10000)){}", loops("$t.matches('(s|t|r|st|tr)*x')")),
            "it took more steps than are allowed",
        ),
        ("large pattern", "$s.matches('(((a{100}){100}){100})')".into(), ""),
        ("many names", loops("#set($m = {$i: $j, $j: $i})$m.get($i)"), "it took more steps than are allowed"),
    ] {
        match bounded(name, template) {
            Err(found) => assert!(message.is_empty() || found == message, "{name}: {found}"),
            Ok(text) => assert!(message.is_empty(), "{name}: {} bytes", text.len()),
        }
    }
}

#[test]
fn what_lies_too_deep_is_refused() {
    let many = |begin: &str, middle: &str, end: &str| format!("{}{middle}{}", begin.repeat(20_000), end.repeat(20_000));
    for (name, template) in [
        ("directives", many("#if(true)", "x", "#end")),
        ("parentheses", format!("#set($x = {})", many("(", "1", ")"))),
        ("negations", format!("#if({})x#end", many("!", "true", ""))),
        ("lists", format!("#set($x = {})", many("[", "", "]"))),
        ("calls", many("$s.concat(", "$s", ")")),
        ("indexes", many("$l[", "0", "]")),
        ("maps", format!("#set($x = {})", many("{'a':", "1", "}"))),
        ("else", format!("#if(true){}", "#elseif(true)".repeat(20_000))),
    ] {
        assert!(bounded(name, template).is_err(), "{name}");
    }
    for (name, template) in [
        ("sums", format!("#set($x = 1{})$x", " + 1".repeat(50))),
        ("blocks", format!("{}x{}", "#if(true)".repeat(60), "#end".repeat(60))),
    ] {
        assert!(bounded(name, template).is_ok(), "{name}");
    }
    let defined = "#define($d)$d#end$d";
    assert_eq!(bounded("a block in itself", defined.to_owned()), Ok("$d".to_owned()));
    let deep = format!("$util.parseJson(\"{}\")", "[".repeat(100_000));
    assert_eq!(bounded("deep JSON", deep), Err("it is nested too deeply".to_owned()));
}

#[test]
fn long_templates_are_parsed_in_linear_time() {
    for sign in
        ["\\", "$", "#", "!", "{", " ", "\"", "'", "##", "#*", "$!", "\\\\#", "a ", "$a", "$a.b", "#a", "${", "#[["]
    {
        let long = sign.repeat(300_000 / sign.len());
        let begun = Instant::now();
        let _ = Template::parse(&long);
        let _ = Template::parse(&format!("#set($x = {long}"));
        assert!(begun.elapsed() < Duration::from_secs(20), "{sign:?} took {:?}", begun.elapsed());
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(if std::env::var_os("MERIDIAN_TEST_ALL").is_some() { 20_000 } else { 400 }))]

    #[test]
    fn random_text_is_rendered_or_refused(text in "\\PC{0,80}") {
        let _ = render(&text, &json!({"s": "str"}), &TIGHT);
    }

    #[test]
    fn text_that_looks_like_a_template_is_rendered_or_refused(
        parts in prop::collection::vec(prop_oneof![
            Just("#set($x = "), Just("#if("), Just(")"), Just("#end"), Just("#foreach($i in "), Just("$"), Just("${"), Just("}"),
            Just("$s"), Just("$l"), Just(".a("), Just("["), Just("]"), Just("\""), Just("'"), Just("\\"), Just("#"), Just("*"),
            Just("$!"), Just("#["), Just("[1..3]"), Just(" + "), Just("1"), Just(".5"), Just("\n"), Just(" "), Just("é"), Just("#macro(q $a)"),
            Just("#q("), Just("#define($d)"), Just("$d"), Just("#break"), Just("#stop"), Just("!"), Just(","), Just(":"), Just("{"),
            Just("-1"), Just("&&"), Just("=="), Just(".substring(1)"), Just(".get(0)"), Just(".put('a',"), Just("\\u00"), Just("..")
        ], 0..40)
    ) {
        let _ = render(&parts.concat(), &json!({"s": "str", "l": [1, [2], {"a": null}]}), &TIGHT);
    }

    #[test]
    fn generated_templates_are_rendered_or_refused(seed: u64) {
        let template = Generator::new(seed).template();
        let _ = render(&template, &json!({"s": "str", "a": [1, 2], "m": {"k": "v"}, "n": 5}), &TIGHT);
    }
}

#[test]
fn steps_that_look_small_are_charged_for_what_they_move() {
    let loops = |body: &str| format!("#foreach($i in [1..1000])#foreach($j in [1..1000]){body}#end#end");
    let big = "#set($b = [])#foreach($i in [1..13])#set($x = $b.add($i))#set($x = $b.addAll($b))#end";
    let names: String = (0..5000).map(|n| format!("#set($v{n} = {n})")).collect();
    for (name, template) in [
        ("lists in lists", format!("{big}{}", loops("#set($x = $l.containsAll($b))"))),
        ("long arguments", format!("#set($t = $s.repeat(100000)){}", loops("#set($x = $s.equalsIgnoreCase($t))"))),
        ("many variables", format!("#macro(m){names}{}#end#m()", loops("$nope"))),
        (
            "many parameters",
            format!(
                "#macro(m {})#foreach($i in [1..1000])#foreach($j in [1..1000])$p0#end#end#end#m({})",
                (0..3000).map(|n| format!("$p{n} ")).collect::<String>(),
                "$s ".repeat(3000)
            ),
        ),
    ] {
        let found = bounded(name, template);
        assert!(matches!(&found, Err(message) if message.contains("than")), "{name}: {found:?}");
    }
}

/// Renders over a body with the limits that a node has.
fn over(name: &str, template: &str, body: String) -> Result<usize, String> {
    let template = Template::parse(template).map_err(|error| error.message)?;
    let begun = Instant::now();
    let text = template.render(&Sample { body, ..Sample::default() }, &mut Overrides::default(), &Limits::default());
    assert!(begun.elapsed() < Duration::from_secs(60), "{name} took {:?}", begun.elapsed());
    text.map(|text| text.len()).map_err(|error| error.message)
}

const FUEL: &str = "it took more steps than are allowed";
const MEMORY: &str = "it made more data than is allowed";

#[test]
fn large_bodies_cost_no_more_than_their_size() {
    let members: Vec<String> = (0..200_000).map(|n| format!("\"k{n}\":{n}")).collect();
    let map = format!("{{{}}}", members.join(","));
    assert!(over("entries", "$input.path('$').entrySet()", map).is_ok_and(|length| length > 2_000_000));
    let large = format!("{{\"a\":[],\"s\":\"{}\"}}", "x".repeat(10 << 20));
    assert_eq!(over("10 MB", "$input.path('$.s').length()", large.clone()), Ok(8));
    let loops = |body: &str| {
        format!("#set($d = $input.path('$'))#foreach($i in [1..1000])#foreach($j in [1..1000]){body}#end#end")
    };
    let names = loops("#set($x = $context.get($d.s))#set($x = $d.get($d.s))");
    assert_eq!(over("long names", &names, large.clone()), Err(FUEL.to_owned()));
    assert_eq!(
        over("long numbers", &loops("#set($x = $i.parseInt($d.s))"), large.clone()),
        Err("\"xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx\" is no such number".to_owned())
    );
    let joined = "#set($d = $input.path('$'))#foreach($i in [1..1000])#set($x = $d.a.add($d.s))#end$input.path('$.a.concat()').length()";
    assert_eq!(over("concat", joined, large.clone()), Err(MEMORY.to_owned()));
    let parts =
        "#set($d = $input.path('$'))#set($form = $d.s.replace('x', '%9999s'))$d.s.format($form, $d.s.split(''))";
    assert!(over("format", parts, large.replace("xxxxxxxxxx", "x")).is_err());
    assert_eq!(over("split", "$input.path('$.s').split('').size()", large), Err(FUEL.to_owned()));
}

#[test]
fn patterns_cost_what_they_may_take() {
    let text = format!("{{\"s\":\"{}\"}}", "ab".repeat(100_000));
    let s = "#set($s = $input.path('$.s'))";
    for (name, template, body) in [
        ("replaced with a look ahead", "$s.replaceAll('.*c|a', '').length()", &text),
        ("split with a look ahead", "$s.split('(b[ab]*c)?').size()", &text),
        ("many states", "$s.matches('([ab]?){1000}c')", &text),
        (
            "many patterns",
            "#foreach($i in [1..1000])#set($x = $s.substring(0, 20).matches(\"(?i)(\\p{L}|$i){20}\"))#end",
            &text,
        ),
        (
            "many paths",
            "#foreach($i in [1..1000])#foreach($j in [1..1000])#set($x = $input.path(\"$[?(@.s =~ /(\\p{L}|$i$j){20}/)]\"))#end#end",
            &text,
        ),
    ] {
        assert_eq!(over(name, &format!("{s}{template}"), body.clone()), Err(FUEL.to_owned()), "{name}");
    }
    assert_eq!(over("an ordinary pattern", &format!("{s}$s.replaceAll('a+', '').length()"), text), Ok(6));
}

#[test]
fn overrides_that_hold_one_map_many_times_are_stopped() {
    let doubled = "#set($m = {})#foreach($i in [1..60])#set($m = {'a': $m, 'b': $m})#end#set($context.requestOverride.header = $m)";
    assert_eq!(bounded("doubled overrides", doubled.to_owned()), Err(FUEL.to_owned()));
}

#[test]
fn long_chains_of_operators_are_refused_when_the_template_is_parsed() {
    for (name, first, more, end) in [
        ("sums", "#set($x = 1", " + 1", ")"),
        ("strings", "#set($x = $s", " + 'a'", ")"),
        ("conditions", "#if($s", " && $s", ")#end"),
        ("sums in parentheses", "#set($x = ((((1", " + 1", ")))))"),
    ] {
        let message = bounded(name, format!("{first}{}{end}", more.repeat(40_000))).expect_err(name);
        assert!(message.starts_with("more than 256 operators"), "{name}: {message}");
        assert!(bounded(name, format!("{first}{}{end}", more.repeat(100))).is_ok(), "{name}");
    }
    let deep = format!("#set($x = {}1{})", "(".repeat(90), " + 1)".repeat(90));
    assert!(bounded("sums in parentheses", deep).is_ok());
}
