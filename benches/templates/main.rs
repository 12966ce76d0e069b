//! What templates cost: parsing, rendering, reading a path. `cargo bench --bench templates [NAME]`.
//!
//! Each figure is the best of many short batches, so that other work on the machine shows least.

use meridian::spec::jsonpath::Path;
use meridian::spec::object::{Allowance, Heap};
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
  "total": #set($n = $order.items.size() * 2 + 1)$n
}
"##;

fn measure(name: &str, mut work: impl FnMut()) {
    let wanted = std::env::args().skip(1).find(|argument| !argument.starts_with("--"));
    if wanted.is_some_and(|wanted| !name.contains(&wanted)) {
        return;
    }
    let batch = 40;
    let mut best = f64::INFINITY;
    for _ in 0..400 {
        let begun = Instant::now();
        (0..batch).for_each(|_| work());
        best = best.min(begun.elapsed().as_secs_f64() / f64::from(batch));
    }
    println!("{name:<44} {:>8.2} µs", best * 1e6);
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
    for (name, source) in [("0.7 KB over a 4 KB payload", ORDER), ("4 KB, one loop of 100", &long)] {
        let template = Template::parse(source).expect("a template");
        measure(&format!("parse, {name}"), || {
            black_box(Template::parse(source).expect("a template"));
        });
        measure(&format!("render, {name}"), || {
            render(&template);
        });
    }
    measure("read a 4 KB document", || {
        black_box(Heap::new(wide).read(&facts.body).expect("JSON"));
    });
    let path = Path::compile("$.order.items[?(@.price > 5)].name").expect("a path");
    let mut heap = Heap::new(wide);
    let document = heap.read(&facts.body).expect("JSON");
    measure("a path with a filter over 20 elements", || {
        black_box(path.read(&mut heap, document).expect("it is read"));
    });
}
