package api_test

import (
	"context"
	"flag"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/api"
	"github.com/dropstack/dropstack/internal/audit"
	"github.com/dropstack/dropstack/internal/edge/certificate"
	"github.com/dropstack/dropstack/internal/event"
	"github.com/dropstack/dropstack/internal/queue"
)

var update = flag.Bool("update", false, "write what docs/aws.md has to list")

// refused are the operations that are there to say why they cannot be.
var refused = map[string][]string{"apigateway": {"CreateStage"}}

type noRecords struct{}

func (noRecords) LookupEvents(context.Context, audit.LookupEventsInput) (audit.LookupEventsOutput, error) {
	return audit.LookupEventsOutput{}, nil
}

// docs/aws.md lists the operations that the tables have.
func TestTheListOfOperations(t *testing.T) {
	const path, begin, end = "../../docs/aws.md", "| service | operations |\n|---|---|\n", "\n\n"
	tables := map[string]*api.Service{
		"API Gateway":    api.APIGateway(nil, ""),
		"ACM":            api.ACM(certificate.ACM{}),
		"CloudFront":     api.CloudFront(nil),
		"CloudFormation": api.CloudFormation(nil), "ECR": api.ECR(),
		"CloudTrail": (&api.CloudTrail{Trail: noRecords{}}).Service(), "CodeDeploy": api.CodeDeploy(nil), "CloudWatch": (&api.CloudWatch{}).Service(),
		"CloudWatch Logs": (&api.Logs{}).Service(), "EventBridge": (&api.Events{Rules: &event.Rules{}}).Service(),
		"IAM": api.IAM(nil), "KMS": api.KMS(nil), "Parameter Store": api.SSM(nil), "SNS": (&api.SNS{}).Service(),
		"SQS": (&api.SQS{Queues: &queue.Queues{}}).Service(), "STS": api.STS(nil), "EventBridge Scheduler": (&api.Scheduler{}).Service(),
		"WAFv2": api.Firewall(nil),
	}
	lines := []string{line("Lambda", "lambda", api.LambdaOperations())}
	for name, s := range tables {
		lines = append(lines, line(name, s.Scope, slices.DeleteFunc(s.Names(), func(o string) bool { return slices.Contains(refused[s.Scope], o) })))
	}
	slices.Sort(lines)
	want := strings.Join(lines, "\n")

	doc, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(doc), begin)
	got, after, closed := strings.Cut(rest, end)
	if !found || !closed {
		t.Fatalf("%s has no table of operations, which begins with %q", path, begin)
	}
	if got == want {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(before+begin+want+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("%s lists other operations than there are; run this test with -update (-doc +tables):\n%s", path, cmp.Diff(strings.Split(got, "\n"), lines))
}

func line(name, scope string, operations []string) string {
	return "| " + name + " (`" + scope + "`) | " + strings.Join(operations, ", ") + " |"
}
