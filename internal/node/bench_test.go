package node_test

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/node"
)

// BenchmarkInvoke is how fast a client turns events into answers, against a
// Runtime API on raw connections that costs next to nothing. With
// DROPSTACK_TEST_RIC, the bin/index.mjs of an installed aws-lambda-ric, AWS's
// client is measured beside ours.
func BenchmarkInvoke(b *testing.B) {
	in := nodes(b)[0]
	main, err := entry()
	if err != nil {
		b.Fatal(err)
	}
	dir := unpack(b, `exports.handler = async (event) => ({ statusCode: 200, body: 'hello ' + event.name });`)
	b.Run("client", func(b *testing.B) {
		benchmark(b, dir, append(node.Command(in, main, 256, ""), "index.handler"))
	})
	ric := os.Getenv("DROPSTACK_TEST_RIC")
	if ric == "" {
		b.Log("aws-lambda-ric is not measured: DROPSTACK_TEST_RIC does not name its bin/index.mjs")
		return
	}
	b.Run("aws-lambda-ric", func(b *testing.B) {
		benchmark(b, dir, append(node.Command(in, ric, 256, ""), "index.handler"))
	})
}

func benchmark(b *testing.B, dir string, command []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	defer l.Close()
	events, answered := make(chan struct{}), make(chan error, 1)
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				if err := serve(conn, events, answered); err != nil {
					answered <- err
				}
			}()
		}
	}()
	cmd := exec.Command(command[0], command[1:]...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, environ(l.Addr().String(), dir, nil), os.Stderr
	if err := cmd.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	next := func() {
		select {
		case events <- struct{}{}:
		case <-time.After(patience):
			b.Fatal("the client does not ask for an event")
		}
		select {
		case err := <-answered:
			if err != nil {
				b.Fatal(err)
			}
		case <-time.After(patience):
			b.Fatal("the client does not answer")
		}
	}
	for range 2000 { // until V8 has compiled what it will
		next()
	}
	for b.Loop() {
		next()
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "events/s")
}

const (
	sample = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nLambda-Runtime-Aws-Request-Id: 8476a536-e9f4-11e8-9739-2dfe598c3fcd\r\n" +
		"Lambda-Runtime-Deadline-Ms: 4102444800000\r\nLambda-Runtime-Invoked-Function-Arn: arn:aws:lambda:eu-west-1:000000000000:function:hello\r\n" +
		"Lambda-Runtime-Trace-Id: Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1\r\nContent-Length: 16\r\n\r\n" + `{"name":"world"}`
	wanted = `{"statusCode":200,"body":"hello world"}`
)

// serve answers the requests of one connection.
func serve(conn net.Conn, events chan struct{}, answered chan<- error) error {
	br := bufio.NewReader(conn)
	for {
		line, err := br.ReadSlice('\n')
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
		get := bytes.HasPrefix(line, []byte("GET "))
		body := make([]byte, 0)
		for {
			line, err := br.ReadSlice('\n')
			if err != nil {
				return err
			}
			if len(line) == 2 {
				break
			}
			if name, value, ok := bytes.Cut(line, []byte(":")); ok && bytes.EqualFold(name, []byte("Content-Length")) {
				n, err := strconv.Atoi(string(bytes.TrimSpace(value)))
				if err != nil {
					return err
				}
				body = make([]byte, n)
			}
		}
		if get {
			<-events
			if _, err := io.WriteString(conn, sample); err != nil {
				return err
			}
			continue
		}
		if _, err := io.ReadFull(br, body); err != nil {
			return err
		}
		if string(body) != wanted {
			return fmt.Errorf("answered %s, want %s", body, wanted)
		}
		answered <- nil
		if _, err := io.WriteString(conn, "HTTP/1.1 202 Accepted\r\nContent-Length: 0\r\n\r\n"); err != nil {
			return err
		}
	}
}

// BenchmarkStart is the time from the start of a process, and from the answer to
// a waiting one, to its request for the first event.
func BenchmarkStart(b *testing.B) {
	in := nodes(b)[0]
	dir := unpack(b, `exports.handler = async () => 'hello';`)
	b.Run("plain", func(b *testing.B) {
		for b.Loop() {
			p := start(b, in, dir, nil)
			p.asks(b, 1)
			b.StopTimer()
			p.kill()
			b.StartTimer()
		}
	})
	b.Run("preboot", func(b *testing.B) {
		for b.Loop() {
			b.StopTimer()
			p := start(b, in, dir, map[string]string{"DROPSTACK_PREBOOT": "1"})
			waiting(b, p)
			b.StartTimer()
			p.begin <- beginning(b, p, dir, nil)
			p.asks(b, 1)
			b.StopTimer()
			p.kill()
			b.StartTimer()
		}
	})
	b.Run("node -e 0", func(b *testing.B) {
		for b.Loop() {
			if err := exec.Command(in.Path, "-e", "0").Run(); err != nil {
				b.Fatal(err)
			}
		}
	})
}
