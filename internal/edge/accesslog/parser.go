package accesslog

import (
	"strings"

	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/wire"
)

// Parser makes records of the log store of the lines of one file of CloudFront's
// standard log, in their order: a line #Fields says what stands in those after it.
// Its zero value takes the standard fields.
type Parser struct {
	columns columns
	message []byte
}

// Parse makes a record of a line, such as the edge's own requests have. ok is false
// if the line is a comment.
func (p *Parser) Parse(line string) (r logs.Record, ok bool, err error) {
	if names, ok := strings.CutPrefix(line, "#Fields:"); ok {
		p.columns = columnsOf(strings.Fields(names))
	}
	if line == "" || line[0] == '#' {
		return r, false, nil
	}
	if p.columns == nil {
		p.columns = ordinary
	}
	record, err := p.columns.parse(line)
	if err != nil {
		return r, false, err
	}
	p.message = appendMessage(p.message[:0], &record)
	message := string(p.message)
	if at := p.place(line); at != edge.Location {
		message = strings.Replace(message, here, `"x-edge-location":`+string(wire.AppendString(nil, at)), 1)
	}
	return logs.Record{Time: ended(&record), Request: record.Request, Message: message}, true, nil
}

// here is what a message says of this edge.
const here = `"x-edge-location":"` + edge.Location + `"`

// place is the edge that a line is from.
func (p *Parser) place(line string) string {
	for _, f := range p.columns {
		value, rest, _ := strings.Cut(line, "\t")
		if f != nil && f.name == location.name {
			return value
		}
		line = rest
	}
	return "-"
}
