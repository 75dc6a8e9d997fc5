package instance

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"strconv"
	"sync"
)

// MaxResponse is what a function may answer, in bytes: 6 MB and 100, as Lambda's.
const MaxResponse = 6<<20 + 100

// Bounds on what is read for a function that does not keep to the protocol.
const (
	maxHeader  = 2 << 20   // the official Go client puts a stack trace of up to 1 MB there
	maxDiscard = 256 << 20 // of a response that is over the limit already
)

// maxForward is the most that a streamed response is read: MaxStream, and as
// much beyond as is worth reading to tell the function of it.
const maxForward = MaxStream + maxDiscard

var errMalformed = errors.New("malformed request")

// request is what the Runtime API reads of an HTTP/1.1 request. It is parsed by
// hand, since net/http's server costs a third of a warm invocation.
type request struct {
	method, path string
	length       int64 // of the body, -1 if unknown
	chunked      bool
	last         bool // the client closes the connection afterwards
	expects      bool // 100-continue
	errorType    string
	errorBody    string // base64, of a trailer
	mode         string // Lambda-Runtime-Function-Response-Mode
	contentType  string
	extension    extensionFields

	sink func(b []byte) // takes the body while it arrives, instead of body
	body []byte         // nil if over the limit
	size int64          // of the body as sent
}

// extensionFields are the header fields that extensions send.
type extensionFields struct {
	name, id, features, errorType string
}

func (r *request) read(br *bufio.Reader) error {
	*r = request{length: -1}
	line, err := readLine(br)
	for err == nil && len(line) == 0 { // RFC 9112 2.2: ignore empty lines before a request
		line, err = readLine(br)
	}
	if err != nil {
		return err
	}
	method, rest, ok := bytes.Cut(line, []byte(" "))
	path, version, ok2 := bytes.Cut(rest, []byte(" "))
	if !ok || !ok2 || !bytes.HasPrefix(version, []byte("HTTP/1.")) {
		return errMalformed
	}
	r.method, r.path = known(method), string(path)
	old := bytes.Equal(version, []byte("HTTP/1.0"))
	r.last = old
	if err := r.readHeader(br); err != nil {
		return err
	}
	if old && r.chunked {
		return errMalformed // HTTP/1.0 has no chunks: RFC 9112 6.1 calls the framing faulty
	}
	return nil
}

func (r *request) readHeader(br *bufio.Reader) error {
	for total := 0; ; {
		line, err := readLine(br)
		if err != nil {
			return err
		}
		if len(line) == 0 {
			break
		}
		if total += len(line); total > maxHeader {
			return errMalformed
		}
		if err := r.field(line); err != nil {
			return err
		}
	}
	if r.chunked && r.length >= 0 {
		return errMalformed // the two disagree about where the next request begins
	}
	return nil
}

func (r *request) field(line []byte) error {
	name, value, ok := bytes.Cut(line, []byte(":"))
	if !ok || len(name) == 0 {
		return errMalformed
	}
	value = bytes.TrimSpace(value)
	switch {
	case named(name, "Content-Length"):
		n, err := strconv.ParseInt(string(value), 10, 63)
		if err != nil || n < 0 || r.length >= 0 && r.length != n {
			return errMalformed
		}
		r.length = n
	case named(name, "Transfer-Encoding"):
		if !named(value, "chunked") {
			return errMalformed
		}
		r.chunked = true
	case named(name, "Connection"):
		r.last = r.last || named(value, "close")
	case named(name, "Expect"):
		r.expects = named(value, "100-continue")
	case named(name, "Content-Type"):
		r.contentType = known(value)
	case len(name) > len("Lambda-") && named(name[:len("Lambda-")], "Lambda-"):
		r.lambdaField(name, value)
	}
	return nil
}

func (r *request) lambdaField(name, value []byte) {
	switch {
	case named(name, "Lambda-Runtime-Function-Error-Type"):
		r.errorType = string(value)
	case named(name, "Lambda-Runtime-Function-Error-Body"):
		r.errorBody = string(value)
	case named(name, "Lambda-Runtime-Function-Response-Mode"):
		r.mode = string(value)
	case named(name, "Lambda-Extension-Name"):
		r.extension.name = string(value)
	case named(name, "Lambda-Extension-Identifier"):
		r.extension.id = string(value)
	case named(name, "Lambda-Extension-Accept-Feature"):
		r.extension.features = string(value)
	case named(name, "Lambda-Extension-Function-Error-Type"):
		r.extension.errorType = string(value)
	}
}

// known is string(b) without an allocation for what every invocation sends.
func known(b []byte) string {
	for _, s := range [...]string{"GET", "POST", "application/json"} {
		if string(b) == s {
			return s
		}
	}
	return string(b)
}

func named(b []byte, name string) bool {
	return len(b) == len(name) && bytes.EqualFold(b, []byte(name))
}

// readBody reads the body to its end and keeps it if it is within MaxResponse.
func (r *request) readBody(br *bufio.Reader) error {
	switch {
	case r.chunked:
		return r.readChunks(br)
	case r.length > 0:
		return r.take(br, r.length)
	}
	return nil
}

// take reads n more bytes of the body.
func (r *request) take(br *bufio.Reader, n int64) error {
	if r.sink != nil {
		return r.forward(br, n)
	}
	r.size += n
	if r.size > MaxResponse {
		r.body = nil
		if r.size > maxDiscard {
			return errMalformed
		}
		_, err := io.CopyN(io.Discard, br, n)
		return err
	}
	// Memory follows what arrives, not what a header claims.
	for n > 0 {
		step := min(n, 1<<20)
		at := len(r.body)
		if r.body == nil {
			r.body = make([]byte, 0, step)
		}
		r.body = append(r.body, make([]byte, step)...)
		if _, err := io.ReadFull(br, r.body[at:]); err != nil {
			return err
		}
		n -= step
	}
	return nil
}

// forward hands n more bytes of the body to the sink as they arrive.
func (r *request) forward(br *bufio.Reader, n int64) error {
	buf := forwardBuffers.Get().(*[]byte)
	defer forwardBuffers.Put(buf)
	for n > 0 {
		k, err := br.Read((*buf)[:min(n, int64(len(*buf)))])
		r.size += int64(k)
		n -= int64(k)
		if k > 0 {
			r.sink((*buf)[:k])
		}
		switch {
		case err != nil:
			return err
		case r.size > maxForward:
			return errMalformed
		}
	}
	return nil
}

// forwardBuffers are larger than the connection's own, so that much of a large
// chunk passes in one step.
var forwardBuffers = sync.Pool{New: func() any { b := make([]byte, 64<<10); return &b }}

func (r *request) readChunks(br *bufio.Reader) error {
	for {
		line, err := readLine(br)
		if err != nil {
			return err
		}
		size, _, _ := bytes.Cut(line, []byte(";"))
		n, err := strconv.ParseUint(string(bytes.TrimSpace(size)), 16, 31)
		if err != nil {
			return errMalformed
		}
		if n == 0 {
			return r.readHeader(br) // the trailers
		}
		if err := r.take(br, int64(n)); err != nil {
			return err
		}
		if end, err := readLine(br); err != nil || len(end) != 0 {
			return errMalformed
		}
	}
}

// readLine returns a line without its end, valid until the next read. Of a line
// longer than the reader's buffer it returns the beginning: only headers that we
// ignore are that long.
func readLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if errors.Is(err, bufio.ErrBufferFull) {
		begin := bytes.Clone(line)
		for total := len(begin); errors.Is(err, bufio.ErrBufferFull); {
			if total > maxHeader {
				return nil, errMalformed
			}
			line, err = br.ReadSlice('\n')
			total += len(line)
		}
		line = begin
	}
	if err != nil {
		return nil, err
	}
	return bytes.TrimRight(line, "\r\n"), nil
}
