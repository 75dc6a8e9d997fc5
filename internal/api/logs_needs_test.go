package api

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/logs/ingest"
	"github.com/dropstack/dropstack/internal/logs/query"
	"github.com/dropstack/dropstack/internal/logs/tail"
)

// twoGroups is the log store of those that read which groups there are.
type twoGroups struct{}

func (twoGroups) LogFields(context.Context, query.LogFieldsInput) (query.LogFieldsOutput, error) {
	return query.LogFieldsOutput{}, nil
}

func (twoGroups) Matching(_ context.Context, name string) []string {
	if name == "*" {
		return []string{"/a", "/b"}
	}
	return []string{name}
}

func needed(needs []Need) (list []string) {
	for _, n := range needs {
		list = append(list, n.Action+" "+n.Resource)
	}
	return list
}

func TestWhatReadersOfLogsMustBeAllowed(t *testing.T) {
	group := func(name string) string {
		return "arn:aws:logs:" + arn.Region + ":" + arn.Account + ":log-group:" + name + ":*"
	}
	l, c := &Logs{Region: arn.Region}, &Control{LogFields: twoGroups{}}
	for name, x := range map[string]struct {
		needs []Need
		want  []string
	}{
		"following a group":        {l.tailed(tail.StartLiveTailInput{LogGroupIdentifiers: []string{"/a"}}), []string{" " + group("/a")}},
		"following many":           {l.tailed(tail.StartLiveTailInput{LogGroupIdentifiers: []string{"/a*"}}), []string{"dropstack:TailLogs "}},
		"following many by an ARN": {l.tailed(tail.StartLiveTailInput{LogGroupIdentifiers: []string{group("/a*")}}), []string{"dropstack:TailLogs "}},
		"the fields of a group":    {c.logFieldsNeeds(t.Context(), query.LogFieldsInput{Groups: []string{"/a"}}), []string{" ", "logs:FilterLogEvents " + group("/a"), "logs:FilterLogEvents " + group("/a")}},
		"the fields of all groups": {c.logFieldsNeeds(t.Context(), query.LogFieldsInput{}), []string{" ", "logs:FilterLogEvents " + group("/a"), "logs:FilterLogEvents " + group("/b"), "logs:FilterLogEvents " + group("*")}},
		"an import":                {importNeeds(ingest.Input{Bucket: "b", Key: "k"}), []string{" arn:aws:s3:::b/k", "s3:GetObject arn:aws:s3:::b/k"}},
		"an import to some group":  {importNeeds(ingest.Input{Bucket: "b", Key: "k", Group: "/a"}), []string{" arn:aws:s3:::b/k", "s3:GetObject arn:aws:s3:::b/k", "logs:PutLogEvents " + group("/a")}},
	} {
		if diff := cmp.Diff(x.want, needed(x.needs)); diff != "" {
			t.Errorf("%s: want - got +\n%s", name, diff)
		}
	}
}
