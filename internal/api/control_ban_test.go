package api_test

import (
	"context"
	"log/slog"
	"testing"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/edge/ban"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/iam"
)

// TestBansByTheAPI: by the administrator and by functions whose role says so, and every
// change is on record.
func TestBansByTheAPI(t *testing.T) {
	bans := &ban.Bans{Streams: enginetest.Streams(t), Log: slog.New(slog.NewTextHandler(t.Output(), nil))}
	if err := bans.Load(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { done <- bans.Run(ctx) }()
	t.Cleanup(func() {
		stop()
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	control := &api.Control{Bans: bans, Records: noList{}}
	w := serve(t, &api.Server{Lambda: invoking(&one{}), Services: []*api.Service{control.Service()}})
	admin, function := client(w.url, w.keys.Admin()), client(w.url, w.function)
	in := ban.PutInput{Client: "203.0.113.7", Seconds: 60, Reason: "a test"}

	for operation, input := range map[string]any{
		"PutBan": in, "DeleteBan": ban.RemoveInput{Client: in.Client}, "ListBans": ban.ListInput{},
		"PutAllowed": ban.AllowInput{Client: in.Client}, "DeleteAllowed": ban.RemoveInput{Client: in.Client}, "ListAllowed": struct{}{},
	} {
		if err := function.Call(t.Context(), operation, input, nil); fault.KindOf(err) != fault.Denied {
			t.Errorf("%s by a function that may not: %v", operation, err)
		}
	}
	w.trail.take()

	role := iam.DeclaredRole{Name: "bans", Inline: map[string]string{
		"ban": `{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"dropstack:PutBan","Resource":"*"}]}`,
	}}
	if err := w.keys.Replace("abuse-dev", iam.Declaration{Roles: []iam.DeclaredRole{role}, Functions: map[string]string{watcher: arn.Role("/", role.Name)}}); err != nil {
		t.Fatal(err)
	}
	credentials, err := w.keys.Instance(watcher, "", "i-1")
	if err != nil {
		t.Fatal(err)
	}
	var made ban.Ban
	if err := client(w.url, credentials).Call(t.Context(), "PutBan", in, &made); err != nil {
		t.Fatal(err)
	}
	var out ban.ListOutput
	if err := admin.Call(t.Context(), "ListBans", ban.ListInput{}, &out); err != nil || len(out.Bans) != 1 || out.Bans[0] != made {
		t.Errorf("listed %+v, %v; want %+v", out, err, made)
	}
	if want := "arn:aws:sts::000000000000:assumed-role/bans/"; len(made.By) < len(want) || made.By[:len(want)] != want {
		t.Errorf("by %q", made.By)
	}
	if err := admin.Call(t.Context(), "DeleteBan", ban.RemoveInput{Client: in.Client}, nil); err != nil {
		t.Error(err)
	}
	if err := admin.Call(t.Context(), "PutAllowed", ban.AllowInput{Client: in.Client}, nil); err != nil {
		t.Error(err)
	}
	if err := admin.Call(t.Context(), "PutBan", in, nil); fault.CodeOf(err) != "ClientAllowed" || fault.KindOf(err) != fault.Conflict {
		t.Errorf("of who is allowed: %v", err)
	}
	var list ban.AllowedOutput
	if err := admin.Call(t.Context(), "ListAllowed", struct{}{}, &list); err != nil || len(list.Allowed) != 1 {
		t.Errorf("allowed %+v, %v", list, err)
	}
	if err := admin.Call(t.Context(), "DeleteAllowed", ban.RemoveInput{Client: in.Client}, nil); err != nil {
		t.Error(err)
	}
	for name, wrong := range map[string]any{
		"everybody": ban.PutInput{Client: "0.0.0.0/0", Seconds: 60}, "loopback": ban.PutInput{Client: "127.0.0.1", Seconds: 60},
		"no time": ban.PutInput{Client: "203.0.113.7"}, "another member": map[string]any{"client": "203.0.113.7", "seconds": 60, "minutes": 1},
	} {
		if err := admin.Call(t.Context(), "PutBan", wrong, nil); fault.KindOf(err) != fault.Invalid {
			t.Errorf("%s: %v", name, err)
		}
	}
	names := map[string]int{}
	for _, e := range w.trail.take() {
		if e.ErrorCode == "" && !e.ReadOnly {
			names[e.EventName]++
			if e.RequestParameters["client"] != in.Client {
				t.Errorf("recorded: %+v", e)
			}
		}
	}
	for _, operation := range []string{"PutBan", "DeleteBan", "PutAllowed", "DeleteAllowed"} {
		if names[operation] != 1 {
			t.Errorf("%s is on record %d times", operation, names[operation])
		}
	}
}

const watcher = "arn:aws:lambda:us-east-1:000000000000:function:abuse-dev-watch"

type noList struct{}

func (noList) List(context.Context, audit.ListInput) (audit.ListOutput, error) {
	return audit.ListOutput{}, nil
}

func (noList) Verify(context.Context) (audit.Report, error) { return audit.Report{}, nil }
