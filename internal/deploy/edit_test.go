package deploy_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"sync"
	"testing"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/topic"
)

// addTopic is an edit.
func addTopic(name string) func(*deploy.Revision) error {
	return func(r *deploy.Revision) error {
		r.Topics = append(r.Topics, topic.Topic{Stack: r.Stack, Name: name})
		return nil
	}
}

// stored are the keys of the revisions of a stack, by what the deployer left.
func stored(t *testing.T, js jetstream.JetStream, stack string) map[string]bool {
	t.Helper()
	kv, err := js.KeyValue(t.Context(), "revisions")
	if err != nil {
		t.Fatal(err)
	}
	keys, err := kv.ListKeysFiltered(t.Context(), stack+".*")
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for key := range keys.Keys() {
		all[key] = true
	}
	return all
}

func TestAnEditMakesTheNextRevision(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	first, err := d.Deploy(t.Context(), revision(s.artifact(t), []string{"f 1"}, "t"))
	if err != nil {
		t.Fatal(err)
	}
	edited, err := d.Edit(t.Context(), "s-dev", func(r *deploy.Revision) error {
		r.Functions[0].Description = "edited"
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if edited.ID == first.ID || first.Functions[0].Description != "1" || fmt.Sprint(h.functions["s-dev"], h.topics["s-dev"]) != "[f edited] [t]" {
		t.Errorf("before %v, after %v, rooms %v", first, edited, h)
	}
	if active, _ := d.Active("s-dev"); active.ID != edited.ID {
		t.Errorf("active %s, want %s", active.ID, edited.ID)
	}
	if len(stored(t, js, "s-dev")) != 2 {
		t.Errorf("stored: %v", stored(t, js, "s-dev"))
	}
}

func TestTheReservedStackBeginsEmptyAndIsNotDeployed(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	d.Region = "eu-west-1"
	r := revision(s.artifact(t), []string{"f 1"})
	r.Stack, r.Functions[0].Stack = deploy.APIStack, deploy.APIStack
	if _, err := d.Deploy(t.Context(), r); fault.KindOf(err) != fault.Invalid {
		t.Errorf("deployed: %v", err)
	}
	if _, err := d.Edit(t.Context(), "nobody-dev", addTopic("t")); fault.KindOf(err) != fault.NotFound {
		t.Errorf("edit of a stack that is not deployed: %v", err)
	}
	for _, name := range []string{"one", "two"} {
		if _, err := d.Edit(t.Context(), deploy.APIStack, addTopic(name)); err != nil {
			t.Fatal(err)
		}
	}
	again := newHouse()
	if rev, ok := deployer(t, js, s, again).Active(deploy.APIStack); !ok || rev.Region != "eu-west-1" || fmt.Sprint(again.topics[deploy.APIStack]) != "[one two]" {
		t.Errorf("after a restart: %+v, topics %v", rev, again.topics)
	}
}

func TestAnEditThatFailsOrChangesNothingWritesNothing(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	sha := s.artifact(t)
	first, err := d.Deploy(t.Context(), revision(sha, []string{"f 1"}))
	if err != nil {
		t.Fatal(err)
	}
	h.seen = nil
	refused := errors.New("refused")
	for name, tt := range map[string]struct {
		change func(*deploy.Revision) error
		fails  bool
	}{
		"no change":      {func(*deploy.Revision) error { return nil }, false},
		"the same value": {func(r *deploy.Revision) error { r.Functions[0].Description = "1"; return nil }, false},
		"refusal":        {func(r *deploy.Revision) error { r.Functions = nil; return refused }, true},
		"what Deploy refuses": {func(r *deploy.Revision) error {
			r.Functions = append(r.Functions, r.Functions[0])
			return nil
		}, true},
		"an artifact that is not there": {func(r *deploy.Revision) error {
			r.Functions[0].Artifact = "00" + sha[2:]
			return nil
		}, true},
	} {
		if got, err := d.Edit(t.Context(), "s-dev", tt.change); (err != nil) != tt.fails || (err == nil && got.ID != first.ID) {
			t.Errorf("%s: got %v, %v", name, got, err)
		}
	}
	if keys := stored(t, js, "s-dev"); len(keys) != 1 || len(h.seen) != 0 {
		t.Errorf("stored %v, applied %v", keys, h.seen)
	}
}

func TestEditsOfManyAtOnceAllCount(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	const n = 32
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			if _, err := d.Edit(t.Context(), deploy.APIStack, addTopic(fmt.Sprint("t", i))); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	rev, _ := d.Active(deploy.APIStack)
	names := map[string]bool{}
	for _, topic := range rev.Topics {
		names[topic.Name] = true
	}
	if len(names) != n {
		t.Errorf("%d topics of %d edits", len(names), n)
	}
	keys := stored(t, js, deploy.APIStack)
	if len(keys) != 20 || !keys[deploy.APIStack+"."+rev.ID] {
		t.Errorf("%d revisions are kept, want 20 with the active one: %v", len(keys), keys)
	}
}

// cut is a JetStream whose pointers cannot be moved, as after a crash between
// writing a revision and pointing to it.
type cut struct {
	jetstream.JetStream
	broken *bool
}

type cutKV struct {
	jetstream.KeyValue
	broken *bool
}

var errCut = errors.New("cut off")

func (c cut) CreateOrUpdateKeyValue(ctx context.Context, cfg jetstream.KeyValueConfig) (jetstream.KeyValue, error) {
	kv, err := c.JetStream.CreateOrUpdateKeyValue(ctx, cfg)
	if cfg.Bucket == "stacks" {
		kv = cutKV{kv, c.broken}
	}
	return kv, err
}

func (c cutKV) Update(ctx context.Context, key string, value []byte, at uint64) (uint64, error) {
	if *c.broken {
		return 0, errCut
	}
	return c.KeyValue.Update(ctx, key, value, at)
}

func TestACrashBetweenWritingAndPointingLeavesTheOldRevision(t *testing.T) {
	js, s, h, broken := enginetest.Streams(t), shelf{}, newHouse(), false
	d := &deploy.Deployer{Streams: cut{js, &broken}, Objects: s, Artifacts: t.TempDir(), Rooms: h.rooms(), Log: slog.New(slog.NewTextHandler(io.Discard, nil))}
	if err := d.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	kept, err := d.Edit(t.Context(), deploy.APIStack, addTopic("one"))
	if err != nil {
		t.Fatal(err)
	}
	broken = true
	for range 30 {
		if _, err := d.Edit(t.Context(), deploy.APIStack, addTopic("two")); !errors.Is(err, errCut) || fault.KindOf(err) != fault.Unavailable {
			t.Fatalf("got %v", err)
		}
	}
	if got := len(stored(t, js, deploy.APIStack)); got != 31 {
		t.Errorf("%d revisions were written, want 31", got)
	}
	again := newHouse()
	second := deployer(t, js, s, again)
	if rev, _ := second.Active(deploy.APIStack); rev.ID != kept.ID || fmt.Sprint(again.topics[deploy.APIStack]) != "[one]" {
		t.Errorf("after the crash: %v, topics %v", rev, again.topics)
	}
	last, err := second.Edit(t.Context(), deploy.APIStack, addTopic("three"))
	if err != nil || fmt.Sprint(again.topics[deploy.APIStack]) != "[one three]" {
		t.Errorf("the next edit: %v, topics %v", err, again.topics)
	}
	if keys := stored(t, js, deploy.APIStack); len(keys) != 2 || !keys[deploy.APIStack+"."+last.ID] || !keys[deploy.APIStack+"."+kept.ID] {
		t.Errorf("what crashes left is not cleared: %d, %v", len(keys), keys)
	}
}

func TestAnEditThatARoomRefusesIsTakenBack(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	h.refuse = "topics"
	if _, err := d.Edit(t.Context(), deploy.APIStack, addTopic("t")); err == nil {
		t.Error("edited")
	}
	if _, ok := d.Active(deploy.APIStack); ok || len(h.topics[deploy.APIStack]) != 0 {
		t.Errorf("something is left: %v", h.topics)
	}
	h.refuse = ""
	if _, err := d.Edit(t.Context(), deploy.APIStack, addTopic("t")); err != nil {
		t.Error(err)
	}
}

func TestADeploymentKeepsWhatNoServerlessYmlCanSay(t *testing.T) {
	s := shelf{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	sha := s.artifact(t)
	if _, err := d.Deploy(t.Context(), revision(sha, []string{"f 1", "g 1"})); err != nil {
		t.Fatal(err)
	}
	edited, err := d.Edit(t.Context(), "s-dev", func(r *deploy.Revision) error {
		f := &r.Functions[0]
		f.Policies, f.Tags, f.Timeout = map[string]string{"": "{}"}, map[string]string{"a": "b"}, 7
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if f, g := edited.Functions[0], edited.Functions[1]; !f.Modified.Equal(edited.Created) || !g.Modified.Before(edited.Created) {
		t.Errorf("modified: %s and %s at %s; only the first was", f.Modified, g.Modified, edited.Created)
	}
	again, err := d.Deploy(t.Context(), revision(sha, []string{"f 1", "g 1"}))
	if err != nil {
		t.Fatal(err)
	}
	if f := again.Functions[0]; f.Policies[""] != "{}" || f.Tags["a"] != "b" || f.Timeout != 0 {
		t.Errorf("got %+v", f)
	}
}
