package audit_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/wire"
)

type tag struct {
	Key, Value string
}

type page struct {
	MaxResults int    `json:",omitempty"`
	NextToken  string `json:",omitempty"`
}

type putInput struct {
	page
	Paging
	Name                 string   `json:",omitempty"`
	Value                string   `json:",omitempty" audit:"hidden"`
	Passwords            []string `audit:"hidden"`
	Overwrite            *bool
	KeyId                string
	DBInstanceIdentifier string
	Tags                 []tag
	Nested               *struct{ Inner secretive }
	Attributes           map[string]string
	Plaintext            []byte
	Document             json.RawMessage
	LastModifiedDate     wire.Time
	Expires              *time.Time
	Weight               float64
	Renamed              string `json:"renamedTo"`
	Unsent               string `json:"-"`
	Callback             func()
	Recursive            *putInput
	Any                  any
	private              string
}

// Paging is embedded.
type Paging struct{ Marker string }

type secretive struct {
	Token string `audit:"hidden"`
	Plain string
}

func TestParameters(t *testing.T) {
	no, at := false, time.Date(2026, 11, 26, 12, 0, 0, 0, time.UTC)
	deep := &putInput{Name: "12"}
	for range 12 {
		deep = &putInput{Recursive: deep}
	}
	many := make([]tag, 150)
	for i := range many {
		many[i].Key = "k"
	}
	for name, c := range map[string]struct {
		in   any
		want map[string]any
	}{
		"nothing":               {nil, nil},
		"nil pointer":           {(*putInput)(nil), nil},
		"no struct":             {"text", nil},
		"empty":                 {putInput{}, nil},
		"secrets of a map":      {putInput{Attributes: map[string]string{"HeaderName": "X-Secret", "HeaderValue": "s"}}, map[string]any{"attributes": map[string]any{"HeaderName": "X-Secret", "HeaderValue": audit.Hidden}}},
		"pointer to it":         {&putInput{Name: "n"}, map[string]any{"name": "n"}},
		"hidden text":           {putInput{Name: "/p", Value: "s3cret"}, map[string]any{"name": "/p", "value": audit.Hidden}},
		"hidden list":           {putInput{Passwords: []string{"a"}}, map[string]any{"passwords": audit.Hidden}},
		"hidden deep inside":    {putInput{Nested: &struct{ Inner secretive }{secretive{"t", "p"}}}, map[string]any{"nested": map[string]any{"inner": map[string]any{"token": audit.Hidden, "plain": "p"}}}},
		"hidden in an any":      {putInput{Any: []secretive{{"t", ""}}}, map[string]any{"any": []any{map[string]any{"token": audit.Hidden}}}},
		"hidden by its name":    {struct{ SecretAccessKey, UserName string }{"s3cret", "u"}, map[string]any{"secretAccessKey": audit.Hidden, "userName": "u"}},
		"explicit false":        {putInput{Overwrite: &no}, map[string]any{"overwrite": false}},
		"only the first letter": {putInput{KeyId: "k", DBInstanceIdentifier: "d"}, map[string]any{"keyId": "k", "dBInstanceIdentifier": "d"}},
		"name of the wire":      {putInput{Renamed: "r", Unsent: "u"}, map[string]any{"renamedTo": "r"}},
		"blobs":                 {putInput{Plaintext: []byte("s3cret"), Document: json.RawMessage(`{"a":1}`)}, nil},
		"list of structs":       {putInput{Tags: []tag{{"a", "b"}}}, map[string]any{"tags": []any{map[string]any{"key": "a", "value": "b"}}}},
		"map keeps its keys":    {putInput{Attributes: map[string]string{"Upper": "x"}}, map[string]any{"attributes": map[string]any{"Upper": "x"}}},
		"hidden in a map":       {putInput{Any: map[string]any{"HeaderName": "X-Key", "HeaderValue": "s3cret"}}, map[string]any{"any": map[string]any{"HeaderName": "X-Key", "HeaderValue": audit.Hidden}}},
		"times": {
			putInput{LastModifiedDate: wire.At(at), Expires: &at},
			map[string]any{"lastModifiedDate": "2026-11-26T12:00:00Z", "expires": "2026-11-26T12:00:00Z"},
		},
		"embedded":           {putInput{page: page{MaxResults: 3}, Paging: Paging{"m"}}, map[string]any{"maxResults": int64(3), "marker": "m"}},
		"neither functions":  {putInput{Callback: func() {}, private: "p"}, nil},
		"number":             {putInput{Weight: 0.5}, map[string]any{"weight": 0.5}},
		"long text":          {putInput{Name: strings.Repeat("é", 1000)}, map[string]any{"name": strings.Repeat("é", 512) + "…"}},
		"empty list":         {putInput{Tags: []tag{}}, nil},
		"pointers to itself": {deep, nestedParameters(8)},
	} {
		t.Run(name, func(t *testing.T) {
			got := audit.Parameters(c.in)
			if diff := cmp.Diff(c.want, got); diff != "" {
				t.Error(diff)
			}
			doc, err := json.Marshal(got)
			if err != nil || strings.Contains(string(doc), "s3cret") {
				t.Errorf("%s, %v", doc, err)
			}
		})
	}
	list := audit.Parameters(putInput{Tags: many})["tags"].([]any)
	if len(list) != 101 || list[100] != "… and 50 more" {
		t.Errorf("a long list: got %d, %v", len(list), list[len(list)-1])
	}
}

func nestedParameters(depth int) map[string]any {
	if depth == 0 {
		return map[string]any{"recursive": "…"}
	}
	return map[string]any{"recursive": nestedParameters(depth - 1)}
}

func TestTypesOfResources(t *testing.T) {
	l := open(t, t.TempDir())
	want := map[string]string{
		"arn:aws:ssm:us-east-1:000000000000:parameter/app/db":     "AWS::SSM::Parameter",
		"arn:aws:kms:us-east-1:000000000000:key/1234":             "AWS::KMS::Key",
		"arn:aws:kms:us-east-1:000000000000:alias/app":            "AWS::KMS::Alias",
		"arn:aws:iam::000000000000:role/hello":                    "AWS::IAM::Role",
		"arn:aws:lambda:us-east-1:000000000000:function:hello":    "AWS::Lambda::Function",
		"arn:aws:sns:us-east-1:000000000000:topic":                "AWS::SNS::Topic",
		"arn:aws:s3:::bucket":                                     "AWS::S3::Bucket",
		"arn:aws:s3:::bucket/key":                                 "AWS::S3::Object",
		"arn:aws:dropstack:us-east-1:000000000000:stack/some-dev": "",
		"*": "",
	}
	e := event(1)
	for name := range want {
		e.Resources = append(e.Resources, audit.Resource{ARN: name})
	}
	if err := l.Append(t.Context(), e); err != nil {
		t.Fatal(err)
	}
	for _, r := range records(t, l, audit.ListInput{})[0].Resources {
		if r.Type != want[r.ARN] {
			t.Errorf("%s: got %q, want %q", r.ARN, r.Type, want[r.ARN])
		}
	}
}
