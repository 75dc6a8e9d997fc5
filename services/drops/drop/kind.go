package drop

import (
	"mime"
	"path"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/alecthomas/chroma/v2/lexers"
	"github.com/dropstack/dropstack/services/wire"
	"github.com/gabriel-vasile/mimetype"
)

// MaxNote is the largest text in bytes that becomes a note; more is a file.
const MaxNote = 1 << 20

// Variants of a note.
const (
	Plain    = "plain"
	Markdown = "markdown"
	Code     = "code"
)

// Sniff returns the media type that the first bytes of a file show, without
// parameters.
func Sniff(head []byte) string {
	media, _, err := mime.ParseMediaType(mimetype.Detect(head).String())
	if err != nil {
		return "application/octet-stream"
	}
	return media
}

// TypeOf returns the type of drop for a media type. Text is TypeNote here; the
// caller makes it a file when it is too large or not UTF-8.
func TypeOf(media string) string {
	kind, _, _ := strings.Cut(media, "/")
	switch kind {
	case "image", "video", "audio":
		return kind
	case "text":
		return wire.TypeNote
	}
	switch media {
	case "application/ogg":
		return wire.TypeAudio
	case "application/json", "application/javascript", "application/x-ndjson", "application/geo+json",
		"application/xml", "application/x-sh", "application/x-php", "application/x-tcl":
		return wire.TypeNote
	}
	for m := mimetype.Lookup(media); m != nil; m = m.Parent() {
		if m.Is("text/plain") {
			return wire.TypeNote
		}
	}
	return wire.TypeFile
}

// VariantOf guesses how a note wants to be shown from its file name.
func VariantOf(name string) string {
	switch strings.ToLower(path.Ext(name)) {
	case "", ".txt", ".text", ".log":
		return Plain
	case ".md", ".markdown", ".mdown", ".mkd":
		return Markdown
	}
	if l := lexers.Match(name); l != nil && l.Config().Name != "plaintext" {
		return Code
	}
	return Plain
}

// CleanName makes a client's file name safe to show and to send: its last path
// part, without control characters, at most 255 bytes.
func CleanName(name string) string {
	name = strings.ToValidUTF8(name, "\uFFFD")
	name = path.Base(strings.ReplaceAll(name, `\`, "/"))
	name = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r) {
			return -1
		}
		return r
	}, name)
	name = strings.TrimSpace(name)
	if name == "." || name == ".." || name == "/" {
		return ""
	}
	if len(name) > 255 {
		ext := path.Ext(name)
		if len(ext) > 20 {
			ext = ""
		}
		name = cut(name, 255-len(ext)) + ext
	}
	return name
}

// NoteTitle is the first line of a text with something in it.
func NoteTitle(text string) string {
	for line := range strings.Lines(text) {
		if line = strings.TrimSpace(strings.TrimLeft(line, "# \t")); line != "" {
			if len(line) > 80 {
				return cut(line, 77) + "…"
			}
			return line
		}
	}
	return "Note"
}

// cut shortens s to at most n bytes without breaking a character.
func cut(s string, n int) string {
	if len(s) <= n {
		return s
	}
	for n > 0 && !utf8.RuneStart(s[n]) {
		n--
	}
	return s[:n]
}
