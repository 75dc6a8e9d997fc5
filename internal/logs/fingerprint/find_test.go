package fingerprint_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/logs"
	"github.com/dropstack/dropstack/internal/logs/fingerprint"
)

// records are lines of one invocation, as the platform stores them.
func records(function, version, request, text string) (list []logs.Record) {
	at := time.Date(2026, 11, 26, 20, 0, 0, 0, time.UTC)
	for i, line := range strings.Split(strings.TrimSuffix(text, "\n"), "\n") {
		line = strings.NewReplacer(`\t`, "\t", `\r`, "\r").Replace(line)
		r := logs.Record{
			Time: at.Add(time.Duration(i) * time.Millisecond), Group: "/aws/lambda/" + function, Stream: "2026/11/26/[" + version + "]0123",
			Request: request, Message: line,
		}
		if strings.HasPrefix(line, "REPORT ") {
			r.Fields = []logs.Field{{Name: logs.FieldType, Value: "REPORT"}}
		}
		list = append(list, r)
	}
	return list
}

func find(list []logs.Record) (out []string, all []fingerprint.Occurrence) {
	var f fingerprint.Finder
	for i := range list {
		all = append(all, f.Find(&list[i])...)
	}
	all = append(all, f.Flush()...)
	for _, o := range all {
		out = append(out, strings.Join([]string{o.Function, o.Version, o.Request, "[" + o.Type + "]", o.Message}, " | ")+"\n    "+strings.Join(o.Stack, "\n    "))
	}
	return out, all
}

// TestFind reads what runtimes write, each story with what is to be found in it.
func TestFind(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(stories) < 5 {
		t.Fatalf("stories: %v %v", stories, err)
	}
	for _, path := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			doc, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			text, want, ok := strings.Cut(string(doc), "=====\n")
			if !ok {
				t.Fatal("the story has no line of =====")
			}
			got, _ := find(records("notes", "7", "r1", text))
			if diff := cmp.Diff(strings.TrimSpace(want), strings.TrimSpace(strings.Join(got, "\n"))); diff != "" {
				t.Errorf("want - got +\n%s", diff)
			}
		})
	}
}

func TestWhatIsNoError(t *testing.T) {
	for _, line := range []string{
		"START RequestId: r1 Version: 1", "no errors today", `{"level":"info","message":"error rate is 0"}`, `{"type":"platform.report","record":{"status":"error"}}`,
		"2026-11-26T20:00:00.000Z\tr1\tINFO\tTypeError: printed only", "  at nowhere (x.js:1:1)", "{broken error", "REPORT RequestId: r1\tStatus: error",
		"an error: said in passing", "RequestId: r1 and an Error", `{"error":"none"}`,
	} {
		if got, _ := find(records("notes", "1", "r1", line)); len(got) != 0 {
			t.Errorf("%q: found %v", line, got)
		}
	}
	other := records("notes", "1", "r1", `{"errorType":"Error","errorMessage":"x"}`)
	other[0].Group = "/dropstack/edge"
	if got, _ := find(other); len(got) != 0 {
		t.Errorf("found %v in the edge's log", got)
	}
}

// Two streams of one function fail at the same time, and their lines mingle.
func TestStreamsAreToldApart(t *testing.T) {
	const text = "panic: one\n\ngoroutine 1 [running]:\nmain.handle(...)\n\t/src/main.go:12 +0x1\nREPORT RequestId"
	a, b := records("notes", "7", "r1", text), records("notes", "7", "r2", strings.Replace(text, "one", "two", 1))
	for i := range b {
		b[i].Stream += "other"
	}
	var mixed []logs.Record
	for i := range a {
		mixed = append(mixed, a[i], b[i])
	}
	got, _ := find(mixed)
	want := []string{"notes | 7 | r1 | [panic] | one\n    /src/main.go:12 main.handle", "notes | 7 | r2 | [panic] | two\n    /src/main.go:12 main.handle"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("want - got +\n%s", diff)
	}
}

func TestMask(t *testing.T) {
	for message, want := range map[string]string{
		"user 42 not found":                                               "user <n> not found",
		"took 1.25s of -3":                                                "took <n>s of <n>",
		`key "a\"b" is missing in 'c d'`:                                  `key "…" is missing in '…'`,
		"can't read property 'x' of undefined":                            "can't read property '…' of undefined",
		"drop 6f9619ff-8b86-d011-b42d-00cf4fc964ff gone":                  "drop <id> gone",
		"commit 05abc21f9d is bad, 4b3164e0 too":                          "commit <id> is bad, <id> too",
		"dial tcp 10.0.0.7:5432: connect: connection refused":             "dial tcp <address>: connect: connection refused",
		"GET https://api.example.com/v1/x?y=1: 503":                       "GET <url>: <n>",
		"no access to arn:aws:s3:::bucket/key":                            "no access to <arn>",
		"mail to anna.b@example.com failed at 2026-11-26T20:00:00.123Z":   "mail to <email> failed at <time>",
		"key AKIAIOSFODNN7EXAMPLE and pointer 0xc000123":                  "key <id> and pointer <n>",
		"decoded defaced facade":                                          "decoded defaced facade",
		"  spaces \t and\nlines ":                                         "spaces and lines",
		"index out of range [5] with length 3":                            "index out of range [<n>] with length <n>",
		"unexpected token `x` in `y`":                                     "unexpected token `…` in `…`",
		"Task timed out after 3.00 seconds":                               "Task timed out after <n> seconds",
		"RequestId: 6f9619ff-8b86-d011-b42d-00cf4fc964ff Error: x failed": "RequestId: <id> Error: x failed",
	} {
		if got := fingerprint.Mask(message); got != want {
			t.Errorf("%q:\ngot  %q\nwant %q", message, got, want)
		}
	}
}

func TestFingerprint(t *testing.T) {
	base := fingerprint.Occurrence{Function: "f", Type: "TypeError", Message: "no user 7", Stack: []string{
		"at Array.map (<anonymous>)", "at load (/var/task/lib/users.js:10:5)", "at Object.<anonymous> (/var/task/node_modules/pg/query.js:3:1)",
		"at async exports.handler (/var/task/index.js:30:9)", "at process.processTicksAndRejections (node:internal/process/task_queues:95:5)",
	}}
	for name, c := range map[string]struct {
		change func(o *fingerprint.Occurrence)
		same   bool
	}{
		"nothing":                   {func(*fingerprint.Occurrence) {}, true},
		"another number":            {func(o *fingerprint.Occurrence) { o.Message = "no user 8" }, true},
		"another line of the file":  {func(o *fingerprint.Occurrence) { o.Stack[1] = "at load (/var/task/lib/users.js:14:5)" }, true},
		"another place of the code": {func(o *fingerprint.Occurrence) { o.Stack[1] = "at load (file:///mnt/artifacts/ab12/lib/users.js:10:5)" }, true},
		"another library's frame":   {func(o *fingerprint.Occurrence) { o.Stack[2] = "at x (/var/task/node_modules/mysql/a.js:1:1)" }, true},
		"another version":           {func(o *fingerprint.Occurrence) { o.Version = "9" }, true},
		"another function":          {func(o *fingerprint.Occurrence) { o.Function = "g" }, false},
		"another type":              {func(o *fingerprint.Occurrence) { o.Type = "RangeError" }, false},
		"another message":           {func(o *fingerprint.Occurrence) { o.Message = "no group 7" }, false},
		"another own frame":         {func(o *fingerprint.Occurrence) { o.Stack[1] = "at save (/var/task/lib/users.js:10:5)" }, false},
		"another file":              {func(o *fingerprint.Occurrence) { o.Stack[1] = "at load (/var/task/lib/groups.js:10:5)" }, false},
	} {
		other := base
		other.Stack = append([]string(nil), base.Stack...)
		c.change(&other)
		if same := base.ID() == other.ID(); same != c.same {
			t.Errorf("%s: the same fingerprint: %v, want %v", name, same, c.same)
		}
	}
}

func FuzzFind(f *testing.F) {
	f.Add("panic: x\ngoroutine 1 [running]:\nmain.f(0x1)\n\t/a.go:1\nREPORT")
	f.Add("2026-11-26T20:00:00.000Z\tr\tERROR\tInvoke Error \t{\"errorType\":\"E\",\"stack\":[1]}")
	f.Add(`{"level":"error","error":{"stack":"\\"},"message":{}}`)
	f.Fuzz(func(t *testing.T, text string) {
		_, all := find(records("f", "1", "r", text))
		for _, o := range all {
			if len(o.ID()) != 16 || o.Function != "f" {
				t.Errorf("found %+v", o)
			}
		}
	})
}
