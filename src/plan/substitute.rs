//! The substitution language: text with `$context`, `$stageVariables` and `$method.request` references, which gateway
//! responses and access logs know instead of templates (data-plane §12, §15).

use super::body_read::BodyReads;
use super::context::{Context, Seen, Variable};
use super::mapping::{Side, Source};
use std::borrow::Cow;
use std::collections::BTreeMap;

/// A part of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Piece {
    /// As it stands; stage variables are put in when the plan is compiled.
    Text(Box<str>),
    /// A context variable.
    Context(Variable),
    /// A request parameter, by its place in [`Asked`].
    Asked(usize),
    /// What nothing is known under.
    Missing,
}

/// A compiled text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Substitution {
    pieces: Box<[Piece]>,
    /// Length of the fixed text, a first guess of the whole, bytes.
    guess: usize,
}

/// The request parameters that texts ask for, each once: they are kept before the request leaves for its backend.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Asked(Vec<Source>);

impl Asked {
    /// Where the value of a source will be found.
    pub fn place(&mut self, source: Source) -> usize {
        self.0.iter().position(|known| *known == source).unwrap_or_else(|| {
            self.0.push(source);
            self.0.len() - 1
        })
    }

    /// Whatever is asked for, in order of place.
    pub fn sources(&self) -> &[Source] {
        &self.0
    }
}

/// What references read from.
pub struct Values<'a> {
    /// Context variables.
    pub context: &'a dyn Context,
    /// Request parameters by their places; fewer than asked for means that the others are absent.
    pub asked: &'a [Option<String>],
}

impl Piece {
    /// Compiles the mapping expression of a gateway response's parameter: `'text'`, `context.x`, `stageVariables.x`,
    /// `method.request.header.x`.
    ///
    /// # Errors
    /// Why it is none.
    pub fn mapping(text: &str, variables: &BTreeMap<String, String>, asked: &mut Asked) -> Result<Piece, String> {
        if let Some(name) = text.strip_prefix("context.") {
            return Ok(Variable::named_for(Seen::Refusals, name).map_or(Piece::Missing, Piece::Context));
        }
        if text == "method.request.body" || text.starts_with("method.request.body.") {
            // The body may be with the backend already, or have been refused unread.
            return Ok(Piece::Missing);
        }
        match Source::compile(text, Side::Request, variables, &mut BodyReads::default())? {
            Source::Text(text) => Ok(Piece::Text(text)),
            Source::Absent => Ok(Piece::Missing),
            source => Ok(Piece::Asked(asked.place(source))),
        }
    }

    /// Its value; `None` when the visit has none.
    pub fn value<'v>(&'v self, values: &'v Values<'_>) -> Option<Cow<'v, str>> {
        match self {
            Piece::Text(text) => Some(Cow::Borrowed(text)),
            Piece::Context(variable) => values.context.value(variable),
            Piece::Asked(place) => values.asked.get(*place)?.as_deref().map(Cow::Borrowed),
            Piece::Missing => None,
        }
    }
}

impl Substitution {
    /// Compiles the template of a gateway response.
    pub fn gateway_response(text: &str, variables: &BTreeMap<String, String>, asked: &mut Asked) -> Substitution {
        compile(text, |name, bare| {
            if let Some(name) = name.strip_prefix("context.") {
                return context(Seen::Refusals, name, bare).map(|(piece, used)| (piece, "context.".len() + used));
            }
            let used = name.len();
            if let Some(variable) = name.strip_prefix("stageVariables.") {
                let value = variables.get(variable).map_or(Piece::Missing, |value| Piece::Text(value.as_str().into()));
                return Some((value, used));
            }
            let parameter = name.starts_with("method.request.");
            let piece = parameter.then(|| Piece::mapping(name, variables, asked).ok())??;
            Some((piece, used))
        })
    }

    /// Compiles the format of an access log: `$context` alone, and always one line.
    pub fn access_log(format: &str) -> Substitution {
        let line = format.trim_end_matches(['\r', '\n']).replace("\r\n", " ").replace(['\r', '\n'], " ");
        compile(&line, |name, bare| {
            let (piece, used) = context(Seen::AccessLogs, name.strip_prefix("context.")?, bare)?;
            Some((piece, "context.".len() + used))
        })
    }

    /// Puts the values in; a missing one prints nothing.
    pub fn render(&self, values: &Values<'_>) -> String {
        let mut out = String::with_capacity(self.guess + 64);
        for piece in &self.pieces {
            out.push_str(&piece.value(values).unwrap_or_default());
        }
        out
    }

    /// Appends a line of an access log; a missing value prints `-`. Values cannot end the line, nor a quoted text in
    /// which they stand: what JSON escapes in a string is escaped so.
    pub fn render_line(&self, context: &dyn Context, out: &mut String) {
        let values = Values { context, asked: &[] };
        out.reserve(self.guess + 128);
        for piece in &self.pieces {
            match (piece, piece.value(&values)) {
                (Piece::Text(text), _) => out.push_str(text),
                (_, None) => out.push('-'),
                (_, Some(value)) if value.is_empty() => out.push('-'),
                // It is JSON already.
                (Piece::Context(Variable::ErrorMessageString), Some(value)) => out.push_str(&value),
                (_, Some(value)) => escape(&value, out),
            }
        }
    }
}

/// JSON's escapes for a text inside quotes, and those for the ends of lines that only Unicode knows.
fn escape(value: &str, out: &mut String) {
    use std::fmt::Write;
    for c in value.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') => {
                // Writing to a String cannot fail.
                let _ = write!(out, "\\u{:04x}", u32::from(c));
            }
            c => out.push(c),
        }
    }
}

/// The variable that a name begins with, and how much of the name that takes: `status.` is `status` and a dot. `bare`:
/// without braces, where a name ends with the text that can be one.
fn context(reader: Seen, name: &str, bare: bool) -> Option<(Piece, usize)> {
    if !bare {
        return Some((Variable::named_for(reader, name).map_or(Piece::Missing, Piece::Context), name.len()));
    }
    let mut end = name.len();
    loop {
        // Hyphens may stand in names of one's own, and may also stand behind a name.
        let whole = name[..end].trim_end_matches('-');
        for candidate in [whole, whole.split('-').next().unwrap_or_default()] {
            if let Some(variable) = Variable::named_for(reader, candidate) {
                return Some((Piece::Context(variable), candidate.len()));
            }
        }
        match name[..end].rfind('.') {
            Some(dot) => end = dot,
            None => return Some((Piece::Missing, name.len())),
        }
    }
}

/// Finds `$name` and `${name}`. `resolve` says what a name is and how many of its bytes it takes; what it does not know
/// stays as it is.
fn compile(text: &str, mut resolve: impl FnMut(&str, bool) -> Option<(Piece, usize)>) -> Substitution {
    let (mut pieces, mut plain, mut rest) = (Vec::new(), String::new(), text);
    while let Some(at) = rest.find('$') {
        plain.push_str(&rest[..at]);
        let after = &rest[at + 1..];
        let found = match after.strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((name, _)) => resolve(name, false).map(|(piece, _)| (piece, 1 + name.len() + 1)),
            None => {
                let name = bare_name(after);
                resolve(name, true).filter(|(_, used)| *used > 0)
            }
        };
        match found {
            Some((Piece::Text(value), used)) => {
                plain.push_str(&value);
                rest = &after[used..];
            }
            Some((piece, used)) => {
                if !plain.is_empty() {
                    pieces.push(Piece::Text(std::mem::take(&mut plain).into()));
                }
                pieces.push(piece);
                rest = &after[used..];
            }
            None => {
                plain.push('$');
                rest = after;
            }
        }
    }
    plain.push_str(rest);
    if !plain.is_empty() {
        pieces.push(Piece::Text(plain.into()));
    }
    let guess = pieces.iter().map(|piece| if let Piece::Text(text) = piece { text.len() } else { 16 }).sum();
    Substitution { pieces: pieces.into(), guess }
}

/// The longest name that a text begins with: words of letters, digits, `_` and `-`, with dots between them.
fn bare_name(text: &str) -> &str {
    let end = text.bytes().position(|b| !(b.is_ascii_alphanumeric() || b"_-.".contains(&b))).unwrap_or(text.len());
    text[..end].trim_end_matches('.')
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Told;

    impl Context for Told {
        fn value(&self, variable: &Variable) -> Option<Cow<'_, str>> {
            Some(match variable {
                Variable::RequestId => Cow::Borrowed("id-1"),
                Variable::Stage => Cow::Borrowed("prod"),
                Variable::Status => Cow::Borrowed("200"),
                Variable::ErrorMessage => Cow::Borrowed("say \"no\""),
                Variable::ErrorMessageString => Cow::Borrowed(r#""say \"no\"""#),
                Variable::UserAgent => Cow::Borrowed("a\"b\\c\r\nd\u{7f}\u{2028}e"),
                Variable::Authorizer(name) => Cow::Owned(format!("own {name}")),
                Variable::Claim(name) => Cow::Owned(format!("claim {name}")),
                Variable::ApiKeyId => Cow::Borrowed(""),
                _ => return None,
            })
        }
    }

    fn refusal(text: &str) -> String {
        let variables = BTreeMap::from([("color".to_owned(), "blue".to_owned())]);
        let mut asked = Asked::default();
        let compiled = Substitution::gateway_response(text, &variables, &mut asked);
        let kept: Vec<_> = asked
            .sources()
            .iter()
            .map(|source| match source {
                Source::Header(name) if &**name == "x-a" => Some("A".to_owned()),
                Source::Path(name) if &**name == "id" => Some("7".to_owned()),
                Source::Query(name) if &**name == "q" => Some("Q".to_owned()),
                _ => None,
            })
            .collect();
        compiled.render(&Values { context: &Told, asked: &kept })
    }

    #[test]
    fn references_are_put_in_and_everything_else_stays() {
        for (text, wanted) in [
            ("", ""),
            ("plain $ $5 $$ ${ $x #set($a=1) %s {\"a\": 1}", "plain $ $5 $$ ${ $x #set($a=1) %s {\"a\": 1}"),
            ("$context.requestId", "id-1"),
            ("${context.requestId}s, $context.stage.", "id-1s, prod."),
            ("$context.stage.name", "prod.name"),
            ("$context.stage-$context.requestId", "prod-id-1"),
            ("$context.stage$context.requestId", "prodid-1"),
            ("$$context.stage", "$prod"),
            ("[$context.nothing][${context.nothing}][$context.path]", "[][][]"),
            ("[$context.status]", "[]"),
            (r#"{"message":$context.error.messageString}"#, r#"{"message":"say \"no\""}"#),
            ("$context.error.message!", "say \"no\"!"),
            ("$context.authorizer.my-key $context.authorizer.k- $context.authorizer.k.", "own my-key own k- own k."),
            ("$context.authorizer.claims.sub ${context.authorizer.claims.custom:role}", "claim sub claim custom:role"),
            ("$stageVariables.color/${stageVariables.color}/$stageVariables.none/", "blue/blue//"),
            ("$method.request.header.x-a ${method.request.path.id} $method.request.querystring.q", "A 7 Q"),
            ("$method.request.header.x-b|$method.request.body|method.request.path.id", "||method.request.path.id"),
            ("$method.request.cookie.x", "$method.request.cookie.x"),
            ("$input.path('$.a') $util.x", "$input.path('$.a') $util.x"),
            ("é$context.stage→", "éprod→"),
            ("${context.stage", "${context.stage"),
        ] {
            assert_eq!(refusal(text), wanted, "{text}");
        }
    }

    #[test]
    fn each_request_parameter_is_asked_for_once() {
        let (mut asked, none) = (Asked::default(), BTreeMap::new());
        Substitution::gateway_response("$method.request.header.A $method.request.header.a", &none, &mut asked);
        assert_eq!(Piece::mapping("method.request.header.a", &none, &mut asked), Ok(Piece::Asked(0)));
        assert_eq!(Piece::mapping("method.request.path.a", &none, &mut asked), Ok(Piece::Asked(1)));
        assert_eq!(asked.sources().len(), 2);
    }

    #[test]
    fn mapping_expressions_of_headers_are_told_from_what_is_none() {
        let variables = BTreeMap::from([("color".to_owned(), "blue".to_owned())]);
        let of = |text: &str| Piece::mapping(text, &variables, &mut Asked::default());
        assert_eq!(of("'*'"), Ok(Piece::Text("*".into())));
        assert_eq!(of("stageVariables.color"), Ok(Piece::Text("blue".into())));
        assert_eq!(of("stageVariables.none"), Ok(Piece::Missing));
        assert_eq!(of("context.error.message"), Ok(Piece::Context(Variable::ErrorMessage)));
        assert_eq!(of("context.status"), Ok(Piece::Missing), "only access logs see it");
        assert_eq!(of("method.request.body.a"), Ok(Piece::Missing));
        for wrong in ["", "plain", "integration.response.header.a", "method.request.cookie.a", "method.request.header"]
        {
            assert!(of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_log_line_stays_one_line_whatever_its_values_are() {
        let line = |format: &str| {
            let mut out = String::new();
            Substitution::access_log(format).render_line(&Told, &mut out);
            out
        };
        assert_eq!(
            line("$context.requestId $context.status $context.path $context.identity.apiKeyId"),
            "id-1 200 - -",
            "a missing value and an empty one are a dash"
        );
        assert_eq!(
            line(r#"{"ua":"$context.identity.userAgent","e":$context.error.messageString}"#),
            r#"{"ua":"a\"b\\c\r\nd\u007f\u2028e","e":"say \"no\""}"#
        );
        assert_eq!(
            line("a\r\nb\nc $stageVariables.x $method.request.header.a\n"),
            "a b c $stageVariables.x $method.request.header.a"
        );
        assert_eq!(line("[$context.requestTime]\"$context.status\""), "[-]\"200\"");
    }
}
