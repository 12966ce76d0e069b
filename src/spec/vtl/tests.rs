//! Whole templates over a request: `$input`, `$util`, `$context`, overrides, errors with their place.

use super::*;
use serde_json::json;

fn request() -> Sample {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let fact = |branch, name: &str, value: &str| (branch, name.to_owned(), value.to_owned());
    Sample {
        body: r#"{"name":"Rex","tags":["a","b/c"],"owner":{"id":7,"url":"http://x/y"},"price":249.99,"none":null}"#
            .into(),
        parameters: [
            vec![pair("id", "p1"), pair("both", "from path")],
            vec![pair("page", "2"), pair("both", "from query")],
            vec![pair("X-Trace", "t1"), pair("both", "from header")],
        ],
        context: vec![
            fact("", "apiId", "a1b2c3d4e5"),
            fact("", "requestTimeEpoch", "1583349317135"),
            fact("identity", "sourceIp", "127.0.0.1"),
            fact("identity.clientCert", "subjectDN", "CN=x"),
            fact("identity.clientCert.validity", "notAfter", "never"),
            fact("authorizer", "principalId", "user1"),
            fact("authorizer.claims", "custom:role", "admin"),
            fact("error", "message", "no"),
        ],
        stage_variables: vec![pair("env", "prod"), pair("url", "example.com")],
        variables: Vec::new(),
    }
}

fn answer(source: &str, facts: &Sample) -> String {
    let template = match Template::parse(source) {
        Ok(template) => template,
        Err(error) => return format!("parse: {error}"),
    };
    match template.render(facts, &mut Overrides::default(), &Limits::default()) {
        Ok(text) => text,
        Err(error) => format!("render: {error}"),
    }
}

#[test]
fn the_payload_and_the_parameters_are_read_through_input() {
    let facts = request();
    for (source, expected) in [
        ("$input.json('$.name')", r#""Rex""#),
        ("$input.json('$')", facts.body.as_str()),
        ("$input.json('$.owner')", r#"{"id":7,"url":"http://x/y"}"#),
        ("$input.json('$.missing') $input.json('$.none')", r#""" null"#),
        ("$input.json(\"$.tags[0]\")", r#""a""#),
        ("$input.path('$.name') $input.path('$.price')", "Rex 249.99"),
        ("$input.path('$.owner') $input.path('$.tags')", r#"{id=7, url=http://x/y} ["a","b\/c"]"#),
        ("[$input.path('$.missing')]#if($input.path('$.missing') == $null)null#end", "[]null"),
        ("$input.path('$.tags').size() $input.path('$.tags[*]')", r#"2 ["a","b\/c"]"#),
        ("$input.body.missing|", "|"),
        ("$input.body.length()", "96"),
        ("$input.params('id') $input.params('page') $input.params('X-Trace')", "p1 2 t1"),
        ("$input.params('both') [$input.params('nope')] [$input.params('x-trace')]", "from path [] []"),
        ("$input.params().querystring", "{page=2, both=from query}"),
        ("$input.params().header.get('X-Trace') $input.params().path.keySet()", "t1 [id, both]"),
        ("#foreach($k in $input.params().path.keySet())$k=$input.params().path.get($k);#end", "id=p1;both=from path;"),
        ("#set($r = $input.path('$'))#set($r.name = 'Mia')$input.json('$.name')", r#""Mia""#),
        (
            "$input.path('$[')",
            "render: line 1, column 8: invalid path: cannot read what stands at position 1: expected ?, ', 0-9, *",
        ),
        ("$input.nope $input.nope() $input.json(1)|", "  |"),
    ] {
        assert_eq!(answer(source, &facts), expected, "{source}");
    }
    for (body, json, path) in [("", "{}", "{}"), ("no JSON", "\"\"", ""), ("[1,2.50]", "[1,2.5]", "[1,2.5]")] {
        let facts = Sample { body: body.into(), ..Sample::default() };
        assert_eq!(answer("$input.json('$')", &facts), json, "{body}");
        assert_eq!(answer("$input.path('$')", &facts), path, "{body}");
    }
    assert_eq!(answer("$input.body", &Sample::default()), "{}");
}

#[test]
fn helpers_escape_encode_and_parse() {
    let facts = request();
    for (source, expected) in [
        (r#"$util.escapeJavaScript('{"a": "it''s/1"}')"#, r#"{\"a\": \"it\'s\/1\"}"#),
        ("$util.escapeJavaScript(1)", "1"),
        (r#"$util.parseJson('{"key2":{"arr":[5,{"x":"y"}]}}').key2.arr[0]"#, "5"),
        (r#"$util.parseJson('"x"') $util.parseJson('1') $util.parseJson('true') $util.parseJson('[]')"#, "x 1 true []"),
        ("$util.parseJson('{')", "render: line 1, column 7: no JSON at byte 1"),
        ("$util.urlEncode('x=a+b c') $util.urlDecode('x%3Da%2Bb+c')", "x%3Da%2Bb+c x=a+b c"),
        ("[$util.urlEncode($nope)]", "[]"),
        ("$util.base64Encode('Grüße') $util.base64Decode('R3LDvMOfZQ==')", "R3LDvMOfZQ== Grüße"),
        ("$util.base64Decode('!')", "render: line 1, column 7: this is no base64: Invalid symbol 33, offset 0."),
    ] {
        assert_eq!(answer(source, &facts), expected, "{source}");
    }
}

#[test]
fn the_context_has_its_branches_and_stage_variables_stand_beside_it() {
    let facts = request();
    for (source, expected) in [
        (
            "$context.apiId $context.identity.sourceIp $context['identity']['sourceIp']",
            "a1b2c3d4e5 127.0.0.1 127.0.0.1",
        ),
        ("$context.identity.clientCert.subjectDN $context.identity.clientCert.validity.notAfter", "CN=x never"),
        ("$context.authorizer.principalId $context.authorizer.claims['custom:role']", "user1 admin"),
        ("$context.error.message [$context.nope.x]", "no []"),
        ("#set($t = $context.requestTimeEpoch + 1)$t", "1583349317136"),
        ("[$context.get('identity')][$context.requestOverride][$context.identity]", "[][][]"),
        ("#foreach($k in $context.keySet())$foreach.count #end", "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 "),
        ("#foreach($k in $context.requestOverride.keySet())$k #end", "path header querystring "),
        ("#foreach($k in $context.responseOverride.keySet())$k #end", "header "),
        (
            "$stageVariables.env $stageVariables['url'] ${stageVariables['url']}[$stageVariables.nope]",
            "prod example.com example.com[]",
        ),
        ("#foreach($e in $stageVariables.entrySet())$e.key=$e.value;#end", "env=prod;url=example.com;"),
        ("#set($context.mine = 1)$context.mine $context.apiId", "1 a1b2c3d4e5"),
    ] {
        assert_eq!(answer(source, &facts), expected, "{source}");
    }
}

#[test]
fn overrides_last_from_the_request_to_the_response_and_only_if_the_run_ends_well() {
    let run = |source: &str, overrides: &mut Overrides| {
        Template::parse(source).expect("a template").render(&request(), overrides, &Limits::default())
    };
    let mut overrides = Overrides::default();
    let text = run(
        "#set($n = 'bar')#set($context.requestOverride.querystring[$n] = 'x')\
         #set($context['requestOverride'].querystring['deep'] = {'a': [1, 2.5, true]})\
         [$context.requestOverride.header.put('X-A', ['1', '2'])]\
         #set($context.responseOverride.status = 444)#set($context.responseOverride.header.Y = $n)",
        &mut overrides,
    );
    assert_eq!(text.as_deref(), Ok("[]"));
    let request =
        json!({"path": {}, "header": {"X-A": ["1", "2"]}, "querystring": {"bar": "x", "deep": {"a": [1, 2.5, true]}}});
    let response = json!({"header": {"Y": "bar"}, "status": 444});
    assert_eq!(serde_json::Value::from(overrides.request.clone()), request);
    assert_eq!(serde_json::Value::from(overrides.response.clone()), response);
    assert_eq!(overrides.status(), Some(444));
    assert_eq!(Overrides::values(overrides.request.get("header"), "X-A"), ["1", "2"]);
    let before = overrides.clone();
    let failed = run("#set($context.responseOverride.status = 500)$util.parseJson('{')", &mut overrides);
    assert!(failed.is_err());
    assert_eq!(overrides, before);
    let text = run("$context.requestOverride.querystring.bar $context.responseOverride", &mut overrides);
    assert_eq!(text.as_deref(), Ok("x {header={Y=bar}, status=444}"));
    assert_eq!(overrides, before);
    for (status, effective) in [("99", None), ("600", None), ("'abc'", None), ("'404'", Some(404)), ("599", Some(599))]
    {
        run(&format!("#set($context.responseOverride.status = {status})"), &mut overrides).expect("it runs");
        assert_eq!(overrides.status(), effective, "{status}");
    }
}

#[test]
fn errors_say_line_and_column() {
    for (source, expected) in [
        (
            "a\n#if(true)\nb",
            "parse: line 3, column 2: the template ends where something has to follow, such as #end or a parenthesis",
        ),
        ("é#set($x = )", "parse: line 1, column 12: \")\" cannot stand here"),
        ("x\n  #end", "parse: line 2, column 3: \"#end\" cannot stand here"),
        ("#set($x = \"open)", "parse: line 1, column 11: the string that begins with \" does not end"),
        ("$", "parse: line 1, column 2: the template ends in the middle of a reference, directive, comment or string"),
        ("\n  $util.parseJson('{')", "render: line 2, column 9: no JSON at byte 1"),
        ("#set($l = [1])\n$l[3]", "render: line 2, column 3: position 3 is not within a list of size 1"),
        (
            "#set($s = 'abc')$s.substring(5)",
            "render: line 1, column 20: from 5 to 3 is not within a string of length 3",
        ),
        (
            "#set($s = 'abc')$s.replaceAll('\\Ga', '')",
            "render: line 1, column 20: the regular expression \"\\\\Ga\" uses an escape that is rarely used, which is not supported",
        ),
        ("#parse('x')", "render: line 1, column 1: #parse is not available in API Gateway"),
        ("#if(false)#evaluate('x')#include('y')#end", ""),
        ("#macro(m)#m()#end#m()", "render: line 1, column 10: macros call one another more than 20 deep"),
        (
            "#set($l=[1,2])#foreach($i in $l)$i#set($x = $l.add(3))#end",
            "render: line 1, column 15: a list was changed while #foreach went through it",
        ),
    ] {
        assert_eq!(answer(source, &request()), expected, "{source}");
    }
}

#[test]
fn javas_methods_answer_as_java_does() {
    for (source, expected) in [
        (
            "#set($s = ' aXbX ')[$s.trim()][$s.length()][$s.lastIndexOf('X')][$s.indexOf('X', 3)][$s.replaceFirst('X', '$0')]",
            "[aXbX][6][4][4][ aXbX ]",
        ),
        ("#set($s = 'a,b,,')$s.split(',').size() $s.split(',')[1] $s.split(',', -1).size()", "2 b 4"),
        ("#set($s = 'é😀x')$s.length() $s.substring(3) $s.charAt(0) $s.indexOf('x') $s.toUpperCase()", "4 x é 3 É😀X"),
        (
            "#set($s = 'abc')$s.compareTo('abd') $s.equalsIgnoreCase('ABC') $s.concat('d') $s.hashCode() $s.isEmpty()",
            "-1 true abcd 96354 false",
        ),
        ("#set($s = '')$s.format('%05d|%s|%.2f|%-3s|%%', 42, 'x', 1.5, 'a')", "00042|x|1.50|a  |%"),
        (
            "#set($l = [3, 'a'])$l.indexOf('a') $l.contains(3) $l.remove(0) $l $l.add(0, 'z')$l $l.set(1, 'b') $l",
            "1 true 3 [a] [z, a] a [z, b]",
        ),
        (
            "#set($l = [1,2,3])$l.subList(1, 3) $l.removeAll([2]) $l $l.addAll([9]) $l #set($x = $l.clear())$l.isEmpty()",
            "[2, 3] true [1, 3] true [1, 3, 9]true",
        ),
        (
            "#set($m = {'a': 1})$m.put('b', 2)$m.containsKey('b') $m.containsValue(1) $m.remove('a') $m $m.getOrDefault('q', 'd')",
            "true true 1 {b=2} d",
        ),
        (
            "#set($m = {'a': 1, 'b': 2})#foreach($e in $m.entrySet())$e.key$e.getValue()#set($x = $e.setValue(0))#end $m",
            "a1b2 {a=0, b=0}",
        ),
        (
            "#set($l = [1, 2])#set($it = $l.iterator())$it.next() $it.hasNext() $it.next() $it.hasNext()",
            "1 true 2 false",
        ),
        (
            "#set($n = 0)$n.parseInt('42') $n.valueOf('7') $n.max(2, 3) $n.toString(5) $n.toHexString(255)",
            "42 7 3 5 ff",
        ),
        ("#set($n = 0)$n.parseInt('x')", "render: line 1, column 16: \"x\" is no such number"),
        ("#set($d = 2.75)$d.intValue() $d.compareTo(1.0) $d.isNaN()", "2 1 false"),
        ("#set($x = 'a')[$x.class][$x.getClass()][$x.class.name][$x.nope()]", "[][][][]"),
    ] {
        assert_eq!(answer(source, &request()), expected, "{source}");
    }
}

#[test]
fn a_template_without_anything_to_run_is_plain() {
    for (source, plain) in [
        ("", Some("")),
        ("{\"statusCode\": 200}", Some("{\"statusCode\": 200}")),
        ("a ## note\nb", Some("a b")),
        ("#[[ $x ]]#", Some(" $x ")),
        ("costs $5", Some("costs $5")),
        ("$x", None),
        ("#foo", None),
    ] {
        assert_eq!(Template::parse(source).expect("a template").plain(), plain, "{source}");
    }
}
