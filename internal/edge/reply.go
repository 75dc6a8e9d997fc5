package edge

import (
	"io"
	"net/http"
	"sync"
	"time"
)

// sendObject is the response header by which an origin has an object sent, as
// BUCKET/KEY, the key percent-encoded.
const sendObject = "X-Dropstack-Send-Object"

// reply passes an answer on to the client: it counts, keeps a stalled client from
// holding a connection, and holds back an answer that names an object to send.
type reply struct {
	http.ResponseWriter
	control *http.ResponseController
	status  int // 0 until the headers are sent
	bytes   int64
	object  string    // to be sent in place of the origin's body
	held    bool      // what the origin writes is dropped
	armed   time.Time // when the write deadline was last set
}

func newReply(w http.ResponseWriter) *reply {
	own := &reply{ResponseWriter: w, control: http.NewResponseController(w)}
	own.arm() // the server's own "100 Continue" is a write too
	return own
}

// Unwrap lets http.ResponseController reach the connection.
func (w *reply) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w *reply) WriteHeader(status int) {
	if w.status != 0 || w.held {
		return
	}
	w.arm()
	if status < 200 { // an interim answer
		w.ResponseWriter.WriteHeader(status)
		return
	}
	h := w.Header()
	if object := h.Get(sendObject); object != "" {
		h.Del(sendObject)
		if status == http.StatusOK {
			h.Del("Content-Length")
			w.object, w.held = object, true
			return
		}
	}
	w.status = status
	w.ResponseWriter.WriteHeader(status)
}

func (w *reply) Write(p []byte) (int, error) {
	w.WriteHeader(http.StatusOK)
	if w.held {
		return len(p), nil
	}
	w.arm()
	n, err := w.ResponseWriter.Write(p)
	w.bytes += int64(n)
	return n, err
}

// FlushError sends what has been written, for answers that are streamed. What is
// held back stays so.
func (w *reply) FlushError() error {
	w.WriteHeader(http.StatusOK)
	if w.held {
		return nil
	}
	w.arm()
	return w.control.Flush()
}

// release ends the holding back, for the edge to write its own answer.
func (w *reply) release() { w.held = false }

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

// arm gives the client until stall from now to take the next bytes. Servers that
// are not on a connection have no deadline to set.
func (w *reply) arm() {
	if now := time.Now(); now.Sub(w.armed) > stall/10 {
		w.armed = now
		_ = w.control.SetWriteDeadline(now.Add(stall)) // not supported: nothing to stall
	}
}

// body is a request's body that is counted, and given up when nothing arrives.
type body struct {
	io.ReadCloser
	control *http.ResponseController
	bytes   int64
	armed   time.Time
}

func (b *body) Read(p []byte) (int, error) {
	if now := time.Now(); now.Sub(b.armed) > stall/10 {
		b.armed = now
		_ = b.control.SetReadDeadline(now.Add(stall)) // not supported: nothing to stall
	}
	n, err := b.ReadCloser.Read(p)
	b.bytes += int64(n)
	if err == io.EOF {
		// From here on the server watches the connection for the client leaving,
		// which may be a long time.
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
