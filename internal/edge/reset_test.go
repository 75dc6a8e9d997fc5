package edge_test

import (
	"bytes"
	"crypto/tls"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"github.com/dropstack/dropstack/internal/edge"
)

// TestStreamsThatAreReset: opening requests and resetting them at once does not get a
// client more of them than it may have.
func TestStreamsThatAreReset(t *testing.T) {
	const limit = 10
	var now, most atomic.Int32
	release := make(chan struct{})
	s, _ := server(t, origins{"web": func(http.ResponseWriter, *http.Request) {
		n := now.Add(1)
		defer now.Add(-1)
		for m := most.Load(); n > m && !most.CompareAndSwap(m, n); m = most.Load() {
		}
		<-release
	}}, all("web"))
	s.Limits = edge.Limits{Streams: limit}
	url, client := secured(t, s)
	config := client.Transport.(*http.Transport).TLSClientConfig.Clone()
	config.NextProtos = []string{"h2"}
	c, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), config)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.Write([]byte(http2.ClientPreface)); err != nil {
		t.Fatal(err)
	}
	frames := http2.NewFramer(c, c)
	if err := frames.WriteSettings(); err != nil {
		t.Fatal(err)
	}
	frame, err := frames.ReadFrame()
	if err != nil {
		t.Fatal(err)
	}
	if told, ok := frame.(*http2.SettingsFrame).Value(http2.SettingMaxConcurrentStreams); !ok || told != limit {
		t.Errorf("told %d streams at the same time, want %d", told, limit)
	}
	var head bytes.Buffer
	encoder := hpack.NewEncoder(&head)
	for i := range uint32(1000) {
		head.Reset()
		for _, f := range []hpack.HeaderField{{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: "https"}, {Name: ":authority", Value: "x"}, {Name: ":path", Value: "/"}} {
			if err := encoder.WriteField(f); err != nil {
				t.Fatal(err)
			}
		}
		if frames.WriteHeaders(http2.HeadersFrameParam{StreamID: 2*i + 1, BlockFragment: head.Bytes(), EndStream: true, EndHeaders: true}) != nil ||
			frames.WriteRSTStream(2*i+1, http2.ErrCodeCancel) != nil {
			break // the edge has had enough
		}
	}
	for { // until the edge has ended the connection, which it does to who goes on like this
		if frame, err = frames.ReadFrame(); err != nil {
			break
		}
		if away, ok := frame.(*http2.GoAwayFrame); ok && away.ErrCode != http2.ErrCodeEnhanceYourCalm {
			t.Errorf("ended with %v", away.ErrCode)
		}
	}
	close(release)
	if got := most.Load(); got == 0 || got > limit {
		t.Errorf("%d requests were worked on at the same time, want 1 to %d", got, limit)
	}
}
