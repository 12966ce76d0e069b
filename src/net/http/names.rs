//! Header names as clients wrote them: HTTP treats them alike in any case, and hyper keeps them in lower case, but an API's
//! templates and logs list them as they were sent.
//!
//! The socket keeps the names of the heads that it sees in one buffer per connection, so that a request costs no
//! allocation; only who lists names has them made into a [`SentNames`].

use http::HeaderName;

/// The names of one request's headers, as they were sent.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SentNames {
    text: Box<str>,
    /// Where each name ends in the text.
    ends: Box<[usize]>,
}

impl SentNames {
    /// Of names in the order of the head; what is no ASCII is no name.
    pub fn of<'n>(names: impl Iterator<Item = &'n [u8]>) -> SentNames {
        let (mut text, mut ends) = (String::new(), Vec::new());
        for name in names.filter_map(|name| std::str::from_utf8(name).ok()).filter(|name| name.is_ascii()) {
            text.push_str(name);
            ends.push(text.len());
        }
        SentNames { text: text.into(), ends: ends.into() }
    }

    /// A header's name as its client wrote it, the first time if it did so twice; in lower case when it is not known, as
    /// over HTTP/2, where no other case can be sent.
    pub fn as_sent<'n>(&'n self, name: &'n HeaderName) -> &'n str {
        let mut start = 0;
        for end in &self.ends {
            let sent = &self.text[start..*end];
            if sent.eq_ignore_ascii_case(name.as_str()) {
                return sent;
            }
            start = *end;
        }
        name.as_str()
    }
}

/// More room than this is not kept between requests, bytes.
const KEPT: usize = 1024;

/// The names of the heads of a connection that were seen and not yet forgotten, each with a colon behind it, each head with
/// a line end: that of the visit in hand, and those that a client sent ahead of it.
#[derive(Debug, Default)]
pub(super) struct NameTrail {
    bytes: Vec<u8>,
    /// The length of what belongs to the visit in hand, which comes first.
    visit: usize,
    /// Whole heads behind it, and where the last one ends.
    heads: usize,
    whole: usize,
}

impl NameTrail {
    /// Takes the name of a header's line, the colon with it.
    pub(super) fn add(&mut self, line: &[u8]) {
        if let Some(colon) = memchr::memchr(b':', line) {
            self.bytes.extend_from_slice(&line[..=colon]);
        }
    }

    /// The head is whole.
    pub(super) fn end(&mut self) {
        self.bytes.push(b'\n');
        self.heads += 1;
        self.whole = self.bytes.len();
    }

    /// A visit begins: the oldest head that nobody took is its own. There is none where the head came in one read with the
    /// end of the body before it, which is not looked at.
    pub(super) fn begin(&mut self) {
        self.finish();
        self.visit = match self.heads {
            0 => return,
            1 => self.whole,
            _ => memchr::memchr(b'\n', &self.bytes).map_or(0, |end| end + 1),
        };
        self.heads -= 1;
    }

    /// The visit's names are not wanted any more.
    pub(super) fn finish(&mut self) {
        if self.visit == self.bytes.len() {
            self.bytes.clear();
        } else {
            self.bytes.drain(..self.visit);
        }
        self.whole = self.whole.saturating_sub(self.visit);
        self.visit = 0;
        if self.bytes.is_empty() && self.bytes.capacity() > KEPT {
            self.bytes = Vec::new();
        }
    }

    /// Those of the visit in hand.
    pub(super) fn names(&self) -> SentNames {
        let own = self.bytes[..self.visit].strip_suffix(b"\n").unwrap_or_default();
        SentNames::of(own.split(|byte| *byte == b':').filter(|name| !name.is_empty()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_told_as_they_were_sent_and_in_lower_case_where_nobody_sent_them() {
        let names = SentNames::of([&b"Host"[..], b"tEsT-HEADeR", b"X-A", b"x-a", b"\xc3\xa9"].into_iter());
        for (asked, wanted) in
            [("host", "Host"), ("test-header", "tEsT-HEADeR"), ("x-a", "X-A"), ("est-header", "est-header"), ("b", "b")]
        {
            assert_eq!(names.as_sent(&HeaderName::from_static(asked)), wanted);
        }
        assert_eq!(SentNames::default().as_sent(&HeaderName::from_static("host")), "host");
    }

    #[test]
    fn heads_sent_ahead_wait_for_their_visits_and_leave_no_room_taken() {
        let mut trail = NameTrail::default();
        let head = |trail: &mut NameTrail, names: &[&str]| {
            names.iter().for_each(|name| trail.add(format!("{name}: a:b").as_bytes()));
            trail.end();
        };
        let host = |trail: &NameTrail| trail.names().as_sent(&HeaderName::from_static("host")).to_owned();
        head(&mut trail, &["HOST"]);
        trail.begin();
        head(&mut trail, &["hOST", "B"]);
        head(&mut trail, &[]);
        assert_eq!(host(&trail), "HOST");
        trail.finish();
        assert_eq!(trail.names(), SentNames::default(), "between visits there are none");
        trail.begin();
        assert_eq!(host(&trail), "hOST");
        trail.begin();
        assert_eq!(host(&trail), "host");
        trail.begin();
        assert_eq!(host(&trail), "host", "a head that nobody saw");
        head(&mut trail, &["Host", &"X".repeat(2 * KEPT)]);
        trail.begin();
        assert_eq!(host(&trail), "Host");
        trail.finish();
        assert!(trail.bytes.capacity() <= KEPT);
    }
}
