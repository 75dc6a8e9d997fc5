package cloudformation_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/cloudformation"
	"github.com/dropstack/dropstack/internal/fault"
)

// made is a template with a custom resource of a size, whose attribute a topic shows.
func made(size any) string {
	return fmt.Sprintf(`
Resources:
  Maker: {Type: "AWS::Lambda::Function"}
  Disk: {Type: "Custom::Disk", Properties: {ServiceToken: !GetAtt Maker.Arn, Size: %v}}
  Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: disks, DisplayName: !Sub "${Disk} ${Disk.Bytes}"}}
Outputs:
  Bytes: {Value: !GetAtt Disk.Bytes}
`, size)
}

const withoutMade = `Resources: {Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: disks, DisplayName: none}}}`

// disks makes disks of which the name has the size once it is over 9; 13 fails.
func disks(r map[string]any) (cloudformation.Answer, error) {
	size, _ := r["ResourceProperties"].(map[string]any)["Size"].(string)
	name := "disk"
	if len(size) > 1 {
		name += size
	}
	if size == "13" && r["RequestType"] != "Delete" {
		return cloudformation.Answer{Status: "FAILED", Reason: "thirteen brings bad luck"}, nil
	}
	return cloudformation.Answer{Status: "SUCCESS", PhysicalResourceId: name, Data: map[string]any{"Bytes": size + "000"}}, nil
}

func TestFunctionsMakeCustomResources(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.does = disks
		expect := func(status, calls, topics string) {
			t.Helper()
			if got := w.status(t, "app"); got != status {
				t.Errorf("got %s, want %s\n%s", got, status, w.story(t, "app"))
			}
			if diff := cmp.Diff(calls, w.calls()); diff != "" {
				t.Error(diff)
			}
			if got := w.topics("app"); got != topics {
				t.Errorf("topics: got %s, want %s", got, topics)
			}
		}
		w.create(t, "app", made(1))
		expect("CREATE_COMPLETE", "Create Disk <nil> 1 was <nil>", "disks disk 1000")
		want := `app CREATE_IN_PROGRESS
Disk CREATE_IN_PROGRESS
Disk CREATE_COMPLETE
Maker CREATE_IN_PROGRESS
Topic CREATE_IN_PROGRESS
Maker CREATE_COMPLETE
Topic CREATE_COMPLETE
app CREATE_COMPLETE
`
		if diff := cmp.Diff(want, w.story(t, "app")); diff != "" {
			t.Error(diff)
		}

		w.update(t, "app", made(2))
		expect("UPDATE_COMPLETE", "Update Disk disk 2 was 1", "disks disk 2000")

		w.update(t, "app", strings.ReplaceAll(made(2), "Outputs", "  More: {Type: \"AWS::SNS::Topic\", Properties: {TopicName: more}}\nOutputs"))
		expect("UPDATE_COMPLETE", "", "more, disks disk 2000") // it is as it was

		w.update(t, "app", made(10))
		expect("UPDATE_COMPLETE", "Update Disk disk 10 was 2\nDelete Disk disk 2 was <nil>", "disks disk10 10000") // another took its place

		w.update(t, "app", made(13))
		expect("UPDATE_ROLLBACK_COMPLETE", "Update Disk disk10 13 was 10\nUpdate Disk disk10 10 was 13", "disks disk10 10000")
		if story := w.story(t, "app"); !strings.Contains(story, "Disk UPDATE_FAILED: Received response status [FAILED] from custom resource. Message returned: thirteen brings bad luck\n") {
			t.Errorf("the reason is not told: %s", story)
		}

		w.update(t, "app", withoutMade)
		expect("UPDATE_COMPLETE", "Delete Disk disk10 10 was <nil>", "disks none")
		if r, _ := w.Active("app"); len(r.Functions) > 0 {
			t.Error("the function that made the disk is still there")
		}
		w.update(t, "app", made(1))
		expect("UPDATE_COMPLETE", "Create Disk <nil> 1 was <nil>", "disks disk 1000")
		must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"}))
		expect("Stack with id app does not exist", "Delete Disk disk 1 was <nil>", "no stack")
	})
}

func TestFunctionsThatDoNotMakeCustomResources(t *testing.T) {
	for name, c := range map[string]struct {
		does   func(r map[string]any) (cloudformation.Answer, error)
		reason string
		waits  time.Duration
	}{
		"it fails": {func(map[string]any) (cloudformation.Answer, error) {
			return cloudformation.Answer{}, errors.New("it crashed")
		}, "CloudFormation did not receive a response from your Custom Resource: it crashed", 0},
		"it is silent": {func(map[string]any) (cloudformation.Answer, error) { return cloudformation.Answer{}, nil }, "CloudFormation did not receive a response from your Custom Resource within 1h0m0s", 2 * time.Hour},
		"without a name": {func(map[string]any) (cloudformation.Answer, error) {
			return cloudformation.Answer{Status: "SUCCESS"}, nil
		}, "Invalid PhysicalResourceId", 0},
		"it refuses": {func(map[string]any) (cloudformation.Answer, error) {
			return cloudformation.Answer{Status: "FAILED", Reason: "no"}, nil
		}, "Received response status [FAILED] from custom resource. Message returned: no", 0},
	} {
		t.Run(name, func(t *testing.T) {
			in(t, func(t *testing.T, w *world) {
				w.does = func(r map[string]any) (cloudformation.Answer, error) {
					if r["RequestType"] == "Delete" {
						return cloudformation.Answer{Status: "SUCCESS"}, nil
					}
					return c.does(r)
				}
				w.create(t, "app", made(1))
				time.Sleep(c.waits) // no time, in the bubble
				if got, want := w.status(t, "app"), "ROLLBACK_COMPLETE"; got != want {
					t.Errorf("got %s, want %s", got, want)
				}
				if story := w.story(t, "app"); !strings.Contains(story, "Disk CREATE_FAILED: "+c.reason) {
					t.Errorf("got %s, want the reason %s", story, c.reason)
				}
				if got := w.topics("app"); got != "no stack" {
					t.Errorf("still there: %s", got)
				}
			})
		})
	}
}

func TestAnAnswerIsGivenOnce(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		var token string
		w.does = func(r map[string]any) (cloudformation.Answer, error) {
			token = strings.TrimPrefix(r["ResponseURL"].(string), "test:")
			return disks(r)
		}
		w.create(t, "app", made(1))
		for _, token := range []string{token, "guess", ""} {
			if err := w.Answer(token, []byte(`{"Status":"FAILED"}`)); fault.KindOf(err) != fault.NotFound {
				t.Errorf("an answer at %q: %v", token, err)
			}
		}
		if err := w.Answer(token, make([]byte, 5000)); fault.KindOf(err) != fault.TooLarge {
			t.Errorf("a long answer: %v", err)
		}
	})
}
