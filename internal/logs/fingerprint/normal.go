package fingerprint

import (
	"path"
	"regexp"
	"strings"
)

// masks are what differs between errors that are the same, and what stands for it.
// What comes first is masked first.
var masks = []struct {
	what *regexp.Regexp
	as   string
}{
	{regexp.MustCompile(`\b[0-9a-fA-F]{8}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{4}-[0-9a-fA-F]{12}\b`), "<id>"},
	{regexp.MustCompile(`\b\d{4}-\d{2}-\d{2}[T ]\d{2}:\d{2}:\d{2}(?:[.,]\d+)?(?:Z|[+-]\d{2}:?\d{2})?`), "<time>"},
	{regexp.MustCompile(`[\w.+-]+@[\w-]+(?:\.[\w-]+)+`), "<email>"},
	{regexp.MustCompile(`\barn:[\w:/.$*-]+`), "<arn>"},
	{regexp.MustCompile(`\bhttps?://[^\s"'<>)]*[^\s"'<>):.,;]`), "<url>"},
	{regexp.MustCompile(`"(?:[^"\\]|\\.)*"`), `"…"`},
	{regexp.MustCompile("`[^`]*`"), "`…`"},
	{regexp.MustCompile(`(^|[\s(=:,\[{])'[^']*'`), `$1'…'`}, // an apostrophe within a word quotes nothing
	{regexp.MustCompile(`\b\d{1,3}(?:\.\d{1,3}){3}(?::\d+)?\b`), "<address>"},
	{regexp.MustCompile(`\b0x[0-9a-fA-F]+\b`), "<n>"},
	{regexp.MustCompile(`\b(?:[0-9]+[a-fA-F]|[a-fA-F]+[0-9])[0-9a-fA-F]{6,}\b`), "<id>"},
}

var (
	// mixed are words of letters and digits, of which those that are long are ids.
	mixed  = regexp.MustCompile(`\b(?:[A-Za-z]+\d|\d+[A-Za-z])[A-Za-z0-9]*\b`)
	number = regexp.MustCompile(`[-+]?\d+(?:\.\d+)?`)
)

// longWord is from which length on a word with digits in it is an id.
const longWord = 12

// maxMasked is how much of a message makes a fingerprint.
const maxMasked = 500

// Mask is a message without what differs from one time to the next: numbers, ids,
// times, addresses and what is quoted.
func Mask(message string) string {
	message = short(strings.TrimSpace(message), 2*maxMasked)
	for _, m := range masks {
		message = m.what.ReplaceAllString(message, m.as)
	}
	message = mixed.ReplaceAllStringFunc(message, func(word string) string {
		if len(word) < longWord {
			return word
		}
		return "<id>"
	})
	message = number.ReplaceAllString(message, "<n>")
	return short(strings.Join(strings.Fields(message), " "), maxMasked)
}

var (
	// at name (place:line:column), or without a name
	nodeFrame = regexp.MustCompile(`^\s*at (?:(?:async )?(.+?) \()?(?:file://)?([^()\s]+?)(?::\d+)?(?::\d+)?\)?$`)
	// place:line name, as Occurrence has frames of Go
	goFrame = regexp.MustCompile(`^(\S+\.go):\d+ (\S+)$`)
)

// foreign is what paths of code have that is not the function's own.
var foreign = []string{
	"node_modules/", "node:", "/var/runtime/", "/var/lang/", "/opt/", "<anonymous>",
	"/pkg/mod/", "github.com/", "golang.org/", "google.golang.org/", "gopkg.in/", "/usr/local/go/src/", "vendor/",
}

// own are the innermost frames in the function's own code, without line numbers:
// another line of the file above moves an error and makes it no other.
func own(stack []string) []string {
	var list []string
	for _, frame := range stack {
		where, name := "", ""
		if m := goFrame.FindStringSubmatch(frame); m != nil {
			if where, name = m[1], m[2]; standard(where) {
				continue
			}
		} else if m := nodeFrame.FindStringSubmatch(frame); m != nil {
			where, name = m[2], m[1]
		} else {
			continue
		}
		if isForeign(where) {
			continue
		}
		if list = append(list, path.Base(where)+" "+name); len(list) == frames {
			break
		}
	}
	return list
}

// standard says whether a file is of Go's own library, whose paths are trimmed to
// that of the package: runtime/panic.go, net/http/server.go.
func standard(where string) bool {
	first, _, deep := strings.Cut(strings.TrimPrefix(where, "/"), "/")
	switch first {
	case "runtime", "net", "encoding", "reflect", "sync", "syscall", "io", "os", "fmt", "context", "errors", "bufio", "bytes", "strings", "time", "crypto", "database":
		return deep
	}
	return false
}

func isForeign(where string) bool {
	for _, part := range foreign {
		if strings.HasPrefix(where, part) || strings.Contains(where, "/"+strings.TrimPrefix(part, "/")) {
			return true
		}
	}
	return false
}
