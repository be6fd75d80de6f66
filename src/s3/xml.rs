//! XML of answers and of requests.
//!
//! Answers are written as text with every special character escaped. Characters that XML 1.0 cannot carry become numeric
//! references, as at AWS: a strict parser then stops instead of reading another key. Clients that expect such keys ask for
//! `encoding-type=url`.
//!
//! Requests are read into a small tree. Its size is bounded by the body's limit, [`XML_DEPTH_MAX`] and [`XML_ELEMENTS_MAX`].
//! Namespaces and attributes are ignored; document types, and with them every entity but XML's own five, are refused.

use std::fmt::Write;

use quick_xml::Reader;
use quick_xml::events::{BytesRef, BytesStart, Event};

use super::error::{Code, Error};
use crate::base::limits::{XML_DEPTH_MAX, XML_ELEMENTS_MAX};

/// How every document begins.
pub const DECLARATION: &str = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";
const NAMESPACE: &str = "http://s3.amazonaws.com/doc/2006-03-01/";

/// A document being written.
#[derive(Debug)]
pub struct Document {
    text: String,
    root: &'static str,
}

impl Document {
    /// A document in S3's namespace.
    pub fn new(root: &'static str) -> Self {
        Self::of(root, NAMESPACE)
    }

    /// A document in another namespace, whose name needs no escaping.
    pub fn of(root: &'static str, namespace: &'static str) -> Self {
        Self { text: format!("{DECLARATION}<{root} xmlns=\"{namespace}\">"), root }
    }

    /// A document without namespace, as errors are.
    pub fn bare(root: &'static str) -> Self {
        Self { text: format!("{DECLARATION}<{root}>"), root }
    }

    /// An element that holds text.
    pub fn text(&mut self, name: &str, text: impl AsRef<str>) -> &mut Self {
        self.open(name);
        escape(&mut self.text, text.as_ref());
        self.close(name)
    }

    /// An element that holds text, if there is any.
    pub fn optional(&mut self, name: &str, text: Option<impl AsRef<str>>) -> &mut Self {
        match text {
            Some(text) => self.text(name, text),
            None => self,
        }
    }

    /// An element that holds a number or a truth value.
    pub fn value(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        self.text(name, value.to_string())
    }

    /// An element that holds what `content` writes.
    pub fn element(&mut self, name: &str, content: impl FnOnce(&mut Self)) -> &mut Self {
        self.open(name);
        content(self);
        self.close(name)
    }

    /// The same, with one attribute, whose value needs no escaping.
    pub fn attributed(
        &mut self,
        name: &str,
        attribute: &str,
        value: &'static str,
        content: impl FnOnce(&mut Self),
    ) -> &mut Self {
        self.open(&format!("{name} {attribute}=\"{value}\""));
        content(self);
        self.close(name)
    }

    /// Text of the root itself.
    pub fn root_text(&mut self, text: &str) -> &mut Self {
        escape(&mut self.text, text);
        self
    }

    /// The whole document.
    pub fn finish(mut self) -> String {
        let root = self.root;
        self.close(root);
        self.text
    }

    fn open(&mut self, name: &str) {
        self.text.push('<');
        self.text.push_str(name);
        self.text.push('>');
    }

    fn close(&mut self, name: &str) -> &mut Self {
        self.text.push_str("</");
        self.text.push_str(name);
        self.text.push('>');
        self
    }
}

/// The text with every character that XML 1.0 does not have replaced: for documents that people read and clients must be able
/// to parse, such as errors.
pub fn readable(text: &str) -> String {
    text.chars().map(|character| if is_xml(character) { character } else { char::REPLACEMENT_CHARACTER }).collect()
}

/// The Char production of XML 1.0, section 2.2.
fn is_xml(character: char) -> bool {
    !matches!(character, '\u{0}'..='\u{8}' | '\u{b}' | '\u{c}' | '\u{e}'..='\u{1f}' | '\u{fffe}' | '\u{ffff}')
}

fn escape(out: &mut String, text: &str) {
    for character in text.chars() {
        match character {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            // A parser turns a bare carriage return into a line feed.
            other if other != '\r' && is_xml(other) => out.push(other),
            // Writing into a string does not fail.
            other => drop(write!(out, "&#x{:x};", u32::from(other))),
        }
    }
}

/// An element of a request's document.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Element {
    /// Its name without prefix.
    pub name: String,
    /// Its own text, without its children's.
    pub text: String,
    /// Its children.
    pub children: Vec<Element>,
}

impl Element {
    /// The first child called `name`.
    pub fn child(&self, name: &str) -> Option<&Self> {
        self.children.iter().find(|child| child.name == name)
    }

    /// The text of the first child called `name`.
    pub fn child_text(&self, name: &str) -> Option<&str> {
        self.child(name).map(|child| child.text.as_str())
    }

    /// The text of the one child called `name`: `MalformedXML` when there are several, or when it has children of its own.
    pub fn only_text<'a>(&'a self, name: &'a str) -> Result<Option<&'a str>, Error> {
        let mut named = self.children_named(name);
        match (named.next(), named.next()) {
            (None, _) => Ok(None),
            (Some(child), None) if child.children.is_empty() => Ok(Some(child.text.as_str())),
            _ => Err(malformed("an element is there twice, or holds elements in place of text")),
        }
    }

    /// The children called `name`.
    pub fn children_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a Self> {
        self.children.iter().filter(move |child| child.name == name)
    }
}

/// Reads a document whose root must be called `root`.
///
/// # Errors
/// `MalformedXML` for everything that is not such a document within the limits.
pub fn parse(body: &[u8], root: &str) -> Result<Element, Error> {
    let text = std::str::from_utf8(body).map_err(|_| malformed("it is not UTF-8"))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    let mut reader = Reader::from_str(text);
    let mut tree = Tree::default();
    loop {
        match reader.read_event().map_err(|error| malformed(&error.to_string()))? {
            Event::Start(start) => tree.open(&start)?,
            Event::Empty(start) => {
                tree.open(&start)?;
                tree.close()?;
            }
            Event::End(_) => tree.close()?,
            Event::Text(text) => tree.text(&text.xml10_content())?,
            Event::CData(text) => tree.text(&text.xml10_content())?,
            Event::GeneralRef(reference) => tree.text(&resolve(&reference)?)?,
            Event::DocType(_) => return Err(malformed("document types are not accepted")),
            Event::Decl(_) | Event::PI(_) | Event::Comment(_) => {}
            Event::Eof => break,
        }
    }
    tree.root.filter(|found| tree.open.is_empty() && found.name == root).ok_or_else(|| malformed("wrong root"))
}

/// `MalformedXML`, with a reason for the log.
pub fn malformed(why: &str) -> Error {
    Error::new(Code::MALFORMED_XML).detail(why)
}

#[derive(Default)]
struct Tree {
    root: Option<Element>,
    open: Vec<Element>,
    elements: usize,
}

impl Tree {
    fn open(&mut self, start: &BytesStart<'_>) -> Result<(), Error> {
        // Their meaning is ignored, but what stands in their place must be attributes.
        if let Some(error) = start.attributes().find_map(Result::err) {
            return Err(malformed(&error.to_string()));
        }
        self.elements += 1;
        if self.elements > XML_ELEMENTS_MAX || self.open.len() >= XML_DEPTH_MAX {
            return Err(malformed("too many or too deeply nested elements"));
        }
        if self.root.is_some() {
            return Err(malformed("a second root"));
        }
        let name = start.local_name().as_ref().to_owned();
        self.open.push(Element { name, ..Element::default() });
        Ok(())
    }

    fn close(&mut self) -> Result<(), Error> {
        let element = self.open.pop().ok_or_else(|| malformed("an end without a start"))?;
        match self.open.last_mut() {
            Some(parent) => parent.children.push(element),
            None => self.root = Some(element),
        }
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), Error> {
        match self.open.last_mut() {
            Some(element) => element.text.push_str(text),
            None if text.trim().is_empty() => {}
            None => return Err(malformed("text outside of the root")),
        }
        Ok(())
    }
}

fn resolve(reference: &BytesRef<'_>) -> Result<String, Error> {
    let character = reference.resolve_char_ref().map_err(|error| malformed(&error.to_string()))?;
    if let Some(character) = character {
        return Ok(character.to_string());
    }
    match reference.xml10_content().as_ref() {
        "amp" => Ok("&".to_owned()),
        "lt" => Ok("<".to_owned()),
        "gt" => Ok(">".to_owned()),
        "quot" => Ok("\"".to_owned()),
        "apos" => Ok("'".to_owned()),
        _ => Err(malformed("an unknown entity")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_a_parser_reads_back() {
        let text = "a<b>&\"'c\r\n\té\u{1f980}";
        let mut document = Document::new("Root");
        document.text("Key", text).value("Size", 7u64).optional("None", None::<&str>).element("Inner", |inner| {
            inner.text("Empty", "");
        });
        let written = document.finish();
        assert!(written.contains("xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""));
        let read = parse(written.as_bytes(), "Root").unwrap();
        assert_eq!(read.child_text("Key"), Some(text));
        assert_eq!(read.child_text("Size"), Some("7"));
        assert_eq!(read.child("Inner").unwrap().child_text("Empty"), Some(""));
        assert_eq!(read.child("None"), None);
    }

    #[test]
    fn what_xml_cannot_carry_becomes_a_reference() {
        let mut document = Document::bare("R");
        document.root_text("\0\u{1}\u{1f}\u{ffff}\u{7f}");
        assert!(document.finish().ends_with("<R>&#x0;&#x1;&#x1f;&#xffff;\u{7f}</R>"));
    }

    #[test]
    fn namespaces_prefixes_comments_and_byte_order_marks_are_fine() {
        for body in [
            "<Delete><Quiet>true</Quiet></Delete>",
            "<?xml version=\"1.0\"?>\n<Delete xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\"><Quiet>true</Quiet></Delete>\n",
            "\u{feff}<s3:Delete xmlns:s3=\"x\"><!-- c --><s3:Quiet>tr<![CDATA[ue]]></s3:Quiet></s3:Delete>",
            "<Delete><Quiet>&#116;r&#x75;e</Quiet></Delete>",
        ] {
            let element = parse(body.as_bytes(), "Delete").unwrap();
            assert_eq!(element.child_text("Quiet"), Some("true"), "{body}");
        }
    }

    #[test]
    fn quotes_of_etags_in_every_spelling() {
        for body in
            ["<P><ETag>&quot;ab&quot;</ETag></P>", "<P><ETag>\"ab\"</ETag></P>", "<P><ETag>&#34;ab&#x22;</ETag></P>"]
        {
            assert_eq!(parse(body.as_bytes(), "P").unwrap().child_text("ETag"), Some("\"ab\""));
        }
    }

    #[test]
    fn hostile_documents() {
        let deep = format!("{}{}", "<a>".repeat(XML_DEPTH_MAX + 1), "</a>".repeat(XML_DEPTH_MAX + 1));
        let many = format!("<a>{}</a>", "<b/>".repeat(XML_ELEMENTS_MAX));
        for body in [
            "",
            "   ",
            "text",
            "<a>",
            "</a>",
            "<a></b>",
            "<a/><a/>",
            "<b/>",
            "<a/>x",
            "<a>&bomb;</a>",
            "<a>&#0;</a>",
            "<a>&#xd800;</a>",
            "<a>&amp</a>",
            "<!DOCTYPE a [<!ENTITY x \"y\">]><a>&x;</a>",
            "<a <b></a>",
            &deep,
            &many,
        ] {
            let refused = parse(body.as_bytes(), "a").map(drop).map_err(|error| error.code());
            assert_eq!(refused, Err(Code::MALFORMED_XML), "{}", body.get(..40).unwrap_or(body));
        }
        assert!(parse(b"<a>\xff</a>", "a").is_err());
    }
}
