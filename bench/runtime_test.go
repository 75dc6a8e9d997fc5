//go:build bench

package bench

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
)

var event = []byte(`{"version":"2.0","routeKey":"ANY /","rawPath":"/","headers":{"host":"bench-dev.localhost","user-agent":"bench"},"requestContext":{"http":{"method":"GET","path":"/"}},"isBase64Encoded":false}`)

func quiet() *slog.Logger {
	return slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
}

type nowhere struct{}

func (nowhere) Append(logs.Record) {}

// warm compares an invocation on a warm instance with a loop that only hands the
// same event to the same program, over the same protocol, on raw connections.
func warm(t *testing.T, dir string) {
	pool := &instance.Pool{Log: quiet(), Logs: nowhere{}}
	defer pool.Close()
	cfg := config(dir, "warm")
	for _, n := range []int{1, 16} {
		got := measure(t, n, func(int) error { return do(t, pool, cfg) })
		loops := make([]*bareLoop, n)
		for i := range loops {
			loops[i] = startBare(t, dir)
		}
		base := measure(t, n, func(worker int) error { return loops[worker].invoke() })
		for _, l := range loops {
			l.close()
		}
		compare(fmt.Sprintf("warm invoke, %d at once", n), "bare Runtime API loop", got, base)
	}
}

// cold compares the first invocation of a new version with starting the same
// program as a plain process that ends at once.
func cold(t *testing.T, dir string) {
	pool := &instance.Pool{Log: quiet(), Logs: nowhere{}}
	defer pool.Close()
	version := 0
	got := measure(t, 1, func(int) error {
		version++
		cfg := config(dir, fmt.Sprint("cold", version))
		if err := pool.Warm(t.Context(), cfg); err != nil {
			return err
		}
		pool.Keep(nil)
		return nil
	})
	base := measure(t, 1, func(int) error { return exec.Command(filepath.Join(dir, "bootstrap"), "exit").Run() })
	row("cold start p50", got.p50.String(), base.p50.String(), float64(got.p50)/float64(base.p50), "plain exec")
}

func config(dir, id string) instance.Config {
	return instance.Config{
		ID: id, Name: "echo", ARN: "arn:aws:lambda:us-east-1:000000000000:function:echo", Version: "$LATEST",
		Runtime: "provided.al2023", Handler: "echo", Dir: dir, MemoryMB: 128, Timeout: 10 * time.Second, Region: "us-east-1",
		LogGroup: "/aws/lambda/echo",
	}
}

func do(t *testing.T, pool *instance.Pool, cfg instance.Config) error {
	out, err := pool.Do(t.Context(), cfg, instance.Event{RequestID: "8476a536-e9f4-11e8-9739-2dfe598c3fcd", Payload: event})
	if err == nil && out.FunctionError != "" {
		err = errors.New(string(out.Payload))
	}
	return err
}

// bareLoop is the least that speaks the Runtime API.
type bareLoop struct {
	cmd    *exec.Cmd
	listen net.Listener
	conn   net.Conn
	in     *bufio.Reader
	answer []byte
}

func startBare(t *testing.T, dir string) *bareLoop {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := &bareLoop{listen: l, cmd: exec.Command(filepath.Join(dir, "bootstrap"))}
	// small functions of the platform get GOMAXPROCS=1 too
	b.cmd.Env = []string{"AWS_LAMBDA_RUNTIME_API=" + l.Addr().String(), "GOMAXPROCS=1"}
	if err := b.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if b.conn, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	b.in = bufio.NewReader(b.conn)
	if _, err := b.next(); err != nil { // GET next
		t.Fatal(err)
	}
	deadline := time.Now().Add(time.Hour).UnixMilli()
	b.answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n"+
		"Lambda-Runtime-Deadline-Ms: %d\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:us-east-1:000000000000:function:echo\r\nContent-Length: %d\r\n\r\n%s", deadline, len(event), event)
	return b
}

// next reads one request of the function whole.
func (b *bareLoop) next() (*http.Request, error) {
	r, err := http.ReadRequest(b.in)
	if err != nil {
		return nil, err
	}
	_, err = io.Copy(io.Discard, r.Body)
	return r, err
}

// invoke answers the waiting next, reads the response and the next next.
func (b *bareLoop) invoke() error {
	if _, err := b.conn.Write(b.answer); err != nil {
		return err
	}
	if _, err := b.next(); err != nil {
		return err
	}
	if _, err := io.WriteString(b.conn, "HTTP/1.1 202 Accepted\r\nContent-Type: application/json\r\nContent-Length: 16\r\n\r\n{\"status\":\"OK\"}\n"); err != nil {
		return err
	}
	_, err := b.next()
	return err
}

func (b *bareLoop) close() {
	_ = b.conn.Close()
	_ = b.listen.Close()
	_ = b.cmd.Process.Kill()
	_ = b.cmd.Wait()
}
