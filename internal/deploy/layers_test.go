package deploy_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/engine/enginetest"
	"github.com/dropstack/dropstack/internal/fault"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/gateway"
)

const baseLayer = "arn:aws:lambda:us-east-1:000000000000:layer:base:"

// layered is a stack with a layer called base, an output with its name and a
// function that has it.
func layered(stack, sha, layer string) *deploy.Revision {
	return &deploy.Revision{
		Stack: stack, Service: "s", Stage: "dev", Region: "us-east-1",
		Layers:  []deploy.Layer{{Name: "base", ARN: baseLayer + "1", Artifact: layer}},
		Outputs: []deploy.Output{{Key: "Base", Value: baseLayer + "1"}},
		Functions: []function.Function{{
			Stack: stack, Name: stack + "-f", Artifact: sha, Layers: []string{layer}, LayerARNs: []string{baseLayer + "1"},
		}},
	}
}

func TestLayersAreNumberedWhenTheyAreDeployed(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	d.LayerRoot = filepath.Join(t.TempDir(), "layers")
	sha, first, second := s.artifact(t), s.zip(t, "first"), s.zip(t, "second")
	for _, step := range []struct {
		name, stack, layer string
		retain             bool
		want               []string // ARNs of the stack's layers
	}{
		{"the first", "a-dev", first, false, []string{"1"}},
		{"unchanged", "a-dev", first, true, []string{"1"}},
		{"of the same name in another stack", "b-dev", first, false, []string{"2"}},
		{"changed, the first stays", "a-dev", second, false, []string{"3", "1"}},
		{"changed back, which is another", "a-dev", first, false, []string{"1"}},
	} {
		r := layered(step.stack, sha, step.layer)
		r.Layers[0].Retain = step.retain
		next, err := d.Deploy(t.Context(), r)
		if err != nil {
			t.Fatalf("%s: %v", step.name, err)
		}
		var got []string
		for _, l := range next.Layers {
			got = append(got, l.ARN[len(baseLayer):])
		}
		if !slices.Equal(got, step.want) {
			t.Errorf("%s: got versions %v, want %v", step.name, got, step.want)
		}
		f := next.Functions[0]
		if want := next.Layers[0].ARN; f.LayerARNs[0] != want || next.Outputs[0].Value != want || f.Layers[0] != step.layer {
			t.Errorf("%s: the function has %v %v, the output is %s; want %s", step.name, f.LayerARNs, f.Layers, next.Outputs[0].Value, want)
		}
		if r.Layers[0].Version != 0 {
			t.Errorf("%s: what was handed in has changed", step.name)
		}
	}
}

func TestLayersOfOtherStacks(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	d.LayerRoot = filepath.Join(t.TempDir(), "layers")
	sha, layer := s.artifact(t), s.zip(t, "first")
	user := revision(sha, []string{"f 1"})
	user.Functions[0].Layers, user.Functions[0].LayerARNs = []string{""}, []string{baseLayer + "1"}
	_, err := d.Deploy(t.Context(), user)
	if want := "function f: there is no layer " + baseLayer + "1; deploy the service that has it first, or publish it"; fault.KindOf(err) != fault.Invalid || err.Error() != want {
		t.Errorf("without the layer: got %v", err)
	}
	if _, err := d.Deploy(t.Context(), layered("a-dev", sha, layer)); err != nil {
		t.Fatal(err)
	}
	next, err := d.Deploy(t.Context(), user)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{layer}, next.Functions[0].Layers); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestAPIKeysKeepTheValuesThatTheyWereGiven(t *testing.T) {
	s, h := shelf{}, newHouse()
	d := deployer(t, enginetest.Streams(t), s, h)
	r := revision(s.artifact(t), []string{"f 1"})
	r.APIKeys = []gateway.APIKey{{Stack: "s-dev", ID: "a", Name: "made"}, {Stack: "s-dev", ID: "b", Name: "given", Value: "01234567890123456789"}}
	first, err := d.Deploy(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if got := first.APIKeys; len(got[0].Value) != 40 || got[1].Value != r.APIKeys[1].Value {
		t.Errorf("got %q and %q", got[0].Value, got[1].Value)
	}
	second, err := d.Deploy(t.Context(), r)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(first.APIKeys, second.APIKeys); diff != "" {
		t.Errorf("again -want +got:\n%s", diff)
	}
}
