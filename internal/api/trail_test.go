package api_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/fault"
)

// change is an input with a part that must not be recorded.
type change struct {
	Name  string
	Value string `audit:"hidden"`
}

type changed struct{ Version int }

func TestCallsAreRecorded(t *testing.T) {
	done := 0
	w := serve(t, &api.Server{Services: []*api.Service{
		api.ServiceOf("dropstack", "Dropstack.", "Change", func(_ context.Context, in change) (changed, error) {
			done++
			if in.Name == "" {
				return changed{}, fault.Coded(fault.Invalid, "NoName", "a name is missing")
			}
			return changed{7}, nil
		}),
	}})
	admin := client(w.url, w.keys.Admin())
	if err := admin.Call(t.Context(), "Change", change{"n", "planted"}, nil); err != nil {
		t.Fatal(err)
	}
	events := w.trail.take()
	if len(events) != 1 {
		t.Fatalf("%d records, want 1", len(events))
	}
	e := events[0]
	if e.EventName != "Change" || e.EventSource != "dropstack.amazonaws.com" || e.UserIdentity.Type != "Root" || e.UserIdentity.AccessKeyID != w.keys.Admin().AccessKeyID || e.ReadOnly || e.ErrorCode != "" || e.RequestID == "" {
		t.Errorf("recorded %+v", e)
	}
	if e.RequestParameters["name"] != "n" || strings.Contains(e.RequestParameters["value"].(string), "planted") || fmt.Sprint(e.ResponseElements["version"]) != "7" {
		t.Errorf("recorded %v and %v", e.RequestParameters, e.ResponseElements)
	}

	if err := admin.Call(t.Context(), "Change", change{}, nil); fault.CodeOf(err) != "NoName" {
		t.Errorf("got %v", err)
	}
	if events := w.trail.take(); len(events) != 1 || events[0].ErrorCode != "NoName" || events[0].ResponseElements != nil {
		t.Errorf("a failed call: recorded %+v", events)
	}

	err := client(w.url, w.function).Call(t.Context(), "Change", change{Name: "n"}, nil)
	if fault.KindOf(err) != fault.Denied || done != 2 {
		t.Errorf("a function: got %v, and the room was called %d times", err, done)
	}
	if events := w.trail.take(); len(events) != 1 || events[0].ErrorCode != "AccessDeniedException" || events[0].UserIdentity.Type != "AssumedRole" {
		t.Errorf("a denial: recorded %+v", events)
	}
}

// TestWhatCannotBeRecordedIsNotDone: nor is it answered as if it had been.
func TestWhatCannotBeRecordedIsNotDone(t *testing.T) {
	done := 0
	w := serve(t, &api.Server{Services: []*api.Service{
		api.ServiceOf("dropstack", "Dropstack.", "Change", func(context.Context, change) (changed, error) { done++; return changed{}, nil }),
	}})
	admin := client(w.url, w.keys.Admin())
	w.trail.closed = true
	if err := admin.Call(t.Context(), "Change", change{}, nil); fault.KindOf(err) != fault.Unavailable || done != 0 {
		t.Errorf("a trail that is closed: got %v, the room was called %d times", err, done)
	}
	w.trail.closed, w.trail.failing = false, errors.New("no space left")
	if err := admin.Call(t.Context(), "Change", change{}, nil); fault.KindOf(err) != fault.Unavailable || strings.Contains(err.Error(), "space") {
		t.Errorf("a trail that fails: got %v", err)
	}
}

// TestUnsignedCallsLearnNothing: not even which operations there are.
func TestUnsignedCallsLearnNothing(t *testing.T) {
	w, _ := endpoint(t)
	wrong := w.keys.Admin()
	wrong.SecretAccessKey = "other"
	for _, action := range []string{"Echo", "Nothing"} {
		err := client(w.url, wrong).Call(t.Context(), action, echo{"x"}, nil)
		if code := fault.CodeOf(err); code != "InvalidSignatureException" {
			t.Errorf("%s: got %v", action, err)
		}
	}
}
