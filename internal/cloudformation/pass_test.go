package cloudformation

import (
	"context"
	"encoding/json"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/arn"
	"github.com/dropstack/dropstack/internal/deploy"
)

// standing is a deployer that has deployed nothing but what the kinds stand on.
type standing struct {
	Deployer
	*ground
}

func (b standing) Active(stack string) (*deploy.Revision, bool) {
	r, ok := b.stacks[stack]
	return r, ok
}

func (b standing) List() map[string]*deploy.Revision { return b.stacks }

func (standing) Preview(context.Context, *deploy.Revision) (*deploy.Diff, error) { return nil, nil }

func TestTheTemplateOfTheFramework(t *testing.T) {
	doc, err := os.ReadFile("testdata/framework.json")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.NewReplacer("123456789012", arn.Account, `"arm64"`, `"`+map[string]string{"amd64": "x86_64", "arm64": "arm64"}[runtime.GOARCH]+`"`).Replace(string(doc))
	_, g := framework(t)
	s := &Stacks{Deployer: standing{ground: g}, Platform: g, Region: arn.Region}
	st := s.fresh("droplr-api-dev")
	work := func(text string) (*pass, order, error) {
		o := order{Template: text}
		tpl, err := Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := s.plan(t.Context(), st, &o, tpl, nil)
		return p, o, err
	}

	// as it is, the table is all that is in the way
	_, _, err = work(text)
	if want := "UploadsTable (AWS::DynamoDB::Table): AWS::DynamoDB::Table is not deployed here: "; err == nil || !strings.HasPrefix(err.Error(), want) || strings.Contains(err.Error(), "\n") {
		t.Errorf("got  %v\nwant %s", err, want)
	}

	var whole map[string]any
	if err := json.Unmarshal([]byte(text), &whole); err != nil {
		t.Fatal(err)
	}
	resources := whole["Resources"].(map[string]any)
	delete(resources, "UploadsTable")
	delete(resources, "WorkerEventSourceMappingDynamodbUploadsTable")
	without(resources, "UploadsTable", "arn:aws:dynamodb:us-east-1:"+arn.Account+":table/uploads-dev")
	p, o, err := work(raw(whole))
	if err != nil {
		t.Fatal(err)
	}
	if got, want := len(p.resources), len(resources); got != want {
		t.Errorf("%d resources of %d", got, want)
	}
	outputs := map[string]deploy.Output{}
	for _, out := range p.plan.revision.Answering(func(string) string { return "http://edge" }) {
		outputs[out.Key] = out
	}
	if got, want := len(outputs), len(whole["Outputs"].(map[string]any)); got != want {
		t.Errorf("%d outputs of %d", got, want)
	}
	for key, want := range map[string]string{
		"ServiceEndpoint": "http://edge/dev", "HttpApiUrl": "http://edge", "UploadTopicArn": outputs["UploadTopicArn"].Value,
		"SharedLambdaLayerHash": "bde70da19104ac1221de10e5255f80f423732c13",
	} {
		if got := outputs[key].Value; got != want {
			t.Errorf("%s: got %s, want %s", key, got, want)
		}
	}
	if got, want := outputs["ServiceEndpoint"].Export, "sls-droplr-api-dev-ServiceEndpoint"; got != want {
		t.Errorf("the export is %s, want %s", got, want)
	}

	// worked out again over itself, it changes nothing
	st.Resources, st.Outputs = p.resources, p.plan.revision.Outputs
	g.stacks[st.Name] = p.plan.revision
	again, _, err := work(raw(whole))
	if err != nil {
		t.Fatal(err)
	}
	if differs(st, again, o) {
		t.Errorf("it changes %+v", changes(st, again))
	}
}
