package deploy_test

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
)

// deployAll deploys revisions with one function, described by words in turn.
func deployAll(t *testing.T, d *deploy.Deployer, sha string, words ...string) (list []*deploy.Revision) {
	t.Helper()
	for _, word := range words {
		r, err := d.Deploy(t.Context(), revision(sha, []string{"f " + word}))
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, r)
	}
	return list
}

func rollback(t *testing.T, d *deploy.Deployer, to string) *deploy.Revision {
	t.Helper()
	r, err := d.Rollback(t.Context(), "s-dev", to)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestARollbackBringsAnEarlierRevisionBackAsTheNext(t *testing.T) {
	js, s, h := enginetest.Streams(t), shelf{}, newHouse()
	d := deployer(t, js, s, h)
	all := deployAll(t, d, s.artifact(t), "one", "two", "three")
	for _, want := range []string{"two", "one"} { // again goes back one more
		r := rollback(t, d, "")
		if got := h.functions["s-dev"][0]; got != "f "+want || r.ID <= all[2].ID || r.Functions[0].Description != want {
			t.Errorf("got %s with revision %+v, want %s", got, r, want)
		}
	}
	if _, err := d.Rollback(t.Context(), "s-dev", ""); fault.KindOf(err) != fault.NotFound {
		t.Errorf("before the first: %v", err)
	}
	if r := rollback(t, d, all[2].ID); r.Restores != all[2].ID || h.functions["s-dev"][0] != "f three" {
		t.Errorf("by id: %+v, %v", r, h.functions)
	}
	at := strconv.FormatInt(all[1].Created.UnixMilli(), 10)
	if r := rollback(t, d, at); r.Restores != all[1].ID {
		t.Errorf("by time: restored %s, want %s", r.Restores, all[1].ID)
	}
	for _, wrong := range []string{"nothing", "1000", all[0].ID + "0"} {
		if _, err := d.Rollback(t.Context(), "s-dev", wrong); fault.KindOf(err) != fault.NotFound {
			t.Errorf("to %s: %v", wrong, err)
		}
	}
	again := newHouse()
	if deployer(t, js, s, again); again.functions["s-dev"][0] != "f two" {
		t.Errorf("after a restart: %v", again.functions)
	}
}

func TestTheHistoryIsKeptAsLongAsItIsSaid(t *testing.T) {
	js, s := enginetest.Streams(t), shelf{}
	d := deployer(t, js, s, newHouse())
	d.Keep.Revisions = 3
	sha := s.artifact(t)
	all := deployAll(t, d, sha, "1", "2", "3", "4")
	ids := func() (list []string) {
		past, err := d.History(t.Context(), "s-dev")
		if err != nil {
			t.Fatal(err)
		}
		for i, p := range past {
			if p.Active != (i == 0) || p.Contents != "1 function" {
				t.Errorf("%d of the history: %+v", i, p)
			}
			list = append(list, p.ID)
		}
		return list
	}
	if got, want := ids(), []string{all[3].ID, all[2].ID, all[1].ID}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	r := revision(sha, []string{"f 5"})
	r.Keep = &deploy.Keep{Revisions: 1}
	last, err := d.Deploy(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := ids(); !slices.Equal(got, []string{last.ID}) {
		t.Errorf("of a stack that keeps one: %q", got)
	}
}

func TestWhatACrashLeftOfRevisionsIsNotInTheHistory(t *testing.T) {
	js, s := enginetest.Streams(t), shelf{}
	d := deployer(t, js, s, newHouse())
	all := deployAll(t, d, s.artifact(t), "one", "two")
	kv, err := js.KeyValue(t.Context(), "revisions")
	if err != nil {
		t.Fatal(err)
	}
	doc, err := kv.Get(t.Context(), "s-dev."+all[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"s-dev.29991231T000000000Z-00000000", "gone-dev." + all[0].ID} {
		if _, err := kv.Put(t.Context(), key, doc.Value()); err != nil {
			t.Fatal(err)
		}
	}
	d = deployer(t, js, s, newHouse())
	if keys := stored(t, js, "*"); len(keys) != 2 || !keys["s-dev."+all[0].ID] || !keys["s-dev."+all[1].ID] {
		t.Errorf("stored: %v", keys)
	}
	if err := d.Remove(t.Context(), "s-dev"); err != nil {
		t.Fatal(err)
	}
	if keys := stored(t, js, "*"); len(keys) != 0 {
		t.Errorf("after the stack was removed: %v", keys)
	}
}

func TestStacksHaveOneOwner(t *testing.T) {
	s := shelf{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	sha := s.artifact(t)
	template := revision(sha, []string{"f 1"})
	template.Owner = deploy.OwnerCloudFormation
	if _, err := d.Deploy(t.Context(), template); err != nil {
		t.Fatal(err)
	}
	for what, call := range map[string]func() error{
		"deploy":   func() error { _, err := d.Deploy(t.Context(), revision(sha, []string{"f 2"})); return err },
		"preview":  func() error { _, err := d.Preview(t.Context(), revision(sha, []string{"f 2"})); return err },
		"rollback": func() error { _, err := d.Rollback(t.Context(), "s-dev", ""); return err },
	} {
		if err := call(); fault.KindOf(err) != fault.Conflict || !strings.Contains(err.Error(), "CloudFormation") {
			t.Errorf("%s: %v", what, err)
		}
	}
	if _, err := d.Deploy(t.Context(), template); err != nil {
		t.Errorf("again by its owner: %v", err)
	}
}

func TestWhatARevisionChanged(t *testing.T) {
	s := shelf{}
	d := deployer(t, enginetest.Streams(t), s, newHouse())
	all := deployAll(t, d, s.artifact(t), "one", "two")
	first, err := d.Changes(t.Context(), "s-dev", all[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	if len(first.Changes) == 0 || first.Changes[0].Action != deploy.ActionCreate {
		t.Errorf("of the first, everything is new: %+v", first.Changes)
	}
	second, err := d.Changes(t.Context(), "s-dev", all[1].ID)
	if err != nil {
		t.Fatal(err)
	}
	want := []deploy.Field{{Name: "description", From: "one", To: "two"}}
	if second.From != all[0].ID || len(second.Changes) != 1 || !slices.Equal(second.Changes[0].Fields, want) {
		t.Errorf("of the second: %+v", second)
	}
	if _, err := d.Changes(t.Context(), "s-dev", "nothing"); fault.KindOf(err) != fault.NotFound {
		t.Errorf("of none: %v", err)
	}
}
