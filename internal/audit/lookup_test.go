package audit_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/wire"
)

// busy is a log of several hours, with different callers. Its time begins at
// midnight UTC on 2000-01-01.
func busy(t *testing.T) *audit.Log {
	t.Helper()
	dir := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		l := open(t, dir)
		add := func(e audit.Event) {
			t.Helper()
			if err := l.Append(t.Context(), e); err != nil {
				t.Fatal(err)
			}
			time.Sleep(20 * time.Minute)
		}
		alice := audit.UserIdentity{Type: "IAMUser", UserName: "alice", ARN: "arn:aws:iam::000000000000:user/alice", AccessKeyID: "AKIAALICE"}
		role := audit.UserIdentity{Type: "AssumedRole", PrincipalID: "AROA:hello", ARN: "arn:aws:sts::000000000000:assumed-role/hello-role/hello", SessionContext: &audit.SessionContext{
			SessionIssuer: &audit.SessionIssuer{Type: "Role", UserName: "hello-role", ARN: "arn:aws:iam::000000000000:role/hello-role"},
		}}
		ssm := func(id, name string, who audit.UserIdentity, p map[string]any) audit.Event {
			return audit.Event{EventID: id, EventSource: "ssm.amazonaws.com", EventName: name, UserIdentity: who, RequestParameters: p, ReadOnly: strings.HasPrefix(name, "Get")}
		}
		add(ssm("put", "PutParameter", alice, map[string]any{"name": "/app/db", "value": audit.Hidden}))
		add(ssm("get", "GetParameter", role, map[string]any{"name": "/app/db:1"}))
		add(ssm("list", "GetParameters", alice, map[string]any{"names": []any{"/other", "/app/db"}}))
		add(ssm("path", "GetParametersByPath", role, map[string]any{"path": "/app"}))
		add(ssm("deep", "GetParametersByPath", role, map[string]any{"path": "/", "recursive": true}))
		add(ssm("shallow", "GetParametersByPath", role, map[string]any{"path": "/"}))
		byARN := ssm("arn", "AddTagsToResource", alice, nil)
		byARN.Resources = []audit.Resource{{ARN: "arn:aws:ssm:us-east-1:000000000000:parameter/app/db"}}
		add(byARN)
		add(ssm("similar", "GetParameter", alice, map[string]any{"name": "/app/dbx"}))
		denied := ssm("denied", "GetParameter", role, map[string]any{"name": "/app/db"})
		denied.ErrorCode, denied.ErrorMessage = "AccessDenied", `no "policy" allows it`
		add(denied)
		add(audit.Event{EventID: "sns", EventSource: "sns.amazonaws.com", EventName: "Publish", UserIdentity: role})
		add(audit.Event{EventID: "create", EventSource: "sns.amazonaws.com", EventName: "CreateTopic", UserIdentity: audit.UserIdentity{Type: "Root"}})
		closeLog(t, l)
	})
	return open(t, dir)
}

func ids(events []audit.Event) string {
	var list []string
	for _, e := range events {
		list = append(list, e.EventID)
	}
	return strings.Join(list, " ")
}

func TestList(t *testing.T) {
	l := busy(t)
	at := func(minutes int) time.Time { return time.Date(2000, 1, 1, 0, minutes, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		in   audit.ListInput
		want string
	}{
		"everything":                {audit.ListInput{}, "create sns denied similar arn shallow deep path list get put"},
		"parameter":                 {audit.ListInput{Parameter: "/app/db"}, "denied arn deep path list get put"},
		"parameter without slash":   {audit.ListInput{Parameter: "app/db"}, "arn"},
		"user":                      {audit.ListInput{Principal: "alice"}, "similar arn list put"},
		"user by key":               {audit.ListInput{Principal: "AKIAALICE"}, "similar arn list put"},
		"role":                      {audit.ListInput{Principal: "hello-role"}, "sns denied shallow deep path get"},
		"role by ARN":               {audit.ListInput{Principal: "arn:aws:iam::000000000000:role/hello-role"}, "sns denied shallow deep path get"},
		"session":                   {audit.ListInput{Principal: "arn:aws:sts::000000000000:assumed-role/hello-role/hello"}, "sns denied shallow deep path get"},
		"resource":                  {audit.ListInput{Resource: "/app/db"}, "denied arn list get put"},
		"resource by ARN":           {audit.ListInput{Resource: "arn:aws:ssm:us-east-1:000000000000:parameter/app/db"}, "arn"},
		"resource by its last name": {audit.ListInput{Resource: "db"}, "arn"},
		"action":                    {audit.ListInput{Action: "GetParameter"}, "denied similar get"},
		"action of a service":       {audit.ListInput{Action: "sns:publish"}, "sns"},
		"action of another service": {audit.ListInput{Action: "sns:GetParameter"}, ""},
		"the account itself":        {audit.ListInput{Principal: "root"}, "create"},
		"errors":                    {audit.ListInput{Errors: true}, "denied"},
		"since":                     {audit.ListInput{Since: at(160)}, "create sns denied"},
		"until":                     {audit.ListInput{Until: at(20)}, "get put"},
		"between":                   {audit.ListInput{Since: at(40), Until: at(80)}, "deep path list"},
		"all together":              {audit.ListInput{Parameter: "/app/db", Principal: "hello-role", Action: "ssm:GetParameter", Errors: true, Since: at(1)}, "denied"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := ids(records(t, l, c.in)); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
			var pages []string // one record a page gives the same
			for c.in.Limit = 1; ; {
				out, err := l.List(t.Context(), c.in)
				if err != nil {
					t.Fatal(err)
				}
				for _, doc := range out.Events {
					var e audit.Event
					if err := json.Unmarshal(doc, &e); err != nil {
						t.Fatal(err)
					}
					pages = append(pages, e.EventID)
				}
				if c.in.Token = out.Token; c.in.Token == "" {
					break
				}
			}
			if got := strings.Join(pages, " "); got != c.want {
				t.Errorf("by pages: got %q, want %q", got, c.want)
			}
		})
	}
}

func TestListRefuses(t *testing.T) {
	l := busy(t)
	for name, in := range map[string]audit.ListInput{
		"limit":          {Limit: 1001},
		"negative limit": {Limit: -1},
		"range":          {Since: time.Unix(2, 0), Until: time.Unix(1, 0)},
		"token":          {Token: "x"},
		"strange token":  {Token: "1.-1"},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := l.List(t.Context(), in); fault.KindOf(err) != fault.Invalid {
				t.Errorf("got %v, want invalid", err)
			}
		})
	}
}

func TestLookupEvents(t *testing.T) {
	l := busy(t)
	for name, c := range map[string]struct{ key, value, want string }{
		"id":            {"EventId", "denied", "denied"},
		"name":          {"EventName", "GetParameters", "list"},
		"source":        {"EventSource", "sns.amazonaws.com", "create sns"},
		"user":          {"Username", "hello-role", "sns denied shallow deep path get"},
		"root":          {"Username", "root", "create"},
		"access key":    {"AccessKeyId", "AKIAALICE", "similar arn list put"},
		"writing":       {"ReadOnly", "false", "create sns arn put"},
		"resource":      {"ResourceName", "arn:aws:ssm:us-east-1:000000000000:parameter/app/db", "arn"},
		"its name":      {"ResourceName", "app/db", "arn"},
		"resource type": {"ResourceType", "AWS::SSM::Parameter", "arn"},
		"none":          {"EventName", "get\"", ""},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := l.LookupEvents(t.Context(), audit.LookupEventsInput{LookupAttributes: []audit.LookupAttribute{{AttributeKey: c.key, AttributeValue: c.value}}})
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, e := range out.Events {
				got = append(got, e.EventId)
			}
			if got := strings.Join(got, " "); got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestALookedUpEvent(t *testing.T) {
	l, one := busy(t), 1
	start, end := wire.At(time.Date(2000, 1, 1, 2, 0, 0, 0, time.UTC)), wire.At(time.Date(2000, 1, 1, 2, 10, 0, 0, time.UTC))
	out, err := l.LookupEvents(t.Context(), audit.LookupEventsInput{StartTime: &start, EndTime: &end, MaxResults: &one})
	if err != nil || len(out.Events) != 1 || out.NextToken == "" {
		t.Fatalf("got %+v, %v", out, err)
	}
	text := out.Events[0].CloudTrailEvent
	out.Events[0].CloudTrailEvent = ""
	want := audit.LookedUp{
		EventId: "arn", EventName: "AddTagsToResource", ReadOnly: "false", AccessKeyId: "AKIAALICE", EventTime: start,
		EventSource: "ssm.amazonaws.com", Username: "alice",
		Resources: []audit.LookedUpResource{{ResourceType: "AWS::SSM::Parameter", ResourceName: "arn:aws:ssm:us-east-1:000000000000:parameter/app/db"}},
	}
	if diff := cmp.Diff(want, out.Events[0]); diff != "" {
		t.Error(diff)
	}
	var record map[string]any
	if err := json.Unmarshal([]byte(text), &record); err != nil {
		t.Fatal(err)
	}
	for member, want := range map[string]string{
		"eventVersion": "1.11", "eventTime": "2000-01-01T02:00:00Z", "eventType": "AwsApiCall", "eventCategory": "Management",
		"recipientAccountId": "000000000000", "eventID": "arn", "requestParameters": "<nil>", "managementEvent": "true",
	} {
		if got := fmt.Sprint(record[member]); got != want {
			t.Errorf("%s: got %s, want %s", member, got, want)
		}
	}
}

func TestLookupEventsRefuses(t *testing.T) {
	l, many := busy(t), 51
	early, later := wire.At(time.Unix(1, 0)), wire.At(time.Unix(2, 0))
	a := audit.LookupAttribute{AttributeKey: "EventName", AttributeValue: "x"}
	for code, in := range map[string]audit.LookupEventsInput{
		"InvalidMaxResultsException":       {MaxResults: &many},
		"InvalidTimeRangeException":        {StartTime: &later, EndTime: &early},
		"InvalidEventCategoryException":    {EventCategory: "data"},
		"InvalidNextTokenException":        {NextToken: "?"},
		"InvalidLookupAttributesException": {LookupAttributes: []audit.LookupAttribute{a, a}},
	} {
		if _, err := l.LookupEvents(t.Context(), in); fault.CodeOf(err) != code {
			t.Errorf("got %v, want %s", err, code)
		}
	}
	_, err := l.LookupEvents(t.Context(), audit.LookupEventsInput{LookupAttributes: []audit.LookupAttribute{{AttributeKey: "Colour", AttributeValue: "x"}}})
	if fault.CodeOf(err) != "InvalidLookupAttributesException" {
		t.Errorf("unknown key: got %v", err)
	}
}

func TestLongLinesAreReadBackwards(t *testing.T) {
	l := open(t, t.TempDir())
	for i := range 12 {
		e := event(i)
		e.RequestParameters = map[string]any{"name": strings.Repeat("x", 200_000)}
		if err := l.Append(t.Context(), e); err != nil {
			t.Fatal(err)
		}
	}
	got := records(t, l, audit.ListInput{})
	if len(got) != 12 || got[0].RequestID != "r11" || got[11].RequestID != "r0" {
		t.Errorf("got %d", len(got))
	}
}
