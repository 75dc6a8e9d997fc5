package spec

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/evanw/esbuild/pkg/api"
)

// programTime bounds one question to a program that a file holds.
const programTime = time.Minute

// programJS answers questions about JavaScript files on Node: one line of JSON each
// way.
//
//go:embed program.js
var programJS string

// program is the Node process that runs the .js files of one service, with the
// rights of whoever loads it. It lives until the service is loaded.
type program struct {
	cmd     *exec.Cmd
	in      io.WriteCloser
	out     *bufio.Reader
	pipe    io.Closer // under out
	kill    context.CancelFunc
	asked   int
	answers map[int]message // that came while another was waited for
}

// message is what goes to Node, and what comes back: a question about a file, its
// answer, or a question of the file's own and the answer to it.
type message struct {
	ID       int               `json:"id"`
	Kind     string            `json:"kind"` // load, config, answer, variable, property or text
	File     string            `json:"file,omitempty"`
	Code     string            `json:"code,omitempty"` // what to run in place of the file
	Path     []string          `json:"path,omitempty"`
	Options  map[string]string `json:"options,omitempty"`
	Env      map[string]string `json:"env,omitempty"`
	Text     string            `json:"text,omitempty"`
	Value    json.RawMessage   `json:"value,omitempty"`
	Error    string            `json:"error,omitempty"`
	Line     string            `json:"line,omitempty"`     // of the file, where the error is
	Reported bool              `json:"reported,omitempty"` // Error is in the list of problems already
}

func isProgram(path string) bool {
	return slices.Contains([]string{".js", ".cjs", ".mjs", ".ts", ".mts", ".cts"}, strings.ToLower(filepath.Ext(path)))
}

// run asks a program for its value, or a part of it.
func (s *source) run(v *variables, path string, a address) (*node, error) {
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	q := message{Kind: "load", File: path}
	if a.key != "" {
		q.Path = strings.Split(a.key, ".")
	}
	n, err := s.ask(v, q)
	if err != nil && !errors.Is(err, errReported) {
		err = fmt.Errorf("${%s}: %w", a.text, err)
	}
	return n, err
}

// ask puts one question to the program and answers those that it asks meanwhile.
func (s *source) ask(v *variables, q message) (*node, error) {
	pos := Pos{File: shown(q.File, s.dir), Line: 1}
	code, err := transpile(q.File, s.dir)
	if err != nil {
		return nil, err
	}
	if q.File, err = filepath.Abs(q.File); err != nil {
		return nil, err
	}
	if s.program == nil {
		if s.program, err = startProgram(s.ctx, s.opts, s.dir); err != nil {
			return nil, err
		}
	}
	p := s.program
	p.asked++
	q.ID, q.Code, q.Options, q.Env = p.asked, code, s.options(), s.dotenv
	late := time.AfterFunc(programTime, p.kill)
	if err := p.send(q); err != nil {
		return nil, s.died(late)
	}
	for {
		m, ok := p.answers[q.ID]
		delete(p.answers, q.ID)
		if !ok {
			if m, err = p.receive(); err != nil {
				return nil, s.died(late)
			}
		}
		switch {
		case m.Kind != "answer":
			if p.send(s.reply(v, m, pos)) != nil {
				return nil, s.died(late)
			}
			continue
		case m.ID != q.ID:
			p.answers[m.ID] = m
			continue
		}
		late.Stop()
		switch {
		case m.Reported:
			return nil, errReported
		case m.Error != "":
			at := pos.File
			if m.Line != "" {
				at += ":" + m.Line
			}
			return nil, fmt.Errorf("%s: %s; the program has to return a value", at, m.Error)
		case len(m.Value) == 0:
			return nil, nil
		default:
			return fromJSON(m.Value, pos, false)
		}
	}
}

// reply answers a question of the program's about the service.
func (s *source) reply(v *variables, m message, pos Pos) message {
	n := &node{pos: pos, kind: text, text: m.Text}
	var err error
	switch m.Kind {
	case "variable":
		n.text = "${" + m.Text + "}"
	case "property":
		if n, err = s.self(v, strings.Join(m.Path, "."), pos); n == nil {
			n = &node{pos: pos}
		}
	}
	out := message{Kind: "answer", ID: m.ID}
	if err == nil {
		if n = v.whole(n, nil); n.broken() {
			err = errReported
		}
	}
	if err != nil {
		out.Error, out.Reported = err.Error(), errors.Is(err, errReported)
		return out
	}
	out.Value = n.json(nil)
	return out
}

func startProgram(ctx context.Context, o Options, dir string) (*program, error) {
	if o.Node == nil {
		return nil, errors.New("it is a program, and programs are not run here; use a .yml or .json file")
	}
	node, err := o.Node(ctx)
	if err != nil {
		return nil, err
	}
	if node == "" {
		return nil, errors.New("it is a program, and no Node.js is there to run it: install Node.js, or use a .yml or .json file")
	}
	ctx, kill := context.WithCancel(ctx)
	cmd := exec.CommandContext(ctx, node, "-e", programJS)
	cmd.Dir, cmd.WaitDelay = dir, time.Second
	cmd.Stdout, cmd.Stderr = o.Stderr, o.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		kill()
		return nil, err
	}
	out, theirs, err := os.Pipe()
	if err != nil {
		kill()
		return nil, err
	}
	cmd.ExtraFiles = []*os.File{theirs}
	err = cmd.Start()
	_ = theirs.Close()
	if err != nil {
		kill()
		_ = out.Close()
		return nil, fmt.Errorf("start Node.js: %w", err)
	}
	return &program{cmd: cmd, in: in, out: bufio.NewReader(out), pipe: out, kill: kill, answers: map[int]message{}}, nil
}

func (p *program) send(m message) error {
	line, err := json.Marshal(m)
	if err == nil {
		_, err = p.in.Write(append(line, '\n'))
	}
	return err
}

func (p *program) receive() (m message, err error) {
	line, err := p.out.ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &m)
	}
	return m, err
}

// died ends a program that answers no more and says why. The next file gets another.
func (s *source) died(late *time.Timer) error {
	inTime := late.Stop()
	s.close()
	if s.ctx.Err() != nil {
		return s.ctx.Err()
	}
	if !inTime {
		return fmt.Errorf("the program had no value after %s; it has to return one sooner", programTime)
	}
	return errors.New("the program ended before it had a value; it must not exit by itself")
}

// close ends the program.
func (s *source) close() {
	p := s.program
	if s.program = nil; p == nil {
		return
	}
	_ = errors.Join(p.in.Close(), p.pipe.Close()) // tells it to end
	stop := time.AfterFunc(time.Second, p.kill)
	_ = p.cmd.Wait() // how it ends is nobody's concern
	stop.Stop()
	p.kill()
}

// transpile makes JavaScript of a TypeScript file and what it imports from beside
// it; "" for other files.
func transpile(path, dir string) (string, error) {
	if !strings.HasSuffix(path, "ts") {
		return "", nil
	}
	out := api.Build(api.BuildOptions{
		EntryPoints: []string{path}, Bundle: true, Packages: api.PackagesExternal, Platform: api.PlatformNode,
		Format: api.FormatCommonJS, Target: api.ES2022, LogLevel: api.LogLevelSilent,
	})
	if len(out.Errors) > 0 {
		e := out.Errors[0]
		if e.Location == nil {
			return "", errors.New(e.Text)
		}
		return "", fmt.Errorf("%s:%d: %s; the program has to be TypeScript", shown(e.Location.File, dir), e.Location.Line, e.Text)
	}
	return string(out.OutputFiles[0].Contents), nil
}

// shown is a path as the user would write it, from the service's directory.
func shown(path, dir string) string {
	full, err := filepath.Abs(path)
	base, err2 := filepath.Abs(dir)
	if rel, err3 := filepath.Rel(base, full); errors.Join(err, err2, err3) == nil && filepath.IsLocal(rel) {
		return filepath.Join(dir, rel)
	}
	return path
}
