package cloudformation_test

import (
	"strings"
	"testing"

	"github.com/dropstack/dropstack/internal/cloudformation"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/function"
	"github.com/dropstack/dropstack/internal/logs"
)

const groups = `
Resources:
  Own: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: own}}
  Kept: {Type: "AWS::Logs::LogGroup", DeletionPolicy: Retain, Properties: {LogGroupName: kept}}
  Shared: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: shared}}
  Used: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: /aws/lambda/native-f}}
  Missing: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: missing}}
`

func TestLogGroupsGoWithTheirStack(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		if _, err := w.Deploy(t.Context(), &deploy.Revision{
			Stack: "native", LogGroups: []logs.Declared{{Name: "shared"}}, Functions: []function.Function{{Name: "native-f"}},
		}); err != nil {
			t.Fatal(err)
		}
		w.create(t, "app", groups)
		w.update(t, "app", groups+`
  Late: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: late}}
`)
		if got := w.gone(); got != "" {
			t.Errorf("an update that leaves all groups has deleted %s", got)
		}
		w.update(t, "app", strings.Replace(groups, "  Own:", "  Renamed:", 1))
		if got, want := w.gone(), "late"; got != want {
			t.Errorf("an update has deleted %q, want %q: one resource is gone, and one has another logical id", got, want)
		}
		must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"}))
		if got, want := w.gone(), "own"; got != want {
			t.Errorf("the stack's end has deleted %q, want %q", got, want)
		}
		if got := w.status(t, "app"); !strings.Contains(got, "does not exist") {
			t.Errorf("the stack is %s", got)
		}
	})
}

func TestAProtectedLogGroupKeepsItsStack(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.create(t, "app", `
Resources:
  G: {Type: "AWS::Logs::LogGroup", Properties: {LogGroupName: protected, DeletionProtectionEnabled: true}}
`)
		if r, _ := w.Active("app"); r.LogGroups[0].Protected == nil || !*r.LogGroups[0].Protected {
			t.Errorf("declared as %+v", r.LogGroups)
		}
		must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"}))
		if got, want := w.status(t, "app"), "DELETE_FAILED"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		again := cloudformation.DeleteStackInput{StackName: "app", RetainResources: []string{"G"}}
		must[cloudformation.None](t)(w.DeleteStack(t.Context(), again))
		if got := w.status(t, "app"); !strings.Contains(got, "does not exist") || w.gone() != "" {
			t.Errorf("the stack is %s", got)
		}
	})
}
