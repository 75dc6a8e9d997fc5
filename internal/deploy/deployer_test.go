package deploy_test

import (
	"archive/zip"
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/bucket"
	"github.com/dropstack/dropstack/internal/build"
	"github.com/dropstack/dropstack/internal/bus"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/engine"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
	"github.com/dropstack/dropstack/internal/iam"
	"github.com/dropstack/dropstack/internal/network"
	"github.com/dropstack/dropstack/internal/queue"
	"github.com/dropstack/dropstack/internal/schedule"
	"github.com/dropstack/dropstack/internal/topic"
	"github.com/nats-io/nats.go/jetstream"
)

// house writes down what each room was told last, and can refuse.
type house struct {
	functions map[string][]string // names by stack
	seen      [][]string          // every set of functions that was in force
	topics    map[string][]string
	queues    [][]string // every set of queues that was in force
	refuse    string     // functions or topics
}

func newHouse() *house {
	return &house{functions: map[string][]string{}, topics: map[string][]string{}}
}

func (h *house) rooms() deploy.Rooms {
	return deploy.Rooms{
		Roles: roleRoom{}, Networks: &network.Networks{Log: slog.New(slog.DiscardHandler)}, Functions: functionRoom{h}, Queues: queueRoom{h}, Topics: topicRoom{h}, Schedules: scheduleRoom{}, Buses: &bus.Buses{},
		Buckets: bucketRoom{}, Gateway: gatewayRoom{}, Edge: edgeRoom{},
	}
}

type (
	roleRoom     struct{}
	functionRoom struct{ *house }
	topicRoom    struct{ *house }
	queueRoom    struct{ *house }
	scheduleRoom struct{}
	bucketRoom   struct{}
	gatewayRoom  struct{}
	edgeRoom     struct{}
)

func (roleRoom) Replace(string, iam.Declaration) error { return nil }

func (roleRoom) Trusts(_ context.Context, role, _ string) error {
	return fault.Errorf(fault.Invalid, "no role %s", role)
}

func (functionRoom) PublishChanged(context.Context, string) error { return nil }

func (functionRoom) Admit([]function.Function) error { return nil }

func (r functionRoom) Replace(stack string, fns []function.Function) error {
	if r.refuse == "functions" {
		return errors.New("no room")
	}
	var names []string
	for _, f := range fns {
		names = append(names, f.Name+" "+f.Description)
	}
	slices.Sort(names)
	r.functions[stack] = names
	r.seen = append(r.seen, names)
	return nil
}

func (r topicRoom) Replace(_ context.Context, stack string, topics []topic.Topic, _ []topic.Subscription) error {
	if r.refuse == "topics" && len(topics) > 0 {
		return errors.New("no room")
	}
	r.topics[stack] = nil
	for _, t := range topics {
		r.topics[stack] = append(r.topics[stack], t.Name)
	}
	return nil
}

func (r queueRoom) Replace(_ context.Context, _ string, queues []queue.Queue, _ []queue.Mapping) error {
	var names []string
	for _, q := range queues {
		names = append(names, q.Name)
	}
	r.house.queues = append(r.house.queues, names)
	return nil
}

func (scheduleRoom) Replace(context.Context, string, []schedule.Schedule) error { return nil }

func (bucketRoom) Replace(string, []bucket.Notification) error { return nil }

func (gatewayRoom) Replace(string, []gateway.API, []gateway.APIKey, []gateway.UsagePlan) error {
	return nil
}

func (edgeRoom) Replace(string, []edge.Distribution) error { return nil }

// shelf is an object store in memory.
type shelf map[string][]byte

func (s shelf) Put(_ context.Context, bucket, key string, r io.Reader, _ int64, _ engine.PutOptions) (engine.Object, error) {
	b, err := io.ReadAll(r)
	s[bucket+"/"+key] = b
	return engine.Object{}, err
}

func (s shelf) Get(_ context.Context, bucket, key string, _, _ int64) (engine.Object, io.ReadCloser, error) {
	b, ok := s[bucket+"/"+key]
	if !ok {
		return engine.Object{}, nil, fault.Errorf(fault.NotFound, "no %s/%s", bucket, key)
	}
	return engine.Object{Size: int64(len(b))}, io.NopCloser(bytes.NewReader(b)), nil
}

func (s shelf) Stat(context.Context, string, string) (engine.Object, error) {
	return engine.Object{}, nil
}
func (s shelf) Delete(context.Context, string, string) error { return nil }
func (s shelf) CreateBucket(context.Context, string) error   { return nil }

// artifact puts a small artifact on the shelf and returns its hash.
func (s shelf) artifact(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	f, err := w.Create("bootstrap")
	if err == nil {
		_, err = f.Write([]byte("#!/bin/sh\n"))
	}
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	sha := hex.EncodeToString(sum[:])
	s[deploy.ArtifactBucket+"/"+deploy.ArtifactKey(sha)] = b.Bytes()
	return sha
}

func deployer(t *testing.T, js jetstream.JetStream, s shelf, h *house) *deploy.Deployer {
	t.Helper()
	d := &deploy.Deployer{Streams: js, Objects: s, Artifacts: t.TempDir(), Rooms: h.rooms(), Log: slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelError + 1}))}
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	return d
}

// revision is a stack with functions "name description" and topics.
func revision(sha string, functions []string, topics ...string) *deploy.Revision {
	r := &deploy.Revision{Stack: "s-dev", Service: "s", Stage: "dev", Region: "us-east-1"}
	for _, f := range functions {
		name, description, _ := strings.Cut(f, " ")
		r.Functions = append(r.Functions, function.Function{Stack: "s-dev", Name: name, Description: description, Artifact: sha})
	}
	for _, name := range topics {
		r.Topics = append(r.Topics, topic.Topic{Stack: "s-dev", Name: name})
	}
	return r
}

func TestARevisionOutlivesARestart(t *testing.T) {
	js, s := enginetest.Streams(t), shelf{}
	first := deployer(t, js, s, newHouse())
	sha := s.artifact(t)
	for _, version := range []string{"one", "two"} {
		if _, err := first.Deploy(t.Context(), revision(sha, []string{"f " + version}, "t")); err != nil {
			t.Fatal(err)
		}
	}
	h := newHouse()
	second := deployer(t, js, s, h)
	if got := h.functions["s-dev"]; !slices.Equal(got, []string{"f two"}) {
		t.Errorf("functions after a restart: got %q, want [f two]", got)
	}
	was, _ := first.Active("s-dev")
	is, ok := second.Active("s-dev")
	if !ok || was.ID != is.ID {
		t.Errorf("active revision: got %v, want %s", is, was.ID)
	}
}

func TestWhileMovingFunctionsOfBothRevisionsExist(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	sha := s.artifact(t)
	if _, err := d.Deploy(t.Context(), revision(sha, []string{"stays 1", "goes 1"})); err != nil {
		t.Fatal(err)
	}
	h.seen = nil
	if _, err := d.Deploy(t.Context(), revision(sha, []string{"stays 2", "comes 2"})); err != nil {
		t.Fatal(err)
	}
	want := [][]string{{"comes 2", "goes 1", "stays 2"}, {"comes 2", "stays 2"}}
	if len(h.seen) != 2 || !slices.Equal(h.seen[0], want[0]) || !slices.Equal(h.seen[1], want[1]) {
		t.Errorf("got %q, want %q", h.seen, want)
	}
}

func TestWhatARoomRefusesIsTakenBack(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	sha := s.artifact(t)
	h.refuse = "topics"
	if _, err := d.Deploy(t.Context(), revision(sha, []string{"f 1"}, "t")); err == nil {
		t.Fatal("a refused revision was deployed")
	}
	if _, ok := d.Active("s-dev"); ok || len(h.functions["s-dev"]) != 0 {
		t.Errorf("after the first was refused: active %v, functions %q", ok, h.functions["s-dev"])
	}
	h.refuse = ""
	kept, err := d.Deploy(t.Context(), revision(sha, []string{"f 1"}))
	if err != nil {
		t.Fatal(err)
	}
	h.refuse = "topics"
	if _, err := d.Deploy(t.Context(), revision(sha, []string{"f 2"}, "t")); err == nil {
		t.Fatal("a refused revision was deployed")
	}
	again := newHouse()
	restarted := deployer(t, js, s, again)
	for name, got := range map[string]*deploy.Deployer{"running": d, "restarted": restarted} {
		if active, ok := got.Active("s-dev"); !ok || active.ID != kept.ID {
			t.Errorf("%s: active %v, want %s", name, active, kept.ID)
		}
	}
	for name, got := range map[string][]string{"running": h.functions["s-dev"], "restarted": again.functions["s-dev"]} {
		if !slices.Equal(got, []string{"f 1"}) {
			t.Errorf("%s: functions %q, want [f 1]", name, got)
		}
	}
}

// With a queue goes what is in it, so one that a revision leaves out stays until
// nothing can fail any more.
func TestAQueueGoesLast(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	sha := s.artifact(t)
	with := func(names ...string) *deploy.Revision {
		r := revision(sha, []string{"f 1"}, "t")
		for _, name := range names {
			r.Queues = append(r.Queues, queue.Queue{Stack: r.Stack, Name: name, ARN: queue.ARN(r.Region, name)})
		}
		return r
	}
	if _, err := d.Deploy(t.Context(), with("jobs", "letters")); err != nil {
		t.Fatal(err)
	}
	h.queues, h.refuse = nil, "topics"
	if _, err := d.Deploy(t.Context(), with("jobs")); err == nil {
		t.Fatal("a refused revision was deployed")
	}
	for _, set := range h.queues {
		if !slices.Contains(set, "letters") {
			t.Errorf("a deployment that failed had the queues %q in force", set)
		}
	}
	h.queues, h.refuse = nil, ""
	if _, err := d.Deploy(t.Context(), with("jobs")); err != nil {
		t.Fatal(err)
	}
	if want := [][]string{{"jobs", "letters"}, {"jobs"}}; !slices.EqualFunc(h.queues, want, slices.Equal) {
		t.Errorf("queues in force %q, want %q", h.queues, want)
	}
}

func TestRemoveAndAskAgain(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	if _, err := d.Deploy(t.Context(), revision(s.artifact(t), []string{"f 1"}, "t")); err != nil {
		t.Fatal(err)
	}
	if err := d.Remove(t.Context(), "s-dev"); err != nil {
		t.Fatal(err)
	}
	if _, ok := d.Active("s-dev"); ok || len(h.functions["s-dev"])+len(h.topics["s-dev"]) != 0 {
		t.Errorf("something is left: %v %q %q", ok, h.functions, h.topics)
	}
	if err := d.Remove(t.Context(), "s-dev"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("removing it again: got %v, want not found", err)
	}
	if _, err := d.Deploy(t.Context(), revision(s.artifact(t), []string{"f 2"})); err != nil {
		t.Errorf("deploying it again: %v", err)
	}
}

// strange has functions run as a role that is nobody's.
func strange(r *deploy.Revision) *deploy.Revision {
	r.Roles = []iam.DeclaredRole{{Name: "own"}}
	r.Functions[0].Role = "arn:aws:iam::000000000000:role/strange"
	return r
}

func TestBadDocumentsChangeNothing(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	sha := s.artifact(t)
	damaged := strings.Repeat("a", 64)
	s[deploy.ArtifactBucket+"/"+deploy.ArtifactKey(damaged)] = []byte("other bytes")
	for name, r := range map[string]*deploy.Revision{
		"stack name":       {Stack: "a.b"},
		"foreign function": {Stack: "other-dev", Functions: revision(sha, []string{"f"}).Functions},
		"twice":            revision(sha, []string{"f", "f"}),
		"role":             strange(revision(sha, []string{"f"})),
		"hash":             revision("../../etc", []string{"f"}),
		"no artifact":      revision(strings.Repeat("0", 64), []string{"f"}),
		"damaged artifact": revision(damaged, []string{"f"}),
		"schedule":         {Stack: "s-dev", Schedules: []schedule.Schedule{{Name: "x", Expression: "rate(0 minutes)"}}},
	} {
		if _, err := d.Deploy(t.Context(), r); err == nil {
			t.Errorf("%s: deployed", name)
		}
	}
	if len(d.List()) != 0 || len(h.seen) != 0 {
		t.Errorf("something changed: %v %v", d.List(), h.seen)
	}
}

func TestAFunctionNameBelongsToOneStack(t *testing.T) {
	s := shelf{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	if _, err := d.Deploy(t.Context(), revision(s.artifact(t), []string{"f 1"})); err != nil {
		t.Fatal(err)
	}
	other := revision(s.artifact(t), []string{"f 1"})
	other.Stack, other.Functions[0].Stack = "other-dev", "other-dev"
	if _, err := d.Deploy(t.Context(), other); fault.KindOf(err) != fault.Conflict {
		t.Errorf("got %v, want a conflict", err)
	}
}

// zip puts an artifact of files on the shelf and returns its hash.
func (s shelf) zip(t *testing.T, files ...string) string {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, name := range files {
		f, err := w.Create(name)
		if err == nil {
			_, err = io.WriteString(f, strings.Join(files, " "))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	sum := sha256.Sum256(b.Bytes())
	sha := hex.EncodeToString(sum[:])
	s[deploy.ArtifactBucket+"/"+deploy.ArtifactKey(sha)] = b.Bytes()
	return sha
}

func TestLayersAreMergedBeforeActivation(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	first, second := s.zip(t, "first", "same"), s.zip(t, "same", "second")
	r := revision(s.artifact(t), []string{"f 1", "g 1"})
	r.Functions[0].Layers = []string{first, second}
	r.Functions[1].Layers = []string{second}
	if _, err := d.Deploy(t.Context(), r); fault.KindOf(err) != fault.Unavailable {
		t.Errorf("without a directory for layers: got %v", err)
	}
	d.LayerRoot = filepath.Join(t.TempDir(), "layers")
	if _, err := d.Deploy(t.Context(), r); err != nil {
		t.Fatal(err)
	}
	same, err := os.ReadFile(filepath.Join(d.LayerRoot, build.LayersID(r.Functions[0].Layers), "same"))
	if err != nil || string(same) != "same second" {
		t.Errorf("merged: got %q, %v", same, err)
	}
	if _, err := os.Stat(filepath.Join(d.LayerRoot, build.LayersID([]string{second}), "second")); err != nil {
		t.Error(err)
	}
	left, err := filepath.Glob(filepath.Join(d.Artifacts, "download-*"))
	if err != nil || len(left) > 0 {
		t.Errorf("left behind: %q, %v", left, err)
	}
	delete(s, deploy.ArtifactBucket+"/"+deploy.ArtifactKey(first)) // no longer needed
	if _, err := d.Deploy(t.Context(), r); err != nil {
		t.Errorf("again: %v", err)
	}
	h.seen = nil
	for name, layers := range map[string][]string{
		"no hash": {"../x"}, "not there": {strings.Repeat("0", 64)}, "six": slices.Repeat([]string{second}, 6),
	} {
		r.Functions[0].Layers = layers
		if _, err := d.Deploy(t.Context(), r); err == nil {
			t.Errorf("%s: deployed", name)
		}
	}
	if len(h.seen) != 0 {
		t.Errorf("something was activated: %v", h.seen)
	}
}

func TestPrepareIsCalledForWhatIsNew(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	var prepared []string
	d.Prepare = func(_ context.Context, f function.Function, dir string) error {
		if _, err := os.Stat(filepath.Join(dir, "bootstrap")); err != nil {
			t.Errorf("prepared before it was unpacked: %v", err)
		}
		if len(h.functions["s-dev"]) > len(prepared) {
			t.Errorf("prepared after %q were activated", h.functions["s-dev"])
		}
		prepared = append(prepared, f.Name+" "+f.Runtime)
		return errors.New("cannot")
	}
	sha := s.artifact(t)
	r := revision(sha, []string{"a", "b", "c"})
	r.Functions[0].Runtime, r.Functions[1].Runtime, r.Functions[2].Runtime = "nodejs22.x", "nodejs22.x", "nodejs24.x"
	for range 2 {
		if _, err := d.Deploy(t.Context(), r); err != nil {
			t.Fatal(err)
		}
	}
	if want := []string{"a nodejs22.x", "c nodejs24.x"}; !slices.Equal(prepared, want) {
		t.Errorf("got %q, want %q", prepared, want)
	}
}
