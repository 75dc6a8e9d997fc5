package node_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/node"
)

const headers = "Lambda-Runtime-Aws-Request-Id: id\r\n"

// TestWire gives events in every form that HTTP/1.1 allows; the function answers
// with what it got.
func TestWire(t *testing.T) {
	in := nodes(t)[0]
	for _, c := range []struct {
		name    string
		answers []string // to requests for an event, one after the other
		step    int      // bytes per write; 0: all
		want    string
		stderr  string
	}{
		{name: "length", answers: []string{"HTTP/1.1 200 OK\r\n" + headers + "Content-Length: 5\r\n\r\n[1,2]"}, want: `[1,2]`},
		{name: "byte by byte", step: 1, answers: []string{"HTTP/1.1 200 OK\r\n" + headers + "Content-Length: 4\r\n\r\n\"é\""}, want: `"é"`},
		{name: "names in any case", answers: []string{"HTTP/1.1 200 OK\r\nLAMBDA-RUNTIME-AWS-REQUEST-ID:id\r\ncontent-LENGTH:1\r\n\r\n7"}, want: `7`},
		{name: "chunks", answers: []string{"HTTP/1.1 200 OK\r\n" + headers + "Transfer-Encoding: chunked\r\n\r\n3;ext=1\r\n\"a\xc3\r\n1\r\n\xa9\r\nA\r\n 123456789\r\n1\r\n\"\r\n0\r\nTrailer: x\r\n\r\n"}, want: `"aé 123456789"`},
		{name: "chunks byte by byte", step: 1, answers: []string{"HTTP/1.1 200 OK\r\n" + headers + "Transfer-Encoding: Chunked\r\n\r\n2\r\n\"a\r\n1\r\n\"\r\n0\r\n\r\n"}, want: `"a"`},
		{name: "interim answer", answers: []string{"HTTP/1.1 102 Processing\r\n\r\nHTTP/1.1 200 OK\r\n" + headers + "Content-Length: 1\r\n\r\n8"}, want: `8`},
		{name: "connection that closes", answers: []string{"HTTP/1.1 200 OK\r\n" + headers + "Connection: close\r\nContent-Length: 1\r\n\r\n9"}, want: `9`},
		{name: "refusal", answers: []string{"HTTP/1.1 403 Forbidden\r\nContent-Length: 2\r\n\r\nno"}, stderr: "answered the request for an event with 403: no"},
		{name: "end of the platform", answers: []string{""}, stderr: "the connection was closed"},
	} {
		t.Run(c.name, func(t *testing.T) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			got := make(chan string, 1)
			go drip(l, c.answers, c.step, got)
			main, err := entry()
			if err != nil {
				t.Fatal(err)
			}
			dir := unpack(t, `exports.handler = async (e) => e;`)
			command := node.Command(in, main, 256, "")
			cmd := exec.Command(command[0], command[1:]...)
			cmd.Dir, cmd.Env = dir, environ(l.Addr().String(), dir, nil)
			ended := make(chan string, 1)
			go func() {
				out, _ := cmd.CombinedOutput()
				ended <- string(out)
			}()
			if c.want != "" {
				select {
				case body := <-got:
					if body != c.want {
						t.Errorf("got %s, want %s", body, c.want)
					}
				case out := <-ended:
					t.Fatalf("the process ended: %s", out)
				case <-time.After(patience):
					t.Fatal("no answer")
				}
				l.Close() // and with the next request the process ends
			}
			select {
			case out := <-ended:
				if !strings.Contains(out, c.stderr) {
					t.Errorf("got %q, want %q", out, c.stderr)
				}
				if code := cmd.ProcessState.ExitCode(); code != 1 && code != 129 {
					t.Errorf("got exit status %d", code)
				}
			case <-time.After(patience):
				_ = cmd.Process.Kill()
				t.Fatal("the process outlives the platform")
			}
		})
	}
}

// drip answers requests for events from a script, step bytes at a time, reports
// the first response, and hangs up.
func drip(l net.Listener, answers []string, step int, got chan<- string) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		_ = conn.(*net.TCPConn).SetNoDelay(true)
		br := bufio.NewReader(conn)
		for {
			r, err := http.ReadRequest(br)
			if err != nil {
				if !errors.Is(err, io.EOF) {
					conn.Close()
				}
				break
			}
			if r.Method == http.MethodPost {
				body, _ := io.ReadAll(r.Body)
				got <- string(body)
				conn.Close()
				return
			}
			if len(answers) == 0 || answers[0] == "" {
				conn.Close()
				break
			}
			if step == 0 {
				step = len(answers[0])
			}
			for part := range slices.Chunk([]byte(answers[0]), step) {
				_, _ = conn.Write(part)
			}
			answers = answers[1:]
		}
	}
}
