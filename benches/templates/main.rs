//! What templates cost: parsing, rendering, reading a path. `cargo bench --bench templates [NAME]`.
//!
//! Each figure is the best of many short batches, so that other work on the machine shows least. Where Java, Velocity 1.7
//! and Jayway are installed they do the same work in the same run, warmed up, and have to give the same text.

mod judge;

use judge::Judged;
use meridian::spec::jsonpath::Path;
use meridian::spec::object::{Allowance, Heap, Slash};
use meridian::spec::vtl::{Limits, Overrides, Sample, Template};
use std::hint::black_box;
use std::time::Instant;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// A template as people write them: escaping, conditions, a loop over what the payload holds.
const ORDER: &str = r##"#set($root = $input.path('$'))
#set($order = $root.order)
{
  "customer": "$util.escapeJavaScript($order.customer)",
  "city": "$order.city",
  "source": "$context.identity.sourceIp",
  "stage": "$stageVariables.env",
  "page": "$input.params('page')",
  "count": $order.items.size(),
#if($order.items.size() > 5 && $order.customer != "")
  "big": true,
#else
  "big": false,
#end
  "items": [
#foreach($item in $order.items)
    {"id": $item.id, "name": "$item.name", "price": $item.price, "key": "$item.nested.k"#if($item.nested.ok), "ok": true#end}#if($foreach.hasNext),#end

#end
  ],
  "first": $input.json('$.order.items[0].name'),
#set($last = $order.items.get(19))
#if($last.nested.ok && $last.price >= 10 && $last.name.startsWith("item"))
  "last": "$last.name.toUpperCase().replace("ITEM", "No.") of $order.city.length()",
#end
  "total": #set($n = $order.items.size() * 2 + 1)$n
}
"##;

/// Paths as mappings have them: to one place, to each element, through all, and with a filter.
const PATHS: [&str; 4] =
    ["$.order.items[0].name", "$.order.items[*].nested.k", "$..name", "$.order.items[?(@.price > 5)].name"];

/// Microseconds of the best batch; nothing where another measurement is asked for.
fn measure(name: &str, mut work: impl FnMut()) -> Option<f64> {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return None;
    }
    let batch = 40;
    let mut best = f64::INFINITY;
    for _ in 0..1500 {
        let begun = Instant::now();
        (0..batch).for_each(|_| work());
        best = best.min(begun.elapsed().as_secs_f64() * 1e6 / f64::from(batch));
    }
    println!("{name:<44} {best:>8.2} µs");
    Some(best)
}

/// Prints how many times as long the judge took.
fn compare(name: &str, ours: Option<f64>, judged: &Judged, theirs: &str) {
    if let (Some(ours), Some(theirs)) = (ours, judged.nanoseconds.get(theirs)) {
        let theirs = theirs / 1e3;
        println!("{name:<44} {theirs:>8.2} µs, {:.1} × ours ({ours:.2} µs)", theirs / ours);
    }
}

fn payload() -> String {
    let text = "some text that is a bit longer than the rest, so that the body is about four kilobytes";
    let items: Vec<String> = (0..20)
        .map(|n| {
            format!(
                r#"{{"id":{n},"name":"item number {n}","price":{n}.5,"tags":["a","b","c"],"nested":{{"k":"v{n}","ok":true,"long":"{text}"}}}}"#
            )
        })
        .collect();
    format!(r#"{{"order":{{"customer":"Rex","city":"Lima","items":[{}]}}}}"#, items.join(","))
}

fn main() {
    let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
    let facts = Sample {
        body: payload(),
        parameters: [vec![], vec![pair("page", "2")], vec![]],
        context: vec![("identity", "sourceIp".to_owned(), "192.0.2.1".to_owned())],
        stage_variables: vec![pair("env", "prod")],
        ..Sample::default()
    };
    let long = format!(
        "{}#foreach($i in [1..100])line $i of $foreach.count: $input.params('page') #if($i % 2 == 0)even#{{else}}odd#end\n#end",
        "some text of the template that is just copied $stageVariables.env\n".repeat(58)
    );
    let wide = Allowance { fuel: u64::MAX, memory: usize::MAX };
    let render = |template: &Template| {
        black_box(template.render(&facts, &mut Overrides::default(), &Limits::default()).expect("it renders"))
    };
    let mut rendered = None;
    for (name, source) in [("1 KB over a 4 KB payload", ORDER), ("4 KB, one loop of 100", &long)] {
        let template = Template::parse(source).expect("a template");
        measure(&format!("parse, {name}"), || {
            black_box(Template::parse(source).expect("a template"));
        });
        let took = measure(&format!("render, {name}"), || {
            render(&template);
        });
        rendered = rendered.or(took);
    }
    let read = measure("read a 4 KB document", || {
        black_box(Heap::new(wide).read(&facts.body).expect("JSON"));
    });
    let mut heap = Heap::new(wide);
    let document = heap.read(&facts.body).expect("JSON");
    let mut found = Vec::new();
    let paths = PATHS.map(|text| {
        let path = Path::compile(text).expect("a path");
        let value = path.read(&mut heap, document).expect("it is read").expect("it is there");
        let mut out = String::new();
        heap.print_json(value, Slash::Escaped, &mut out, usize::MAX, &|_, _| {}).expect("it fits");
        found.push(out);
        measure(&format!("path {text}"), || {
            black_box(path.read(&mut heap, document).expect("it is read"));
        })
    });
    match judge::judge(ORDER, &facts.body, &PATHS) {
        Err(missing) => println!("\nNOT COMPARED with Velocity and Jayway: {missing}"),
        Ok(judged) => {
            assert_eq!(
                judged.printed,
                render(&Template::parse(ORDER).expect("a template")),
                "Velocity prints the same"
            );
            assert_eq!(judged.found, found, "Jayway finds the same");
            println!();
            compare("Velocity 1.7, payload read by Jayway", rendered, &judged, "render");
            compare("Velocity 1.7, payload read before", rendered, &judged, "render parsed");
            compare("json-smart, read a 4 KB document", read, &judged, "read");
            PATHS.iter().zip(paths).for_each(|(text, ours)| compare(&format!("Jayway {text}"), ours, &judged, text));
        }
    }
}
