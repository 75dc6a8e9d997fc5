package lambda_test

import (
	"context"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/lambda"
)

// stacks are revisions that edits change at once.
type stacks map[string]*deploy.Revision

func (s stacks) List() map[string]*deploy.Revision { return s }

func (s stacks) Edit(_ context.Context, stack string, change func(*deploy.Revision) error) (*deploy.Revision, error) {
	return s[stack], change(s[stack])
}

func TestLayersOfTemplatesAreListedBesideThoseOfCalls(t *testing.T) {
	layer := func(name string, version int) deploy.Layer {
		return deploy.Layer{Name: name, Version: version, ARN: "arn:aws:lambda:us-east-1:000000000000:layer:" + name + ":" + string(rune('0'+version))}
	}
	all := stacks{
		deploy.APIStack: {Layers: []deploy.Layer{layer("a", 1), layer("b", 1)}},
		"shop-dev":      {Layers: []deploy.Layer{layer("a", 3)}},
	}
	l := &lambda.Functions{Deployer: all, Region: "us-east-1"}
	listed := func() (names []string) {
		t.Helper()
		out, err := l.ListLayers(t.Context(), lambda.LayersInput{})
		if err != nil {
			t.Fatal(err)
		}
		for _, item := range out.Layers {
			names = append(names, item.LatestMatchingVersion.LayerVersionArn)
		}
		return names
	}
	if diff := cmp.Diff([]string{layer("a", 3).ARN, layer("b", 1).ARN}, listed()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	got, err := l.GetLayerVersion(t.Context(), lambda.LayerInput{LayerName: "a", VersionNumber: 3})
	if err != nil || got.Version != 3 {
		t.Errorf("got %+v, %v", got, err)
	}
	if _, err := l.DeleteLayerVersion(t.Context(), lambda.LayerInput{LayerName: "a", VersionNumber: 3}); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{layer("a", 1).ARN, layer("b", 1).ARN}, listed()); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
