//go:build bench

package bench

import (
	"bufio"
	"bytes"
	"fmt"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"strconv"
	"strings"
	"testing"
)

// wire is a connection whose client costs next to nothing.
type wire struct {
	conn net.Conn
	in   *bufio.Reader
}

func newWire(conn net.Conn) *wire { return &wire{conn, bufio.NewReaderSize(conn, 64<<10)} }

var lengthField = []byte("content-length:")

// exchange sends a request and reads the answer, which must be a 200 with a length.
func (w *wire) exchange(request []byte) error {
	if _, err := w.conn.Write(request); err != nil {
		return err
	}
	status, err := w.in.ReadSlice('\n')
	if err != nil {
		return err
	}
	if !bytes.HasPrefix(status, []byte("HTTP/1.1 200 ")) {
		return fmt.Errorf("answered %q", status)
	}
	length := -1
	for {
		field, err := w.in.ReadSlice('\n')
		if err != nil {
			return err
		}
		if len(field) <= 2 {
			break
		}
		if len(field) > len(lengthField) && bytes.EqualFold(field[:len(lengthField)], lengthField) {
			if length, err = strconv.Atoi(string(bytes.TrimSpace(field[len(lengthField):]))); err != nil {
				return err
			}
		}
	}
	if length < 0 {
		return fmt.Errorf("an answer without a length")
	}
	_, err = w.in.Discard(length)
	return err
}

// TestMain has this program be a reverse proxy when it is told to.
func TestMain(m *testing.M) {
	if addr, origin, ok := strings.Cut(os.Getenv(proxyTo), " "); ok {
		target, err := url.Parse(origin)
		if err == nil {
			err = http.ListenAndServe(addr, &httputil.ReverseProxy{
				Rewrite:   func(r *httputil.ProxyRequest) { r.SetURL(target); r.SetXForwarded() },
				Transport: &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true},
			})
		}
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Exit(m.Run())
}
