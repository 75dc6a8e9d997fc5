package waf

import (
	"mime"
	"strings"
)

// part is one part of a multipart body.
type part struct {
	name     string
	filename string
	file     bool     // it has a file name, even an empty one: its content is no text of ours
	rest     []string // of its headers what was not understood
	content  string
}

// parts visits the parts of a body that may be cut off, and says whether there are any.
// What stands behind the end is a part too: parsers differ in what they take for one.
func parts(text, boundary string, visit func(part)) bool {
	delimiter := "--" + boundary
	_, text, ok := cutPart(text, delimiter)
	if !ok {
		return false
	}
	for ok {
		var content string
		content, text, ok = cutPart(text, delimiter)
		visit(readPart(content))
		// lines that begin like a delimiter are content to most, and one to careless parsers
		_, inner, loose := strings.Cut(content, "\n"+delimiter)
		for loose {
			content, inner, loose = strings.Cut(inner, "\n"+delimiter)
			visit(readPart(content))
		}
	}
	return true
}

// cutPart is what is before a line that is the delimiter, or the end of all parts, and
// what is after it.
func cutPart(text, delimiter string) (before, after string, ok bool) {
	for at := 0; ; {
		i := strings.Index(text[at:], delimiter)
		if i < 0 {
			return text, "", false
		}
		from := at + i
		at = from + len(delimiter)
		if from > 0 && text[from-1] != '\n' {
			continue
		}
		line, rest, _ := strings.Cut(text[at:], "\n")
		if strings.Trim(strings.TrimPrefix(line, "--"), " \t\r") == "" {
			return strings.TrimSuffix(strings.TrimSuffix(text[:from], "\n"), "\r"), rest, true
		}
	}
}

// boundaryOf is the boundary that a multipart body has by its first line; "": it has
// none.
func boundaryOf(text string) string {
	line, _, _ := strings.Cut(strings.TrimLeft(text, "\r\n"), "\n")
	boundary, ok := strings.CutPrefix(strings.TrimRight(line, " \t\r"), "--")
	if !ok || len(boundary) > maxBoundary {
		return ""
	}
	return boundary
}

// maxBoundary is how long a boundary may be (RFC 2046, section 5.1.1).
const maxBoundary = 70

// readPart takes headers and content of a part apart.
func readPart(text string) part {
	var p part
	for {
		line, rest, more := strings.Cut(text, "\n")
		text = rest
		line = strings.TrimSuffix(line, "\r")
		if line == "" {
			break
		}
		// a header goes on in lines that begin with white space
		for more && (strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t")) {
			var next string
			next, text, more = strings.Cut(text, "\n")
			line += strings.TrimSuffix(next, "\r")
		}
		p.header(line)
		if !more {
			break
		}
	}
	p.content = text
	return p
}

// header reads one line.
func (p *part) header(line string) {
	name, value, ok := strings.Cut(line, ":")
	if !ok {
		value = line
	}
	if !strings.EqualFold(strings.TrimSpace(name), "Content-Disposition") {
		p.rest = append(p.rest, strings.TrimSpace(value))
		return
	}
	_, params, err := mime.ParseMediaType(value)
	if err != nil {
		lower := strings.ToLower(value)
		p.rest, p.file = append(p.rest, value), strings.Contains(lower, "filename=") || strings.Contains(lower, "filename*")
		return
	}
	p.name = params["name"]
	p.filename, p.file = params["filename"]
}
