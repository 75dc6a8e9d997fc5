package cloudformation_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/cloudformation"
	"github.com/dropstack/dropstack/internal/deploy"
)

const small = `
Resources:
  Bucket: {Type: "AWS::S3::Bucket"}
  Topic:
    Type: AWS::SNS::Topic
    Properties: {TopicName: !Sub "${Bucket}-news"}
Outputs:
  BucketName: {Value: !Ref Bucket, Export: {Name: !Sub "${AWS::StackName}-bucket"}}
`

func TestAStackOfItsTemplate(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.create(t, "app-dev", small)
		want := `app-dev CREATE_IN_PROGRESS
Bucket CREATE_IN_PROGRESS
Topic CREATE_IN_PROGRESS
Bucket CREATE_COMPLETE
Topic CREATE_COMPLETE
app-dev CREATE_COMPLETE
`
		if diff := cmp.Diff(want, w.story(t, "app-dev")); diff != "" {
			t.Error(diff)
		}
		if got, want := w.topics("app-dev"), "app-dev-bucket-news"; got != want {
			t.Errorf("topics: got %s, want %s", got, want)
		}
		if err := w.HasBucket(t.Context(), "app-dev-bucket"); err != nil {
			t.Error(err)
		}
		if r, _ := w.Active("app-dev"); r.Owner != deploy.OwnerCloudFormation {
			t.Errorf("the revision belongs to %q", r.Owner)
		}
		out, err := w.DescribeStackResource(t.Context(), cloudformation.DescribeStackResourceInput{StackName: "app-dev", LogicalResourceId: "Bucket"})
		if err != nil || out.StackResourceDetail.PhysicalResourceId != "app-dev-bucket" || out.StackResourceDetail.ResourceStatus != "CREATE_COMPLETE" {
			t.Errorf("got %+v, %v", out, err)
		}

		w.update(t, "app-dev", `
Resources:
  Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: app-dev-bucket-news, DisplayName: new}}
  Other: {Type: "AWS::SNS::Topic", Properties: {TopicName: other}}
`)
		want += `app-dev UPDATE_IN_PROGRESS
Other CREATE_IN_PROGRESS
Topic UPDATE_IN_PROGRESS
Other CREATE_COMPLETE
Topic UPDATE_COMPLETE
app-dev UPDATE_COMPLETE_CLEANUP_IN_PROGRESS
Bucket DELETE_IN_PROGRESS
Bucket DELETE_COMPLETE
app-dev UPDATE_COMPLETE
`
		if diff := cmp.Diff(want, w.story(t, "app-dev")); diff != "" {
			t.Error(diff)
		}
		if got, want := w.topics("app-dev"), "other, app-dev-bucket-news new"; got != want {
			t.Errorf("topics: got %s, want %s", got, want)
		}
		if err := w.HasBucket(t.Context(), "app-dev-bucket"); err == nil {
			t.Error("the bucket is still there")
		}

		id := must[cloudformation.DescribeStacksOutput](t)(w.DescribeStacks(t.Context(), cloudformation.DescribeStacksInput{StackName: "app-dev"})).Stacks[0].StackId
		must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app-dev"}))
		want += `app-dev DELETE_IN_PROGRESS
Topic DELETE_IN_PROGRESS
Other DELETE_IN_PROGRESS
Topic DELETE_COMPLETE
Other DELETE_COMPLETE
app-dev DELETE_COMPLETE
`
		if diff := cmp.Diff(want, w.story(t, id)); diff != "" {
			t.Error(diff)
		}
		if got, want := w.status(t, "app-dev"), "Stack with id app-dev does not exist"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if got := w.topics("app-dev"); got != "no stack" {
			t.Errorf("still deployed: %s", got)
		}
	})
}

func TestWhatGoesWrongIsTakenBack(t *testing.T) {
	broken := func(r *deploy.Revision) error {
		if strings.Contains(r.Topics[0].DisplayName, "broken") {
			return errors.New(`topic "broken" has no room`)
		}
		return nil
	}
	const template = `
Resources:
  Bucket: {Type: "AWS::S3::Bucket"}
  Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: broken, DisplayName: broken}}
`
	t.Run("a creation", func(t *testing.T) {
		in(t, func(t *testing.T, w *world) {
			w.refuse = broken
			w.create(t, "app", template)
			want := `app CREATE_IN_PROGRESS
Bucket CREATE_IN_PROGRESS
Topic CREATE_IN_PROGRESS
Topic CREATE_FAILED: topic "broken" has no room
Bucket CREATE_FAILED: Resource creation cancelled
app ROLLBACK_IN_PROGRESS: The following resource(s) failed to create: [Topic]. Rollback requested by user.
Bucket DELETE_IN_PROGRESS
Bucket DELETE_COMPLETE
app ROLLBACK_COMPLETE
`
			if diff := cmp.Diff(want, w.story(t, "app")); diff != "" {
				t.Error(diff)
			}
			if err := w.HasBucket(t.Context(), "app-bucket"); err == nil {
				t.Error("the bucket is still there")
			}
		})
	})
	t.Run("a creation that is to leave nothing", func(t *testing.T) {
		in(t, func(t *testing.T, w *world) {
			w.refuse = broken
			must[cloudformation.StackOutput](t)(w.CreateStack(t.Context(), cloudformation.CreateStackInput{
				Request: cloudformation.Request{StackName: "app", TemplateBody: template}, OnFailure: "DELETE",
			}))
			if got, want := w.status(t, "app"), "Stack with id app does not exist"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
	t.Run("an update", func(t *testing.T) {
		in(t, func(t *testing.T, w *world) {
			w.create(t, "app", `Resources: {Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: news}}}`)
			before := w.story(t, "app")
			w.refuse = broken
			w.update(t, "app", template)
			want := before + `app UPDATE_IN_PROGRESS
Bucket CREATE_IN_PROGRESS
Topic UPDATE_IN_PROGRESS: Requested update requires the creation of a new physical resource; hence creating one.
Topic UPDATE_FAILED: topic "broken" has no room
Bucket CREATE_FAILED: Resource creation cancelled
app UPDATE_ROLLBACK_IN_PROGRESS: The following resource(s) failed to update: [Topic]. 
app UPDATE_ROLLBACK_COMPLETE_CLEANUP_IN_PROGRESS
Bucket DELETE_IN_PROGRESS
Bucket DELETE_COMPLETE
app UPDATE_ROLLBACK_COMPLETE
`
			if diff := cmp.Diff(want, w.story(t, "app")); diff != "" {
				t.Error(diff)
			}
			if got, want := w.topics("app"), "news"; got != want {
				t.Errorf("topics: got %s, want %s", got, want)
			}
			w.refuse = nil
			w.update(t, "app", template)
			if got, want := w.status(t, "app"), "UPDATE_COMPLETE"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
	t.Run("a bucket that is there", func(t *testing.T) {
		in(t, func(t *testing.T, w *world) {
			w.buckets["app-bucket"] = map[string]string{}
			w.create(t, "app", template)
			if want, got := "Bucket CREATE_FAILED: app-bucket already exists\n", w.story(t, "app"); !strings.Contains(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
			if err := w.HasBucket(t.Context(), "app-bucket"); err != nil {
				t.Error("somebody else's bucket was deleted")
			}
		})
	})
	t.Run("a bucket that is not empty", func(t *testing.T) {
		in(t, func(t *testing.T, w *world) {
			w.create(t, "app", small)
			w.buckets["app-bucket"]["key"] = "value"
			must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"}))
			if got, want := w.status(t, "app"), "DELETE_FAILED"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			if want, got := "Bucket DELETE_FAILED: The bucket you tried to delete is not empty: app-bucket\napp DELETE_FAILED: The following resource(s) failed to delete: [Bucket]. \n", w.story(t, "app"); !strings.HasSuffix(got, want) {
				t.Errorf("got %s, want %s", got, want)
			}
			delete(w.buckets["app-bucket"], "key")
			must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"}))
			if got, want := w.status(t, "app"), "Stack with id app does not exist"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
		})
	})
}

func TestChangeSets(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		ask := func(kind, template string) (cloudformation.DescribeChangeSetOutput, error) {
			_, err := w.CreateChangeSet(t.Context(), cloudformation.CreateChangeSetInput{
				Request: cloudformation.Request{StackName: "app", TemplateBody: template}, ChangeSetName: "next", ChangeSetType: kind,
			})
			if err != nil {
				return cloudformation.DescribeChangeSetOutput{}, err
			}
			return w.DescribeChangeSet(t.Context(), cloudformation.ChangeSetInput{ChangeSetName: "next", StackName: "app"})
		}
		execute := func() {
			t.Helper()
			must[cloudformation.None](t)(w.ExecuteChangeSet(t.Context(), cloudformation.ExecuteChangeSetInput{ChangeSetName: "next", StackName: "app"}))
		}
		drop := func() {
			t.Helper()
			must[cloudformation.None](t)(w.DeleteChangeSet(t.Context(), cloudformation.ChangeSetInput{ChangeSetName: "next", StackName: "app"}))
		}
		if _, err := ask("UPDATE", small); err == nil || !strings.Contains(err.Error(), "does not exist") {
			t.Errorf("a change of nothing: %v", err)
		}
		set := must[cloudformation.DescribeChangeSetOutput](t)(ask("CREATE", small))
		if set.StackId == "" || set.Status != "CREATE_COMPLETE" || set.ExecutionStatus != "AVAILABLE" || len(set.Changes) != 2 {
			t.Errorf("got %+v", set)
		}
		if got, want := w.status(t, "app"), "REVIEW_IN_PROGRESS"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if _, err := ask("CREATE", small); err == nil || !strings.Contains(err.Error(), "already exists") {
			t.Errorf("a second one of the name: %v", err)
		}
		execute()
		if got, want := w.status(t, "app"), "CREATE_COMPLETE"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
		drop()
		drop() // is not there

		set = must[cloudformation.DescribeChangeSetOutput](t)(ask("UPDATE", small))
		if set.Status != "FAILED" || set.StatusReason != "The submitted information didn't contain changes. Submit different information to create a change set." {
			t.Errorf("no changes: got %s: %s", set.Status, set.StatusReason)
		}
		if _, err := w.ExecuteChangeSet(t.Context(), cloudformation.ExecuteChangeSetInput{ChangeSetName: "next", StackName: "app"}); err == nil {
			t.Error("a failed one was executed")
		}
		drop()

		set = must[cloudformation.DescribeChangeSetOutput](t)(ask("UPDATE", `Resources: {A: {Type: "AWS::SNS::Topic", Properties: {TopicName: refused}}, B: {Type: "AWS::DynamoDB::Table"}}`))
		want := "A (AWS::SNS::Topic), line 1: TopicName: no topic may be called refused; call it something else\nB (AWS::DynamoDB::Table), line 1: AWS::DynamoDB::Table is not deployed here: there is no DynamoDB; "
		if set.Status != "FAILED" || !strings.HasPrefix(set.StatusReason, want) {
			t.Errorf("got %s: %s\nwant %s", set.Status, set.StatusReason, want)
		}
		drop()

		set = must[cloudformation.DescribeChangeSetOutput](t)(ask("UPDATE", strings.ReplaceAll(small, "-news", "-olds")))
		if len(set.Changes) != 1 || set.Changes[0].ResourceChange.Action != "Modify" || set.Changes[0].ResourceChange.Replacement != "True" {
			t.Errorf("got %+v", set.Changes)
		}
		execute()
		if got, want := w.status(t, "app"), "UPDATE_COMPLETE"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestAStackWaitsForItsCallers(t *testing.T) {
	for ends, want := range map[string]string{deploy.Succeeded: "UPDATE_COMPLETE", deploy.Failed: "UPDATE_ROLLBACK_COMPLETE"} {
		in(t, func(t *testing.T, w *world) {
			w.create(t, "app", small)
			shift := func(status string) {
				w.deployments.mu.Lock()
				defer w.deployments.mu.Unlock()
				w.shift = &deploy.Shift{Revision: "r2", Status: status, Reason: "it fails"}
			}
			shift(deploy.InProgress)
			w.update(t, "app", strings.ReplaceAll(small, "-news", "-olds"))
			time.Sleep(time.Minute)
			if got, want := w.status(t, "app"), "UPDATE_IN_PROGRESS"; got != want {
				t.Errorf("got %s, want %s", got, want)
			}
			shift(ends)
			time.Sleep(time.Second)
			if got := w.status(t, "app"); got != want {
				t.Errorf("a shift that %s: got %s, want %s", ends, got, want)
			}
		})
	}
}

func TestExportsThatOthersImport(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		const importer = `Resources: {Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: !ImportValue app-bucket}}}`
		w.create(t, "app", small)
		w.create(t, "user", importer)
		if got, want := w.topics("user"), "app-bucket"; got != want {
			t.Errorf("topics: got %s, want %s", got, want)
		}
		refused := func(what string, err error) {
			t.Helper()
			if want := "Export app-bucket cannot be deleted as it is in use by user"; err == nil || err.Error() != want {
				t.Errorf("%s: got %v, want %s", what, err, want)
			}
		}
		_, err := w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"})
		refused("delete", err)
		without, _, _ := strings.Cut(small, "Outputs:")
		_, err = w.UpdateStack(t.Context(), cloudformation.UpdateStackInput{Request: cloudformation.Request{StackName: "app", TemplateBody: without}})
		refused("update", err)
		_, err = w.CreateStack(t.Context(), cloudformation.CreateStackInput{Request: cloudformation.Request{
			StackName: "other", TemplateBody: strings.ReplaceAll(small, "${AWS::StackName}-bucket", "app-bucket"),
		}})
		if want := "Export with name app-bucket is already exported by stack app"; err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
		must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "user"}))
		must[cloudformation.None](t)(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"}))
		if got, want := w.status(t, "app"), "Stack with id app does not exist"; got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	})
}

func TestStacksOfTheDeployCommand(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.active["native-dev"] = &deploy.Revision{ID: "r0", Stack: "native-dev", Outputs: []deploy.Output{{Key: "Queue", Value: "url", Export: "native-queue"}}}
		w.create(t, "user", `Resources: {Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: !ImportValue native-queue}}}`)
		if got, want := w.topics("user"), "url"; got != want {
			t.Errorf("topics: got %s, want %s", got, want)
		}
		out := must[cloudformation.DescribeStacksOutput](t)(w.DescribeStacks(t.Context(), cloudformation.DescribeStacksInput{StackName: "native-dev"}))
		if s := out.Stacks[0]; s.StackStatus != "CREATE_COMPLETE" || len(s.Outputs) != 1 || s.Outputs[0].OutputValue != "url" {
			t.Errorf("got %+v", s)
		}
		for what, err := range map[string]error{
			"create": second(w.CreateStack(t.Context(), cloudformation.CreateStackInput{Request: cloudformation.Request{StackName: "native-dev", TemplateBody: small}})),
			"delete": second(w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "native-dev"})),
		} {
			if err == nil {
				t.Errorf("%s: a template took the place of a service", what)
			}
		}
	})
}

func second[Out any](_ Out, err error) error { return err }

func TestTemplatesInBuckets(t *testing.T) {
	in(t, func(t *testing.T, w *world) {
		w.buckets["store"] = map[string]string{"a/2026-11-23T04:51:01.242Z/t.yml": small}
		w.buckets["private"] = map[string]string{"t.yml": small}
		for url, want := range map[string]string{
			"https://s3.amazonaws.com/store/a/2026-11-23T04:51:01.242Z/t.yml":               "",
			"https://s3.us-east-1.amazonaws.com/store/a/2026-11-23T04%3A51%3A01.242Z/t.yml": "",
			"https://store.s3.amazonaws.com/a/2026-11-23T04:51:01.242Z/t.yml":               "",
			"https://store.s3.us-east-1.amazonaws.com/a/2026-11-23T04:51:01.242Z/t.yml":     "",
			"http://127.0.0.1:4566/store/a/2026-11-23T04:51:01.242Z/t.yml":                  "",
			"http://store.localhost:4566/a/2026-11-23T04:51:01.242Z/t.yml":                  "",
			"https://s3.amazonaws.com/store/none":                                           "The specified key does not exist",
			"https://s3.amazonaws.com/private/t.yml":                                        "not allowed: s3:GetObject",
			"https://ec2.us-east-1.amazonaws.com/store/t.yml":                               "is no host of S3",
			"https://s3.amazonaws.com/store":                                                "names no object",
			"file:///etc/passwd":                                                            "must be a supported URL",
		} {
			_, err := w.ValidateTemplate(t.Context(), cloudformation.TemplateInput{TemplateURL: url})
			if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
				t.Errorf("%s: got %v, want %q", url, err, want)
			}
		}
	})
}
