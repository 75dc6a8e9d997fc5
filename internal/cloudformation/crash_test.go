package cloudformation_test

import (
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/dropstack/dropstack/internal/cloudformation"
)

// before and after are two states of a stack with all that outlives a revision.
const (
	before = `
Resources:
  Maker: {Type: "AWS::Lambda::Function"}
  Disk: {Type: "Custom::Disk", Properties: {ServiceToken: !GetAtt Maker.Arn, Size: 10}}
  Old: {Type: "AWS::S3::Bucket"}
  Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: disks, DisplayName: !GetAtt Disk.Bytes}}
`
	after = `
Resources:
  Maker: {Type: "AWS::Lambda::Function"}
  Disk: {Type: "Custom::Disk", Properties: {ServiceToken: !GetAtt Maker.Arn, Size: 11}}
  New: {Type: "AWS::S3::Bucket"}
  Topic: {Type: "AWS::SNS::Topic", Properties: {TopicName: disks, DisplayName: !GetAtt Disk.Bytes}}
`
)

// TestAKilledPlatformFinishesOrTakesBack ends the platform at every write that a
// change of a stack makes, and starts it again.
func TestAKilledPlatformFinishesOrTakesBack(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(t *testing.T, w *world)
		change  func(t *testing.T, w *world) error
		ends    map[string]string // what there must be at each end: topics, disks, buckets
	}{
		"create": {
			func(*testing.T, *world) {},
			func(t *testing.T, w *world) error {
				_, err := w.CreateStack(t.Context(), cloudformation.CreateStackInput{Request: cloudformation.Request{StackName: "app", TemplateBody: before}})
				return err
			},
			map[string]string{
				"CREATE_COMPLETE": "disks 10000; disk10; app-old", "ROLLBACK_COMPLETE": "no stack; ; ", "Stack with id app does not exist": "no stack; ; ",
			},
		},
		"update": {
			func(t *testing.T, w *world) { w.create(t, "app", before) },
			func(t *testing.T, w *world) error {
				_, err := w.UpdateStack(t.Context(), cloudformation.UpdateStackInput{Request: cloudformation.Request{StackName: "app", TemplateBody: after}})
				return err
			},
			map[string]string{
				"CREATE_COMPLETE": "disks 10000; disk10; app-old", "UPDATE_COMPLETE": "disks 11000; disk11; app-new", "UPDATE_ROLLBACK_COMPLETE": "disks 10000; disk10; app-old",
			},
		},
		"delete": {
			func(t *testing.T, w *world) { w.create(t, "app", before) },
			func(t *testing.T, w *world) error {
				_, err := w.DeleteStack(t.Context(), cloudformation.DeleteStackInput{StackName: "app"})
				return err
			},
			map[string]string{"CREATE_COMPLETE": "disks 10000; disk10; app-old", "Stack with id app does not exist": "no stack; ; "},
		},
	} {
		t.Run(name, func(t *testing.T) {
			seen := map[string]int{}
			for kill, more := int64(0), true; more; kill++ {
				in(t, func(t *testing.T, w *world) {
					made := map[string]bool{}
					w.does = func(r map[string]any) (cloudformation.Answer, error) {
						a, err := disks(r)
						if r["RequestType"] == "Delete" {
							delete(made, r["PhysicalResourceId"].(string))
						} else {
							made[a.PhysicalResourceId] = true
						}
						return a, err
					}
					c.prepare(t, w)
					more = w.killed(t, kill, func() error { return c.change(t, w) })
					end := w.status(t, "app")
					seen[end]++
					got := strings.Join([]string{w.topics("app"), strings.Join(keys(made), ","), strings.Join(keys(w.buckets), ",")}, "; ")
					if want, known := c.ends[end]; !known || got != want {
						t.Errorf("killed at write %d it ends in %s with %s; want %q", kill, end, got, want)
					}
				})
			}
			if len(seen) < 2 {
				t.Errorf("all ends are alike: %v", seen)
			}
			t.Log(seen)
		})
	}
}

// killed makes a change and ends the platform at a write of it; false: it had no
// so many.
func (w *world) killed(t *testing.T, write int64, change func() error) bool {
	t.Helper()
	var writes atomic.Int64
	dead := func() error {
		if writes.Add(1) > write {
			return errors.New("the platform is dead")
		}
		return nil
	}
	w.bucket.Fail(dead)
	w.events.Fail(dead)
	err := change()
	synctest.Wait()
	died := writes.Load() > write
	if err != nil && !died {
		t.Fatal(err)
	}
	w.end()
	w.bucket.Fail(nil)
	w.events.Fail(nil)
	w.start()
	synctest.Wait()
	return died
}

func keys[V any](m map[string]V) []string {
	var list []string
	for key := range m {
		list = append(list, key)
	}
	return list
}
