package waf

import (
	"mime"
	"strings"
)

// part is one part of a multipart body.
type part struct {
	name     string
	filename string
	file     bool   // it has a file name, even an empty one: its content is no text of ours
	rest     string // headers that were not understood
	content  string
}

// parts visits the parts of a body that may be cut off.
func parts(text, boundary string, visit func(part) bool) {
	delimiter := "--" + boundary
	_, text, ok := strings.Cut(text, delimiter)
	for ok && !strings.HasPrefix(text, "--") {
		var content string
		text = strings.TrimLeft(text, " \t")
		text = strings.TrimPrefix(strings.TrimPrefix(text, "\r"), "\n")
		content, text, ok = strings.Cut(text, "\n"+delimiter)
		if !visit(readPart(strings.TrimSuffix(content, "\r"))) {
			return
		}
	}
}

// readPart takes headers and content of a part apart.
func readPart(text string) part {
	var p part
	for {
		line, rest, more := strings.Cut(text, "\n")
		text = rest
		line = strings.TrimSuffix(line, "\r")
		if line == "" || !more {
			break
		}
		// a header goes on in lines that begin with white space
		for more && (strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t")) {
			var next string
			next, text, more = strings.Cut(text, "\n")
			line += strings.TrimSuffix(next, "\r")
		}
		name, value, _ := strings.Cut(line, ":")
		if !strings.EqualFold(strings.TrimSpace(name), "Content-Disposition") {
			continue
		}
		_, params, err := mime.ParseMediaType(value)
		if err != nil {
			lower := strings.ToLower(value)
			p.rest, p.file = value, strings.Contains(lower, "filename=") || strings.Contains(lower, "filename*")
			continue
		}
		p.name = params["name"]
		p.filename, p.file = params["filename"]
	}
	p.content = text
	return p
}
