package instance

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"time"

	"github.com/dropstack/dropstack/internal/sandbox"
)

// spare is a process of a managed runtime that has started before anybody needed
// it: starting Node takes ten times as long as loading a small function. It runs
// nothing but the runtime client, as the platform's own user, which asks
//
//	GET /dropstack/start
//
// of the Runtime API. The answer, when a function wants the process, is the
// assignment; from then on it is that function's alone.
type spare struct {
	api   *api
	proc  *sandbox.Process
	box   *sandbox.Box
	taken chan struct{} // closed when a function has it
}

// assignment tells a spare what it is to be.
type assignment struct {
	Env map[string]string `json:"env"` // the whole environment
	Dir string            `json:"cwd"`
	UID int               `json:"uid,omitempty"` // to be taken; 0: stay
	GID int               `json:"gid,omitempty"`
}

const (
	// preboot tells a runtime client that it is a spare.
	preboot = "DROPSTACK_PREBOOT=1"
	// bootLimit is how long a spare may take to ask for its assignment.
	bootLimit = 10 * time.Second
)

// shelf holds the spares of one command.
type shelf struct {
	command  []string
	ready    []*spare
	starting int
	wanted   time.Time // when a function asked for one last
}

// Stock starts spares for a function ahead of its first cold start.
func (p *Pool) Stock(cfg Config) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.shelfOf(cfg)
}

// Stocked is the number of spares that wait for functions like this one.
func (p *Pool) Stocked(cfg Config) int {
	p.mu.Lock()
	defer p.mu.Unlock()
	if s := p.shelves[strings.Join(cfg.Command, "\x00")]; s != nil {
		return len(s.ready)
	}
	return 0
}

// claim returns a spare for a function, or nil: whoever gets none starts a process
// of its own.
func (p *Pool) claim(cfg Config) *spare {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := p.shelfOf(cfg)
	if s == nil || len(s.ready) == 0 {
		return nil
	}
	got := s.ready[0]
	s.ready = slices.Delete(s.ready, 0, 1)
	close(got.taken)
	p.restock(s)
	return got
}

// shelfOf returns the function's shelf and fills it; the lock is held.
func (p *Pool) shelfOf(cfg Config) *shelf {
	if !cfg.Preboot || p.Spares < 0 || p.closed {
		return nil
	}
	key := strings.Join(cfg.Command, "\x00")
	s := p.shelves[key]
	if s == nil {
		s = &shelf{command: cfg.Command}
		if p.shelves == nil {
			p.shelves = map[string]*shelf{}
		}
		p.shelves[key] = s
	}
	s.wanted = time.Now()
	p.restock(s)
	p.tendBy(s.wanted.Add(or(p.IdleAtMost, time.Hour)))
	return s
}

// restock starts what a shelf lacks; the lock is held.
func (p *Pool) restock(s *shelf) {
	want := p.Spares
	if want == 0 {
		want = 2
	}
	for ; len(s.ready)+s.starting < want; s.starting++ {
		p.work.Go(func() { p.addSpare(s) })
	}
}

func (p *Pool) addSpare(s *shelf) {
	p.places() <- struct{}{}
	defer p.occupy()()
	got, err := p.startSpare(s.command)
	p.mu.Lock()
	s.starting--
	if err != nil {
		p.mu.Unlock()
		p.Log.Warn("a runtime does not start ahead of its functions", "command", s.command, "err", err)
		return // the next cold start tries again
	}
	s.ready = append(s.ready, got)
	if p.closed {
		got.proc.Kill()
	}
	p.work.Go(func() { p.guard(s, got) })
	p.mu.Unlock()
}

// guard takes a spare down that ends before a function has it.
func (p *Pool) guard(s *shelf, sp *spare) {
	select {
	case <-sp.taken:
		return
	case <-sp.proc.Done():
	}
	p.mu.Lock()
	i := slices.Index(s.ready, sp)
	if i >= 0 {
		s.ready = slices.Delete(s.ready, i, i+1)
	}
	p.mu.Unlock()
	if i >= 0 {
		sp.close()
	}
}

// close takes down all that belongs to the spare.
func (sp *spare) close() {
	sp.end()
	sp.api.close()
	sp.box.Close()
}

// end ends the process, if it has not ended, and closes what it wrote to.
func (sp *spare) end() {
	sp.proc.Kill()
	sp.proc.Wait()
	sp.proc.Stdout.Close()
	sp.proc.Stderr.Close()
}

func (p *Pool) startSpare(command []string) (*spare, error) {
	a, box, err := p.furnish(true)
	if err != nil {
		return nil, err
	}
	v := view{moved: runtimeFiles(command)}
	if !box.Inside() {
		v.moved = nil
	}
	words := make([]string, len(command))
	for i, word := range command {
		words[i] = v.inside(word)
	}
	env := []string{preboot, "AWS_LAMBDA_RUNTIME_API=" + a.listener.Addr().String(), "PATH=/usr/local/bin:/usr/bin:/bin", "TZ=:UTC", "LANG=en_US.UTF-8"}
	if box.Authority != "" {
		env = append(env, extraAuthority+"="+box.Authority)
	}
	err = box.Furnish(sandbox.Furniture{Mounts: v.moved})
	var proc *sandbox.Process
	if err == nil {
		proc, err = box.Start(sandbox.Spec{Path: words[0], Args: words[1:], Dir: "/", Unassigned: true, Log: p.Log, Env: env})
	}
	if err != nil {
		a.close()
		box.Close()
		return nil, err
	}
	sp := &spare{api: a, proc: proc, box: box, taken: make(chan struct{})}
	timer := time.NewTimer(bootLimit)
	defer timer.Stop()
	select {
	case <-sp.api.booted:
		return sp, nil
	case <-proc.Done():
		words, _ := io.ReadAll(io.LimitReader(proc.Stderr, 4<<10))
		sp.close()
		return nil, fmt.Errorf("%s: %s", proc.Wait().Status, strings.TrimSpace(string(words)))
	case <-timer.C:
		sp.close()
		return nil, errors.New("it does not ask for its assignment")
	}
}

// discard ends the spares that nobody has wanted for long; the lock is held.
func (p *Pool) discard(now time.Time) {
	for key, s := range p.shelves {
		due := s.wanted.Add(or(p.IdleAtMost, time.Hour))
		if now.Before(due) {
			p.tendBy(due)
			continue
		}
		for _, sp := range s.ready {
			sp.proc.Kill()
		}
		delete(p.shelves, key)
	}
}

// assign makes a spare a process of the function.
func (sp *spare) assign(s sandbox.Spec) error {
	id, err := sp.proc.Assign(s)
	if err != nil {
		return err
	}
	a := assignment{Env: map[string]string{}, Dir: s.Dir, UID: id, GID: id}
	for _, kv := range s.Env {
		name, value, _ := strings.Cut(kv, "=")
		a.Env[name] = value
	}
	doc, err := json.Marshal(a)
	if err != nil {
		return err
	}
	return sp.api.assign(doc)
}

// boots notes that a spare asks for its assignment.
func (a *api) boots(conn net.Conn) []byte {
	a.mu.Lock()
	defer a.mu.Unlock()
	select {
	case <-a.booted:
		return failure(403, "InvalidStateTransition", "the assignment is asked for once")
	default:
	}
	a.starter = conn
	close(a.booted)
	return nil
}

// assign answers the spare.
func (a *api) assign(doc []byte) error {
	a.mu.Lock()
	conn := a.starter
	a.starter = nil
	a.mu.Unlock()
	if conn == nil {
		return errors.New("the process that waited for the function is gone")
	}
	_, err := conn.Write(response("200 OK", string(doc)))
	return err
}
