package waf

import (
	"strings"

	"github.com/corazawaf/libinjection-go"
)

// sqli says whether text looks like SQL injection. The tokenizer of libinjection
// compares the first five tokens of the text, as it is and as if it began inside
// of quotes, with those of known attacks; it sees attacks in prose as well ("1--2",
// names of functions in brackets). So what it reports needs evidence: see
// evident. High sensitivity does without.
func sqli(text string, of uint16, high bool) bool {
	if of&(hasOperator|hasSpace) == 0 && (of&hasDash == 0 || !strings.Contains(text, "--")) {
		return false
	}
	hit, _ := tokenized(text)
	if high {
		return hit
	}
	return hit && evident(text) || blatant(text, of)
}

// tokenized asks libinjection. A text that it does not survive is no text that
// anybody writes, and counts as a hit.
func tokenized(text string) (hit bool, fingerprint string) {
	defer func() {
		if recover() != nil {
			hit, fingerprint = true, "panic"
		}
	}()
	return libinjection.IsSQLi(text)
}

// xss says whether text looks like cross-site scripting: markup that runs scripts,
// an attribute that breaks out of a tag, or a URL that is a script.
func xss(text string, of uint16) (hit bool) {
	if of&hasColon != 0 && scriptURL(text) {
		return true
	}
	if of&hasMark == 0 {
		return false
	}
	defer func() {
		if recover() != nil {
			hit = true
		}
	}()
	return libinjection.IsXSS(text) || handles(text, of)
}

// handles says whether there is an element that has an event handler, or that runs or
// loads scripts, however its attributes are divided.
func handles(text string, of uint16) bool {
	if of&hasOperator == 0 {
		return false
	}
	inside := false
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '>':
			inside = false
		case c == '<' && i+1 < len(text) && (isLetter(text[i+1]) || strings.IndexByte("!?/\x00", text[i+1]) >= 0):
			inside = true
			if runsScripts(text[i+1:]) {
				return true
			}
		case inside && (c <= ' ' || strings.IndexByte("/\"'`", c) >= 0):
			if handlerAt(text[i+1:]) {
				return true
			}
		}
	}
	return false
}

// runsScripts says whether the name of an element is one that runs or loads scripts.
func runsScripts(text string) bool {
	var name [8]byte
	n := 0
	for i := range len(text) {
		c := text[i]
		if c == 0 {
			continue
		}
		if !isLetter(c) {
			switch string(name[:n]) {
			case "script", "layer", "iframe", "applet":
				return c <= ' ' || c == '/' || c == '>'
			}
			return false
		}
		if n == len(name) {
			return false
		}
		name[n] = lower(c)
		n++
	}
	return false
}

// handlerAt says whether text begins with an attribute onSOMETHING=.
func handlerAt(text string) bool {
	if len(text) < 6 || lower(text[0]) != 'o' || lower(text[1]) != 'n' {
		return false
	}
	i := 2
	for i < len(text) && i < 28 && isLetter(text[i]) {
		i++
	}
	if i < 5 {
		return false
	}
	for i < len(text) && text[i] <= ' ' {
		i++
	}
	return i < len(text) && text[i] == '='
}

// scriptURL says whether text begins as a URL that browsers run: they skip control
// characters and white space in a scheme.
func scriptURL(text string) bool {
	var scheme [16]byte
	n := 0
	for i := range len(text) {
		c := text[i]
		switch {
		case c <= ' ' || c == '"' && n == 0 || c == '\'' && n == 0:
			continue
		case c == ':':
			switch string(scheme[:n]) {
			case "javascript", "vbscript", "livescript":
				return true
			case "data":
				return runs(text[i+1:])
			}
			return false
		case n == len(scheme):
			return false
		}
		scheme[n] = lower(c)
		n++
	}
	return false
}

// runs says whether a browser runs data of this type.
func runs(data string) bool {
	kind := data[:min(len(data), 64)]
	if at := strings.IndexAny(kind, ";,"); at >= 0 {
		kind = kind[:at]
	}
	switch strings.ToLower(strings.TrimSpace(kind)) {
	case "text/html", "image/svg+xml", "application/xhtml+xml", "text/xml", "application/xml", "text/javascript", "application/javascript":
		return true
	}
	return false
}
