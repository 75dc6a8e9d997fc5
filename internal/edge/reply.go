package edge

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// reply passes an answer on to the client: it counts, and lets the edge have the last
// word on the head.
type reply struct {
	http.ResponseWriter
	control *http.ResponseController
	// head is asked before a final status goes out. It may change headers and the
	// status, or have the answer dropped for one of the edge's own.
	head    func(status int) (now int, drop bool)
	status  int // 0 until the headers are sent
	bytes   int64
	size    int64     // of the head
	first   time.Time // when the head was sent
	dropped int       // status of an answer that is not sent; 0: it is
	flushed bool
	bare    bool // the answer has no body, whatever is written
	failed  bool // the client took no more
}

func newReply(w http.ResponseWriter) *reply {
	return &reply{ResponseWriter: w, control: http.NewResponseController(w)}
}

// Unwrap lets http.ResponseController reach the connection.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *reply) WriteHeader(status int) {
	if w.status != 0 || w.dropped != 0 {
		return
	}
	if status < 200 && status != http.StatusSwitchingProtocols { // an interim answer
		w.ResponseWriter.WriteHeader(status)
		return
	}
	if w.head != nil {
		now, drop := w.head(status)
		if drop {
			w.dropped = status
			return
		}
		status = now
	}
	w.sent(status)
	w.ResponseWriter.WriteHeader(status)
}

func (w *reply) sent(status int) {
	w.status, w.first = status, time.Now()
	w.bare = w.bare || status == http.StatusNoContent || status == http.StatusNotModified
	w.size = int64(len("HTTP/1.1 200 \r\n\r\n") + len(http.StatusText(status)))
	for name, values := range w.Header() {
		for _, value := range values {
			w.size += int64(len(name) + len(value) + len(": \r\n"))
		}
	}
	if _, ok := w.Header()["Date"]; !ok {
		w.size += int64(len("Date: ") + len(http.TimeFormat) + len("\r\n"))
	}
}

func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.dropped != 0 {
		return len(p), nil
	}
	if w.bytes == 0 && !w.bare && len(p) > 0 {
		w.guess(p)
	}
	n, err := w.ResponseWriter.Write(p)
	if !w.bare {
		w.bytes += int64(n)
	}
	w.failed = w.failed || err != nil
	return n, err
}

// guess counts the Content-Type that the server writes when nobody else has.
func (w *reply) guess(p []byte) {
	h := w.Header()
	if _, said := h["Content-Type"]; !said && len(h["Content-Encoding"]) == 0 {
		w.size += int64(len("Content-Type: \r\n") + len(http.DetectContentType(p)))
	}
}

// framing is what the server adds to a head of HTTP/1.1 to say where the body ends.
// The frames of chunks themselves are not counted.
func (w *reply) framing() int64 {
	h := w.Header()
	switch {
	case w.bare || w.status == 0 || w.status == http.StatusSwitchingProtocols || len(h["Content-Length"]) > 0:
		return 0
	case !w.flushed && w.bytes <= 2048: // it waits for as much
		return int64(len("Content-Length: \r\n") + len(strconv.FormatInt(w.bytes, 10)))
	}
	return int64(len("Transfer-Encoding: chunked\r\n"))
}

// FlushError sends what has been written, for answers that are streamed.
func (w *reply) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.dropped != 0 {
		return nil
	}
	w.flushed = true
	return w.control.Flush()
}

// Hijack hands the connection over for a switch of protocols.
func (w *reply) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	conn, rw, err := w.control.Hijack()
	if err != nil {
		return nil, nil, err
	}
	if w.head != nil {
		w.head(http.StatusSwitchingProtocols)
	}
	w.sent(http.StatusSwitchingProtocols)
	return conn, rw, conn.SetDeadline(time.Time{}) // what is said from now on may take its time
}

// again ends the dropping, for the edge to write its own answer.
func (w *reply) again() { w.dropped = 0 }

var buffers = sync.Pool{New: func() any { return new([128 << 10]byte) }}

// ReadFrom copies with a large buffer; http.ServeContent gets here.
func (w *reply) ReadFrom(r io.Reader) (n int64, err error) {
	buf := buffers.Get().(*[128 << 10]byte)
	defer buffers.Put(buf)
	return io.CopyBuffer(onlyWriter{w}, onlyReader{r}, buf[:])
}

type (
	onlyWriter struct{ io.Writer }
	onlyReader struct{ io.Reader }
)
