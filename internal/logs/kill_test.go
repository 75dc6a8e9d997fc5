package logs_test

import (
	"bufio"
	"fmt"
	"iter"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/logs"
)

const victimDir = "LOGS_TEST_VICTIM"

// imported are the records of a source: as many as are soon over several blocks.
const imported = 70_000

func source(id string) iter.Seq2[logs.Record, error] {
	return func(yield func(logs.Record, error) bool) {
		for i := range imported {
			r := logs.Record{Time: base, Group: "/imported", Stream: "s", Message: fmt.Sprintf("%s %d", id, i)}
			if !yield(r, nil) {
				return
			}
		}
	}
}

// TestVictim is the process that is killed: it puts and imports until then, and prints
// what was acknowledged.
func TestVictim(t *testing.T) {
	dir := os.Getenv(victimDir)
	if dir == "" {
		t.Skip("not run: only as a process of TestNothingAcknowledgedIsLostWhenTheProcessIsKilled")
	}
	streams := enginetest.StreamsIn(t, dir+"/streams")
	s := &logs.Store{Dir: dir + "/logs", Streams: streams, State: streams, MaxBytes: 64 << 20, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	if err := s.Open(t.Context()); err != nil {
		panic(err)
	}
	var mu sync.Mutex
	say := func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Printf(format+"\n", args...)
	}
	for c := range 4 {
		group := fmt.Sprint("/put/", c)
		_, _ = s.CreateLogGroup(t.Context(), logs.CreateLogGroupInput{LogGroupName: group}) // or it is there
		_, _ = s.CreateLogStream(t.Context(), logs.LogStreamInput{LogGroupName: group, LogStreamName: "s"})
		go func() {
			for n := 0; ; n++ {
				in := logs.PutLogEventsInput{LogGroupName: group, LogStreamName: "s"}
				id := fmt.Sprintf("%d-%d-%d", os.Getpid(), c, n)
				for i := range 300 {
					message := fmt.Sprintf(`{"id":"%s","event":%d,"padding":"%s"}`, id, i, strings.Repeat("x", 1000))
					in.LogEvents = append(in.LogEvents, logs.InputLogEvent{Timestamp: time.Now().UnixMilli(), Message: message})
				}
				if _, err := s.PutLogEvents(t.Context(), in); err != nil {
					panic(err)
				}
				say("acknowledged put %s", id)
			}
		}()
	}
	go func() {
		for n := 0; ; n++ {
			id := fmt.Sprintf("object-%d", n)
			taken, _, err := s.Import(t.Context(), id, source(id))
			if err != nil {
				panic(err)
			}
			say("acknowledged import %s %v", id, taken)
		}
	}()
	select {}
}

func TestNothingAcknowledgedIsLostWhenTheProcessIsKilled(t *testing.T) {
	dir, puts, imports := t.TempDir(), map[string]bool{}, map[string]int{}
	for range 5 {
		victim := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestVictim$")
		victim.Env = append(os.Environ(), victimDir+"="+dir)
		victim.Stderr = t.Output()
		out, err := victim.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := victim.Start(); err != nil {
			t.Fatal(err)
		}
		left := 1 + rand.IntN(120)
		for lines := bufio.NewScanner(out); lines.Scan(); {
			var what, id string
			if _, err := fmt.Sscanf(lines.Text(), "acknowledged %s %s", &what, &id); err != nil {
				continue
			}
			if what == "put" {
				puts[id] = true
			} else if strings.HasSuffix(lines.Text(), "true") {
				imports[id]++
			}
			if left--; left == 0 {
				if err := victim.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = victim.Wait() // it was killed
	}
	streams := enginetest.StreamsIn(t, dir+"/streams")
	s := openIn(t, streams, dir+"/logs")
	found := map[string]int{} // events by their put, lines by their object
	seen := map[string]bool{}
	for b, err := range s.Batches(t.Context(), logs.Selection{}) {
		if err != nil {
			t.Fatal(err)
		}
		ids, events, messages := b.Column("id"), b.Column("event"), b.Column(logs.FieldMessage)
		for i := range b.Len() {
			id, ok := ids.At(i)
			key, _ := messages.At(i)
			if ok {
				event, _ := events.At(i)
				key = id + " " + event
			} else {
				id, _, _ = strings.Cut(key, " ")
			}
			if seen[key] {
				t.Fatalf("%s is there twice", key)
			}
			seen[key] = true
			found[id]++
		}
	}
	for id := range puts {
		if found[id] != 300 {
			t.Errorf("put %s was acknowledged, and %d of its 300 events are there", id, found[id])
		}
	}
	for id, n := range found {
		switch {
		case strings.HasPrefix(id, "object") && n != imported:
			t.Errorf("%d of %d lines of %s are there", n, imported, id)
		case !strings.HasPrefix(id, "object") && n != 300:
			t.Errorf("put %s is there in part: %d of 300 events", id, n)
		}
	}
	for id, n := range imports {
		if n != 1 || found[id] != imported {
			t.Errorf("%s was acknowledged %d times and has %d lines", id, n, found[id])
		}
	}
	if len(puts) < 20 {
		t.Errorf("only %d puts were acknowledged: too few to say anything", len(puts))
	}
	t.Logf("%d puts and %d imports acknowledged, none lost", len(puts), len(imports))
}
