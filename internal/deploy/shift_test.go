package deploy_test

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/instance"
	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/topic"
)

type unlogged struct{}

func (unlogged) Append(logs.Record) {}

// stage is a deployer over the real function room, in which nothing is ever run:
// what invocations came to is said by the test.
type stage struct {
	*deploy.Deployer
	t       *testing.T
	dir     string // of artifacts
	js      jetstream.JetStream
	shelf   shelf
	house   *house
	invoker *function.Invoker
	bells   bells
	asked   chan function.Invocation

	mu      sync.Mutex
	tallies map[string]function.Tally // by version
	stop    func()
}

type tallied struct {
	*function.Invoker
	s *stage
}

func (v tallied) Tally(_, version string) function.Tally {
	v.s.mu.Lock()
	defer v.s.mu.Unlock()
	return v.s.tallies[version]
}

func (s *stage) Enqueue(_ context.Context, inv function.Invocation) error {
	s.asked <- inv
	return nil
}

// count says how many invocations of a version have ended so far, and failed.
func (s *stage) count(version string, ended, failed int64) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.tallies[version] = function.Tally{Ended: ended, Failed: failed}
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, dir: t.TempDir(), js: enginetest.Streams(t), shelf: shelf{}, asked: make(chan function.Invocation, 10), tallies: map[string]function.Tally{}}
	s.start()
	t.Cleanup(func() { s.stop() })
	return s
}

// start begins a life of the process, on what earlier ones left.
func (s *stage) start() {
	s.t.Helper()
	log := slog.New(slog.DiscardHandler)
	s.invoker = &function.Invoker{
		Pool: &instance.Pool{Log: log, Logs: unlogged{}}, Streams: s.js, Log: log, ArtifactRoot: s.dir, Region: arn.Region,
	}
	s.t.Cleanup(func() { s.invoker.Pool.Close() })
	s.house = newHouse()
	rooms := s.house.rooms()
	rooms.Functions, rooms.Versions, rooms.Alarms = s.invoker, tallied{s.invoker, s}, &s.bells
	s.Deployer = &deploy.Deployer{Streams: s.js, Objects: s.shelf, Artifacts: s.dir, Rooms: rooms, Log: log, Hooks: s}
	ctx, cancel := context.WithCancel(context.Background())
	if err := s.invoker.Load(ctx); err != nil {
		s.t.Fatal(err)
	}
	done := make(chan struct{})
	if err := s.Load(ctx); err != nil {
		s.t.Fatal(err)
	}
	go func() {
		defer close(done)
		if err := s.Run(ctx); err != nil {
			s.t.Error(err)
		}
	}()
	s.stop = func() { cancel(); <-done }
}

// revision is a stack with a function "f" of a description, whose callers have the
// alias "live" if they are moved by a type.
func (s *stage) revision(word, kind string) *deploy.Revision {
	r := revision(s.shelf.artifact(s.t), []string{"f", "hook"})
	for i := range r.Functions {
		f := &r.Functions[i]
		f.ARN, f.Version, f.Runtime, f.Handler = arn.Function(arn.Region, f.Name), "$LATEST", "provided.al2023", "bootstrap"
		f.MemoryMB, f.Timeout = 128, 6
	}
	r.Functions[0].Environment = map[string]string{"WORD": word}
	if kind != "" {
		r.Functions[0].Shift = &function.Shift{Alias: "live", Type: kind}
	}
	return r
}

func (s *stage) deployed(r *deploy.Revision) *deploy.Revision {
	s.t.Helper()
	r, err := s.Deploy(s.t.Context(), r)
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// live is what the alias stands for: "1", "1+2*0.1", or "" if there is none.
func (s *stage) live() string {
	s.t.Helper()
	all, err := s.invoker.Aliases("f")
	if err != nil {
		s.t.Fatal(err)
	}
	i := slices.IndexFunc(all, func(a function.Alias) bool { return a.Name == "live" })
	switch {
	case i < 0:
		return ""
	case all[i].Additional == "":
		return all[i].Version
	}
	return fmt.Sprintf("%s+%s*%v", all[i].Version, all[i].Additional, all[i].Weight)
}

// word is what $LATEST says.
func (s *stage) word() string {
	s.t.Helper()
	f, err := s.invoker.Get("f")
	if err != nil {
		s.t.Fatal(err)
	}
	return f.Environment["WORD"]
}

// wait polls for what Run does.
func (s *stage) wait(what string, until func() bool) {
	s.t.Helper()
	deadline := time.Now().Add(20 * time.Second)
	for !until() {
		if time.Now().After(deadline) {
			s.t.Fatalf("waited in vain for %s; the alias is %q, the shift %+v", what, s.live(), s.Shifting("s-dev"))
		}
		time.Sleep(5 * time.Millisecond)
	}
}

func (s *stage) waitLive(want string) {
	s.t.Helper()
	s.wait("the alias to be "+want, func() bool { return s.live() == want })
}

func (s *stage) waitStatus(want string) *deploy.Shift {
	s.t.Helper()
	s.wait("the shift to be "+want, func() bool { now := s.Shifting("s-dev"); return now != nil && now.Status == want && !now.Undo })
	return s.Shifting("s-dev")
}

func TestACanaryGetsItsShareThenAll(t *testing.T) {
	s := newStage(t)
	s.deployed(s.revision("one", "Canary10Percent1Second"))
	if got := s.live(); got != "1" || s.Shifting("s-dev") != nil {
		t.Fatalf("the first deployment: alias %q, shift %+v", got, s.Shifting("s-dev"))
	}
	r := s.deployed(s.revision("two", "Canary10Percent1Second"))
	s.waitLive("1+2*0.1")
	s.waitLive("2")
	if got := s.waitStatus(deploy.Succeeded); got.Revision != r.ID || got.Moves[0].To != "2" {
		t.Errorf("%+v", got)
	}
	s.deployed(s.revision("two", "Canary10Percent1Hour"))
	if got := s.live(); got != "2" || s.Shifting("s-dev").Status != deploy.Succeeded {
		t.Errorf("the same code again: alias %q, shift %+v", got, s.Shifting("s-dev"))
	}
	s.deployed(s.revision("three", "AllAtOnce"))
	if got := s.live(); got != "3" {
		t.Errorf("all at once: alias %q", got)
	}
	s.deployed(s.revision("three", ""))
	if got := s.live(); got != "" {
		t.Errorf("a revision without the alias: it is %q", got)
	}
}

func TestALinearShiftGoesByAndBy(t *testing.T) {
	s := newStage(t)
	s.deployed(s.revision("one", ""))
	s.deployed(s.revision("two", "CodeDeployDefault.LambdaLinear40PercentEvery1Second")) // what was there becomes a version
	s.waitLive("1+2*0.4")
	s.waitLive("1+2*0.8")
	s.waitLive("2")
	s.waitStatus(deploy.Succeeded)
}

func TestAVersionThatFailsIsGivenUp(t *testing.T) {
	s := newStage(t)
	first := s.deployed(s.revision("one", "Canary10Percent1Hour"))
	broken := s.deployed(s.revision("two", "Canary10Percent1Hour"))
	s.waitLive("1+2*0.1")
	s.count("1", 100, 1)
	s.count("2", 12, 9)
	got := s.waitStatus(deploy.Failed)
	active, _ := s.Active("s-dev")
	if s.live() != "1" || s.word() != "one" || active.Restores != first.ID || got.Revision != broken.ID {
		t.Errorf("alias %q, $LATEST %q, active %+v", s.live(), s.word(), active)
	}
	if !strings.Contains(got.Reason, "9 of 12 invocations of the new version failed") {
		t.Errorf("reason: %s", got.Reason)
	}
	if versions, err := s.invoker.Versions("f"); err != nil || len(versions) != 2 {
		t.Errorf("versions: %v, %v", versions, err)
	}
	s.deployed(s.revision("three", "Canary10Percent1Hour"))
	s.waitLive("1+3*0.1")
}

func TestAShiftGoesOnAfterARestart(t *testing.T) {
	s := newStage(t)
	s.deployed(s.revision("one", "Linear20PercentEvery1Hour"))
	s.deployed(s.revision("two", "Linear20PercentEvery1Hour"))
	s.waitLive("1+2*0.2")
	s.stop()
	s.start()
	if got := s.live(); got != "1+2*0.2" || s.Shifting("s-dev").Status != deploy.InProgress {
		t.Errorf("after a restart: alias %q, shift %+v", got, s.Shifting("s-dev"))
	}
	s.count("1", 100, 0)
	s.count("2", 100, 100)
	s.waitStatus(deploy.Failed)
	s.stop()
	s.start()
	if s.live() != "1" || s.word() != "one" {
		t.Errorf("after another: alias %q, $LATEST %q", s.live(), s.word())
	}
}

func TestASecondDeploymentDuringAShift(t *testing.T) {
	s := newStage(t)
	first := s.deployed(s.revision("one", "Canary10Percent1Hour"))
	s.deployed(s.revision("two", "Canary10Percent1Hour"))
	s.waitLive("1+2*0.1")
	_, err := s.Deploy(t.Context(), s.revision("three", "Canary10Percent1Hour"))
	if fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "for 1h0m0s yet") && !strings.Contains(err.Error(), "for 59m") {
		t.Errorf("a deployment: %v", err)
	}
	change := func(f func(*function.Function)) error {
		_, err := s.Edit(t.Context(), "s-dev", func(r *deploy.Revision) error { f(&r.Functions[0]); return nil })
		return err
	}
	if err := change(func(f *function.Function) { f.Timeout = 7 }); fault.KindOf(err) != fault.Conflict {
		t.Errorf("an edit of what is being moved: %v", err)
	}
	if err := change(func(f *function.Function) { f.Tags = map[string]string{"a": "b"} }); err != nil {
		t.Errorf("an edit of something else: %v", err)
	}
	if got := s.live(); got != "1+2*0.1" {
		t.Errorf("after it: alias %q", got)
	}
	if _, err := s.Supersede(t.Context(), s.revision("three", "Canary10Percent1Hour")); err != nil {
		t.Fatal(err)
	}
	s.waitLive("1+3*0.1")
	back, err := s.Rollback(t.Context(), "s-dev", "")
	if err != nil {
		t.Fatal(err)
	}
	if got := s.Shifting("s-dev"); s.live() != "1" || s.word() != "one" || got.Status != deploy.Stopped || got.Undo || back.Functions[0].Environment["WORD"] != "one" {
		t.Errorf("after a rollback: alias %q, $LATEST %q, shift %+v", s.live(), s.word(), got)
	}
	if _, err := s.Rollback(t.Context(), "s-dev", first.ID); err != nil {
		t.Error(err)
	}
}

func TestARollbackMovesAllCallersAtOnce(t *testing.T) {
	s := newStage(t)
	s.deployed(s.revision("one", "Canary10Percent1Hour"))
	all := s.revision("two", "AllAtOnce")
	s.deployed(all)
	if _, err := s.Rollback(t.Context(), "s-dev", ""); err != nil {
		t.Fatal(err)
	}
	if s.word() != "one" || s.live() != "3" || s.Shifting("s-dev") != nil {
		t.Errorf("alias %q, $LATEST %q, shift %+v", s.live(), s.word(), s.Shifting("s-dev"))
	}
}

// hooked is a revision whose shift asks before and after.
func (s *stage) hooked(word string) *deploy.Revision {
	r := s.revision(word, "AllAtOnce")
	r.Functions[0].Shift.Before, r.Functions[0].Shift.After = "hook", "hook"
	return r
}

// question is what a hook is asked.
func (s *stage) question() (in deploy.PutLifecycleEventHookExecutionStatusInput) {
	s.t.Helper()
	select {
	case inv := <-s.asked:
		if err := json.Unmarshal(inv.Payload, &in); err != nil || inv.Function != "hook" {
			s.t.Fatalf("%s was asked %s: %v", inv.Function, inv.Payload, err)
		}
	case <-time.After(20 * time.Second):
		s.t.Fatal("no hook was asked")
	}
	return in
}

func (s *stage) answer(in deploy.PutLifecycleEventHookExecutionStatusInput, status string) {
	s.t.Helper()
	in.Status = status
	if _, err := s.PutLifecycleEventHookExecutionStatus(s.t.Context(), in); err != nil {
		s.t.Fatal(err)
	}
}

func TestHooksAreAskedBeforeAndAfter(t *testing.T) {
	s := newStage(t)
	s.deployed(s.hooked("one"))
	s.deployed(s.hooked("two"))
	before := s.question()
	if got := s.live(); got != "1" {
		t.Errorf("while the first hook is asked: alias %q", got)
	}
	for name, wrong := range map[string]deploy.PutLifecycleEventHookExecutionStatusInput{
		"another deployment": {DeploymentId: "d-NOTTHERE1", LifecycleEventHookExecutionId: before.LifecycleEventHookExecutionId, Status: "Succeeded"},
		"another execution":  {DeploymentId: before.DeploymentId, LifecycleEventHookExecutionId: "x", Status: "Succeeded"},
		"another status":     {DeploymentId: before.DeploymentId, LifecycleEventHookExecutionId: before.LifecycleEventHookExecutionId, Status: "Perhaps"},
	} {
		if _, err := s.PutLifecycleEventHookExecutionStatus(t.Context(), wrong); fault.CodeOf(err) == "" {
			t.Errorf("%s: %v", name, err)
		}
	}
	s.answer(before, "Succeeded")
	after := s.question()
	if got := s.live(); got != "2" || after.LifecycleEventHookExecutionId == before.LifecycleEventHookExecutionId {
		t.Errorf("while the second hook is asked: alias %q", got)
	}
	s.answer(after, "Succeeded")
	s.waitStatus(deploy.Succeeded)

	s.deployed(s.hooked("three"))
	s.answer(s.question(), "Failed")
	if got := s.waitStatus(deploy.Failed); !strings.Contains(got.Reason, "hook") || s.live() != "2" || s.word() != "two" {
		t.Errorf("after a hook said no: alias %q, $LATEST %q, %+v", s.live(), s.word(), got)
	}
}

func TestShiftsThatCannotBeAreRefused(t *testing.T) {
	s := newStage(t)
	for name, change := range map[string]func(f *function.Function){
		"type":        func(f *function.Function) { f.Shift.Type = "Canary10Percent" },
		"percent":     func(f *function.Function) { f.Shift.Type = "Linear0PercentEvery1Minute" },
		"too long":    func(f *function.Function) { f.Shift.Type = "Linear1PercentEvery1Hour" },
		"alias":       func(f *function.Function) { f.Shift.Alias = "12" },
		"hook":        func(f *function.Function) { f.Shift.After = "nobody" },
		"provisioned": func(f *function.Function) { f.Provisioned = 1 },
	} {
		r := s.revision("one", "AllAtOnce")
		change(&r.Functions[0])
		if _, err := s.Deploy(t.Context(), r); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestDeclaredAliasesComeAndGoWithTheirRevision(t *testing.T) {
	s := newStage(t)
	r := s.revision("one", "")
	r.Functions[0].Publish = true
	r.Aliases = []function.DeclaredAlias{{Function: "f", Alias: function.Alias{Name: "live", Description: "d"}}}
	s.deployed(r)
	if got := s.live(); got != "1" {
		t.Errorf("alias %q, want 1", got)
	}
	r.Functions[0].Environment = map[string]string{"WORD": "two"}
	s.deployed(r)
	if got := s.live(); got != "2" {
		t.Errorf("alias %q, want 2", got)
	}
	r.Aliases[0].Version = "1"
	r.Aliases[0].Additional, r.Aliases[0].Weight = "2", 0.25
	s.deployed(r)
	if got := s.live(); got != "1+2*0.25" {
		t.Errorf("alias %q, want 1+2*0.25", got)
	}
	if err := s.invoker.PutAlias(t.Context(), "f", function.Alias{Name: "live", Version: "2"}, false); err != nil {
		t.Fatal(err)
	}
	s.stop()
	s.start()
	if got := s.live(); got != "2" {
		t.Errorf("a restart made the alias %q again", got)
	}
	r.Aliases[0].Version = "9"
	if _, err := s.Deploy(t.Context(), r); fault.KindOf(err) != fault.NotFound || s.live() != "2" {
		t.Errorf("a version that is not there: %v, alias %q", err, s.live())
	}
	r.Aliases = nil
	s.deployed(r)
	if got := s.live(); got != "" {
		t.Errorf("alias %q is left", got)
	}
}

func TestARevisionThatCannotBeAppliedLeavesAliasesAsTheyWere(t *testing.T) {
	s := newStage(t)
	r := s.revision("one", "")
	r.Functions[0].Publish = true
	r.Aliases = []function.DeclaredAlias{{Function: "f", Alias: function.Alias{Name: "live"}}}
	s.deployed(r)
	s.house.refuse = "topics" // whose turn is after that of aliases
	r.Functions[0].Environment = map[string]string{"WORD": "two"}
	r.Aliases = append(r.Aliases, function.DeclaredAlias{Function: "f", Alias: function.Alias{Name: "more"}})
	r.Topics = []topic.Topic{{Stack: r.Stack, Name: "news", ARN: arn.Topic(arn.Region, "news")}}
	if _, err := s.Deploy(t.Context(), r); err == nil {
		t.Fatal("deployed where there is no room")
	}
	all, err := s.invoker.Aliases("f")
	if want := (function.Alias{Name: "live", Version: "1"}); err != nil || len(all) != 1 || all[0] != want {
		t.Errorf("aliases %+v, %v, want %+v alone", all, err, want)
	}
}

// A crash between the parts of a removal: the pointer is gone, all else is not.
func TestAStackHalfRemovedDuringAShiftCanBeDeployedAgain(t *testing.T) {
	s := newStage(t)
	s.deployed(s.revision("one", "Canary10Percent5Minutes"))
	s.deployed(s.revision("two", "Canary10Percent5Minutes"))
	s.waitLive("1+2*0.1")
	s.stop()
	stacks, err := s.js.KeyValue(t.Context(), "stacks")
	if err != nil {
		t.Fatal(err)
	}
	if err := stacks.Delete(t.Context(), "s-dev"); err != nil {
		t.Fatal(err)
	}
	s.start()
	s.deployed(s.revision("three", "Canary10Percent5Minutes"))
	if got := s.Shifting("s-dev"); got != nil {
		t.Errorf("a shift of a stack that was removed goes on: %+v", got)
	}
}
