package notify

import (
	"strings"
	"unicode/utf8"
)

// Limits of Block Kit, in characters; Slack refuses a message whole that breaks one.
const (
	maxBlocks    = 50
	maxHeader    = 150
	maxText      = 3000 // of a section's text
	maxField     = 2000
	maxFields    = 10
	maxButton    = 75
	maxButtons   = 25
	maxButtonURL = 3000
	maxPlain     = 4000 // of the text that notifications show
)

// block is a part of a message.
type block struct {
	Type     string    `json:"type"` // header, section, context, actions or divider
	Text     *text     `json:"text,omitempty"`
	Fields   []text    `json:"fields,omitempty"`
	Elements []element `json:"elements,omitempty"`
}

// text is a text object.
type text struct {
	Type  string `json:"type"` // plain_text or mrkdwn
	Text  string `json:"text"`
	Emoji *bool  `json:"emoji,omitempty"`
}

// element is a text of a context block or a button of an actions block.
type element struct {
	Type     string `json:"type"`
	Text     any    `json:"text"` // a string, of texts; a text object, of buttons
	URL      string `json:"url,omitempty"`
	ActionID string `json:"action_id,omitempty"`
	Style    string `json:"style,omitempty"`
}

func header(s string) block {
	return block{Type: "header", Text: &text{Type: "plain_text", Text: shorten(s, maxHeader)}}
}

// section is a paragraph of mrkdwn; what comes from elsewhere has to be escaped.
func section(s string) block {
	return block{Type: "section", Text: &text{Type: "mrkdwn", Text: shorten(s, maxText)}}
}

// preformatted is a section of lines as they are.
func preformatted(s string) block {
	const fence = "```"
	s = strings.ReplaceAll(escape(s), fence, "'''")
	return section(fence + shorten(s, maxText-2*len(fence)-2) + fence)
}

// facts is a section of names and values; those without a value are left out.
func facts(pairs ...[2]string) (block, bool) {
	b := block{Type: "section"}
	for _, p := range pairs {
		if p[1] != "" && len(b.Fields) < maxFields {
			b.Fields = append(b.Fields, text{Type: "mrkdwn", Text: shorten("*"+escape(p[0])+"*\n"+escape(p[1]), maxField)})
		}
	}
	return b, len(b.Fields) > 0
}

func remark(s string) block {
	return block{Type: "context", Elements: []element{{Type: "mrkdwn", Text: shorten(s, maxText)}}}
}

// links is a row of buttons; those that lead nowhere, or too far, are left out.
func links(pairs ...[2]string) (block, bool) {
	b := block{Type: "actions"}
	for _, p := range pairs {
		if strings.HasPrefix(p[1], "http") && utf8.RuneCountInString(p[1]) <= maxButtonURL && len(b.Elements) < maxButtons {
			b.Elements = append(b.Elements, element{
				Type: "button", Text: text{Type: "plain_text", Text: shorten(p[0], maxButton)}, URL: p[1],
				ActionID: strings.ToLower(p[0]),
			})
		}
	}
	return b, len(b.Elements) > 0
}

// escape makes text say what it says, and mention nobody.
var escape = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;").Replace

// shorten cuts a text to so many characters, and no entity in two.
func shorten(s string, size int) string {
	if utf8.RuneCountInString(s) <= size {
		return s
	}
	short := string([]rune(s)[:size-1])
	if at := strings.LastIndexByte(short, '&'); at >= 0 && len(short)-at < len("&amp;") && !strings.Contains(short[at:], ";") {
		short = short[:at]
	}
	return short + "…"
}
