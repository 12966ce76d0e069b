//! Random templates: mostly well formed, some with a letter missing or too many, from a seed.

/// A source of templates.
pub(super) struct Generator {
    state: u64,
    macros: u64,
    seed: u64,
}

const NAMES: &[&str] = &["a", "m", "s", "n", "d", "t", "f", "z", "e", "l", "u", "x", "y", "i", "undef", "foreach"];
const PROPERTIES: &[&str] = &["k", "n", "o", "x", "empty", "size", "foo", "count", "index", "hasNext", "y"];
const INDEXES: &[&str] = &["0", "1", "-1", "\"k\"", "'n'", "$n", "$s", "$i", "true"];
const CALLS: &[&str] = &[
    "length()",
    "size()",
    "isEmpty()",
    "get(0)",
    "get(\"k\")",
    "keySet()",
    "values()",
    "toString()",
    "substring(1)",
    "toUpperCase()",
    "indexOf(\"t\")",
    "intValue()",
    "trim()",
    "replace(\"s\",\"z\")",
    "startsWith(\"s\")",
    "concat(\"x\")",
    "containsKey(\"k\")",
    "entrySet()",
    "split(\"t\")",
    "remove(\"q\")",
    "subList(0,1)",
];
const CALLS_WITH: &[&str] = &["contains(", "equals(", "put(\"q\",", "add(", "foo(", "endsWith(", "get("];
const NUMBERS: &[&str] = &[
    "0",
    "1",
    "2",
    "-1",
    "5",
    "2147483647",
    "9223372036854775807",
    "99999999999999999999",
    "1.5",
    "2.0",
    "-.5",
    "1e3",
];
const STRINGS: &[&str] = &[
    "\"\"",
    "\"k\"",
    "\"x $s y\"",
    "\"$n\"",
    "\"${m.k}\"",
    "\"#if($t)q#end\"",
    "\"a\"\"b\"",
    "\"it's\"",
    "\"$!u\"",
    "\"\\u0041\"",
    "\"$\"",
    "\"a#b\"",
    "\"\\$s\"",
    "\" $a.size() \"",
    "''",
    "'k'",
    "'$n'",
    "'a\"b'",
    "'x''y'",
];
const OPERATORS: &[&str] =
    &["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "and", "or", "eq", "ne", "lt", "gt"];
const TEXTS: &[&str] = &[
    "x",
    "  ",
    "\n",
    " \n  ",
    "a b",
    "$",
    "$ 5",
    "#",
    "# x",
    "\\",
    "\\\\",
    "{",
    "}",
    "(",
    ")",
    "\"",
    "'",
    ".",
    "..",
    "[",
    "]",
    "$$",
    "#1",
    "#foo",
    "#foo(1)",
    "\\#if",
    "\\$s",
    "\\\\$s",
    "$!",
    "${",
    "{#",
    "##c\n",
    "#*c*#",
    "#[[x $s]]#",
    "$5",
    "-",
    "é",
    "😀",
    "!",
    "$[",
    "#-",
    ",",
    ":",
    "\\$nope",
    "$\\!s",
    "$!{",
    "}}",
    "#end2",
    "@",
    "$s-",
    "\r\n",
    "#**d*#",
    "true",
];
const TARGETS: &[&str] = &["$x", "$y", "$x", "$i", "$x.k", "$m.k", "$m[\"q\"]", "$a[0]", "${y}", "$!x"];
const BLANKS: &[&str] = &["", "", "", " ", "  ", "\t"];
const ENDS: &[&str] = &["", "", "", "\n", " \n", "\r\n", "\t\n"];

impl Generator {
    pub(super) fn new(seed: u64) -> Generator {
        Generator { state: seed ^ 0x9e37_79b9_7f4a_7c15, macros: 0, seed }
    }

    fn below(&mut self, end: usize) -> usize {
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.state;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) % end as u64) as usize
    }

    fn one<'t>(&mut self, of: &[&'t str]) -> &'t str {
        of[self.below(of.len())]
    }

    fn blank(&mut self) -> &'static str {
        self.one(BLANKS)
    }

    fn end(&mut self) -> &'static str {
        self.one(ENDS)
    }

    /// A template.
    pub(super) fn template(&mut self) -> String {
        let count = 1 + self.below(4);
        let text: String = (0..count).map(|_| self.statement(3)).collect();
        if self.below(4) > 0 || text.is_empty() {
            return text;
        }
        let mut letters: Vec<char> = text.chars().collect();
        let at = self.below(letters.len());
        match self.below(10) {
            0..4 => {
                letters.remove(at);
            }
            4..7 => {
                let signs: Vec<char> = "$#{}()[]\"'\\!.,:*=-+ \n\t@x1".chars().collect();
                letters.insert(at, signs[self.below(signs.len())]);
            }
            _ => {
                let text: Vec<char> = self.one(TEXTS).chars().collect();
                letters.splice(at..at, text);
            }
        }
        letters.into_iter().collect()
    }

    fn reference(&mut self, depth: usize) -> String {
        let mut inner = self.one(NAMES).to_owned();
        for _ in 0..self.below(6).saturating_sub(3) {
            match self.below(20) {
                0..7 => inner += &format!(".{}", self.one(PROPERTIES)),
                7..12 => inner += &format!("[{}{}{}]", self.blank(), self.one(INDEXES), self.blank()),
                12..16 => inner += &format!(".{}", self.one(CALLS)),
                _ => inner += &format!(".{}{})", self.one(CALLS_WITH), self.argument(depth)),
            }
        }
        match self.below(20) {
            0..11 => format!("${inner}"),
            11..15 => format!("${{{inner}}}"),
            15..18 => format!("$!{inner}"),
            _ => format!("$!{{{inner}}}"),
        }
    }

    fn argument(&mut self, depth: usize) -> String {
        format!("{}{}{}", self.blank(), self.literal(depth.saturating_sub(1)), self.blank())
    }

    fn literal(&mut self, depth: usize) -> String {
        match self.below(100) {
            0..27 => self.one(NUMBERS).to_owned(),
            27..50 => self.one(STRINGS).to_owned(),
            50..55 => self.one(&["true", "false"]).to_owned(),
            55..62 if depth > 0 => {
                let items: Vec<String> = (0..1 + self.below(3)).map(|_| self.argument(depth)).collect();
                format!("[{}]", items.join(","))
            }
            62..66 => {
                format!("[{}..{}{}]", self.one(&["0", "1", "$n", "-2"]), self.blank(), self.one(&["2", "$n", "-1"]))
            }
            66..71 if depth > 0 => {
                let entries: Vec<String> =
                    (0..self.below(3)).map(|_| format!("{}:{}", self.argument(depth), self.argument(depth))).collect();
                format!("{{{}}}", entries.join(","))
            }
            71..73 => "[]".to_owned(),
            _ if depth > 0 => self.reference(depth - 1),
            _ => format!("${}", self.one(NAMES)),
        }
    }

    fn expression(&mut self, depth: usize) -> String {
        match self.below(10) {
            4..8 if depth > 0 => {
                format!("{} {} {}", self.expression(depth - 1), self.one(OPERATORS), self.expression(depth - 1))
            }
            8 if depth > 0 => format!("{}({}){}", self.blank(), self.expression(depth - 1), self.blank()),
            9 if depth > 0 => format!("{}{}{}", self.blank(), self.one(&["!", "not "]), self.expression(depth - 1)),
            _ => format!("{}{}{}", self.blank(), self.literal(depth), self.blank()),
        }
    }

    fn block(&mut self, depth: usize) -> String {
        (0..self.below(4)).map(|_| self.statement(depth)).collect()
    }

    fn statement(&mut self, depth: usize) -> String {
        match self.below(100) {
            0..30 => self.one(TEXTS).to_owned(),
            _ if depth == 0 => self.reference(0),
            30..50 => self.reference(depth),
            50..68 => {
                let (name, space) = (self.one(&["#set", "#set", "#{set}", "  #set"]), self.one(&["", "", " "]));
                let target = format!("{}{}{}", self.blank(), self.one(TARGETS), self.blank());
                format!("{name}{space}({target}={}){}", self.expression(depth), self.end())
            }
            68..82 => self.condition(depth),
            82..92 => {
                let (blank, element) = (self.blank(), self.one(&["$i", "$x", "${y}"]));
                let list = if self.below(2) == 0 { self.literal(depth) } else { "[1..3]".to_owned() };
                let tail = self.one(&["", "", "#break", "$foreach.index", "#if($foreach.hasNext),#end"]);
                format!(
                    "#foreach{blank}({element} in {list}){}{}{tail}#end{}",
                    self.end(),
                    self.block(depth - 1),
                    self.end()
                )
            }
            92..95 => {
                let name = self.one(&["$y", "$u", "$x"]);
                format!("#define({name}){}{}#end{}", self.end(), self.block(depth - 1), self.end())
            }
            95..98 => self.macro_with_calls(depth),
            _ => self.one(&["#stop", "#break", "#foo(\"x\" $s)"]).to_owned(),
        }
    }

    fn condition(&mut self, depth: usize) -> String {
        let (name, blank) = (self.one(&["#if", "#if", "#{if}"]), self.blank());
        let mut text = format!("{name}{blank}({}){}{}", self.expression(depth), self.end(), self.block(depth - 1));
        if self.below(3) == 0 {
            text += &format!("#elseif({}){}{}", self.expression(depth), self.end(), self.block(depth - 1));
        }
        if self.below(5) < 2 {
            text += &format!("{}{}{}", self.one(&["#else", "#{else}"]), self.end(), self.block(depth - 1));
        }
        text + self.one(&["#end", "#end", "#{end}"]) + self.end()
    }

    /// Macros live on in Velocity from template to template: each gets a name of its own.
    fn macro_with_calls(&mut self, depth: usize) -> String {
        self.macros += 1;
        let name = format!("mc{}_{:05}e", self.seed, self.macros);
        let parameters = self.one(&["", "$p", "$p $q", "$x"]);
        let arguments: Vec<String> = (0..self.below(3)).map(|_| self.literal(depth)).collect();
        let call = if self.below(3) == 0 {
            format!("#@{name}({}){}$!bodyContent#end", arguments.join(" "), self.block(depth - 1))
        } else {
            format!("#{name}({})", arguments.join(" "))
        };
        let tail = self.one(&["", "$p", "$!p", "$bodyContent", "#set($p=3)", "$q"]);
        let body = format!("{}{tail}", self.block(depth - 1));
        let before = if self.below(2) == 0 { call.as_str() } else { "" };
        format!("{before}#macro({name} {parameters}){body}#end{}{call}", self.end())
    }
}
