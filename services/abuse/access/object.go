package access

import (
	"bufio"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"strings"
)

// maxLine bounds a line; CloudFront's are far shorter.
const maxLine = 1 << 20

// Read reads an object of the standard log, gzip or not. Its own #Fields line says
// which fields there are. A line that says nothing is left out and counted in bad.
func Read(in io.Reader, visit func(Record)) (bad int, err error) {
	buffered := bufio.NewReaderSize(in, 64<<10)
	if magic, err := buffered.Peek(2); err == nil && magic[0] == 0x1f && magic[1] == 0x8b {
		unpacked, err := gzip.NewReader(buffered)
		if err != nil {
			return 0, fmt.Errorf("unpack: %w", err)
		}
		buffered = bufio.NewReaderSize(unpacked, 64<<10)
	}
	lines := bufio.NewScanner(buffered)
	lines.Buffer(make([]byte, 0, 64<<10), maxLine)
	var format *Format
	for lines.Scan() {
		line := lines.Text()
		if names, ok := strings.CutPrefix(line, "#Fields:"); ok {
			f, err := NewFormat(strings.Fields(names))
			if err != nil {
				return bad, err
			}
			format = &f
			continue
		}
		if strings.HasPrefix(line, "#") || strings.TrimSpace(line) == "" {
			continue
		}
		if format == nil {
			return bad, errors.New("the log begins without #Fields")
		}
		r, err := format.Parse(line)
		if err != nil {
			bad++
			continue
		}
		visit(r)
	}
	if err := lines.Err(); err != nil {
		return bad, fmt.Errorf("read: %w", err)
	}
	return bad, nil
}
