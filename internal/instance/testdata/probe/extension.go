package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strings"
	"time"
)

// script says what an extension does: the variable EXTENSIONS has one by name.
type script struct {
	Events    []string
	Fail      string // when: start, init, exit, invoke, hang, stubborn
	Hold      string // works on an INVOKE until this file is there
	Subscribe string // to: telemetry, logs
}

// joined is closed when the internal extension is registered.
var joined = make(chan struct{})

// client talks to the platform.
type client struct{ id string }

func (c client) do(method, path, body string, fields ...string) (http.Header, string) {
	req, err := http.NewRequest(method, "http://"+os.Getenv("AWS_LAMBDA_RUNTIME_API")+path, strings.NewReader(body))
	if err != nil {
		panic(err)
	}
	if c.id != "" {
		req.Header.Set("Lambda-Extension-Identifier", c.id)
	}
	for i := 0; i+1 < len(fields); i += 2 {
		req.Header.Set(fields[i], fields[i+1])
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		fmt.Println("cannot", method, path, err)
		os.Exit(9)
	}
	defer res.Body.Close()
	b, _ := io.ReadAll(res.Body)
	if res.StatusCode >= 300 {
		fmt.Println("refused", method, path, string(b))
	}
	return res.Header, string(b)
}

func (c client) post(path, body string, fields ...string) { c.do("POST", path, body, fields...) }

// extend is an extension's life. What it learns it appends to the file that
// EXTENSION_LOG names.
func extend(name string) {
	var scripts map[string]script
	_ = json.Unmarshal([]byte(os.Getenv("EXTENSIONS")), &scripts)
	s := scripts[name]
	switch s.Fail {
	case "start":
		os.Exit(5)
	case "hang":
		time.Sleep(time.Hour)
	}
	events, _ := json.Marshal(map[string]any{"events": s.Events})
	h, about := client{}.do("POST", "/2020-01-01/extension/register", string(events), "Lambda-Extension-Name", name)
	c := client{h.Get("Lambda-Extension-Identifier")}
	note(name, about)
	if name == "internal" {
		close(joined)
	} else {
		fmt.Println(name, "is here; handler:", os.Getenv("_HANDLER"))
	}
	if s.Subscribe != "" {
		c.subscribe(name, s.Subscribe)
	}
	if s.Fail == "init" {
		c.post("/2020-01-01/extension/init/error", "{}", "Lambda-Extension-Function-Error-Type", "Ext.Reason")
		os.Exit(6)
	}
	for {
		_, event := c.do("GET", "/2020-01-01/extension/event/next", "")
		note(name, event)
		c.react(s, event)
	}
}

func (c client) react(s script, event string) {
	switch {
	case strings.Contains(event, `"SHUTDOWN"`):
		if s.Fail == "stubborn" {
			time.Sleep(time.Hour)
		}
		os.Exit(0)
	case s.Fail == "invoke":
		os.Exit(7)
	case s.Fail == "exit":
		c.post("/2020-01-01/extension/exit/error", "{}", "Lambda-Extension-Function-Error-Type", "Ext.Reason")
		os.Exit(0)
	}
	for s.Hold != "" {
		if _, err := os.Stat(s.Hold); err == nil {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

// note appends a line to the file; short lines do not mix.
func note(name, line string) {
	f, err := os.OpenFile(os.Getenv("EXTENSION_LOG"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return
	}
	defer f.Close()
	fmt.Fprintf(f, "%s %s\n", name, line)
}

// subscribe has telemetry delivered to this process, which notes it.
func (c client) subscribe(name, api string) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	types := `"types":["platform","function","extension"],"buffering":{"timeoutMs":25}`
	if api == "logs" {
		go lines(name, l)
		c.do("PUT", "/2020-08-15/logs", fmt.Sprintf(`{"schemaVersion":"2021-03-18",%s,"destination":{"protocol":"TCP","port":%d}}`, types, port))
		return
	}
	go func() {
		_ = http.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var batch []json.RawMessage
			err := json.NewDecoder(r.Body).Decode(&batch)
			if err != nil || r.URL.Path != "/here" || !slices.Contains([]string{fmt.Sprint("sandbox.localdomain:", port)}, r.Host) {
				w.WriteHeader(400)
			}
			for _, b := range batch {
				note(name, string(b))
			}
		}))
	}()
	c.do("PUT", "/2022-07-01/telemetry", fmt.Sprintf(`{"schemaVersion":"2022-12-13",%s,"destination":{"protocol":"HTTP","URI":"http://sandbox.localdomain:%d/here"}}`, types, port))
}

func lines(name string, l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		b, _ := io.ReadAll(conn)
		conn.Close()
		for s := bufio.NewScanner(bytes.NewReader(b)); s.Scan(); {
			note(name, s.Text())
		}
	}
}
