package query

import (
	"fmt"
	"strings"

	"github.com/dropstack/dropstack/internal/fault"
)

// SyntaxError says what is wrong with a query, and where.
type SyntaxError struct {
	Start, End   int // bytes of the text
	Line, Column int // from 1; columns are letters
	Word         string
	Message      string // what was expected
}

func (e *SyntaxError) Error() string {
	what := fmt.Sprintf("%q", e.Word)
	if e.Word == "" {
		what = "the end"
	}
	return fmt.Sprintf("line %d, column %d, at %s: %s", e.Line, e.Column, what, e.Message)
}

// Show is the line of a query that an error is about, and a mark under the place.
func (e *SyntaxError) Show(text string) string {
	lines := strings.Split(text, "\n")
	if e.Line > len(lines) {
		return ""
	}
	line := strings.ReplaceAll(strings.TrimRight(lines[e.Line-1], "\r"), "\t", " ")
	return line + "\n" + strings.Repeat(" ", e.Column-1) + strings.Repeat("^", max(1, len([]rune(e.Word))))
}

// AWSMembers is what the API tells beside the message.
func (e *SyntaxError) AWSMembers() map[string]any {
	return map[string]any{"queryCompileError": map[string]any{
		"location": map[string]int{"startCharOffset": e.Start, "endCharOffset": e.End},
		"message":  e.Error(),
	}}
}

// mistake is an error at a place, which is where the scanner stands if it is negative.
func (s *scanner) mistake(at int, format string, args ...any) error {
	if at < 0 {
		s.space()
		at = s.pos
	}
	there := scanner{text: s.text, pos: at}
	before := s.text[:at]
	line := strings.Count(before, "\n") + 1
	column := len([]rune(before[strings.LastIndexByte(before, '\n')+1:])) + 1
	word := there.word()
	return &fault.Error{Kind: fault.Invalid, Code: "MalformedQueryException", Err: &SyntaxError{
		Start: at, End: at + len(word), Line: line, Column: column, Word: word, Message: fmt.Sprintf(format, args...),
	}}
}
