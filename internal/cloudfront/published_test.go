package cloudfront_test

import (
	"context"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/dropstack/dropstack/internal/cloudfront"
	"github.com/dropstack/dropstack/internal/deploy"
	"github.com/dropstack/dropstack/internal/edge"
	"github.com/dropstack/dropstack/internal/fault"
)

// stack is the stack of calls, in memory.
type stack struct{ revision deploy.Revision }

func (s *stack) List() map[string]*deploy.Revision {
	return map[string]*deploy.Revision{deploy.APIStack: &s.revision}
}

func (s *stack) Edit(_ context.Context, name string, change func(*deploy.Revision) error) (*deploy.Revision, error) {
	next := deploy.Revision{Stack: name, Distributions: slices.Clone(s.revision.Distributions)}
	if err := change(&next); err != nil {
		return nil, err
	}
	s.revision = next
	return &s.revision, nil
}

// reader may read one bucket, and is remembered for what else it has tried.
type reader struct{ asked []string }

func (r *reader) Authorize(_ context.Context, action, resource string, _ map[string][]string) error {
	r.asked = append(r.asked, action+" "+resource)
	if action == "s3:GetObject" && resource == "arn:aws:s3:::mine/*" {
		return nil
	}
	return fault.Coded(fault.Denied, "AccessDeniedException", "%s on %s", action, resource)
}

// TestNobodyPublishesWhatTheyMayNotRead: who may make distributions may not for that
// read every bucket.
func TestNobodyPublishesWhatTheyMayNotRead(t *testing.T) {
	plain := []edge.Behaviour{{Path: "*", Origin: "o"}}
	for name, c := range map[string]struct {
		d     edge.Distribution
		asked []string
		fine  bool
	}{
		"their own": {edge.Distribution{Origins: []edge.Origin{{ID: "o", Bucket: "mine"}}, Behaviours: plain}, []string{"s3:GetObject arn:aws:s3:::mine/*"}, true},
		"no bucket": {edge.Distribution{Origins: []edge.Origin{{ID: "o", Domain: "a.example"}}, Behaviours: plain}, nil, true},
		"another's": {edge.Distribution{Origins: []edge.Origin{{ID: "o", Bucket: "mine"}, {ID: "p", Bucket: "theirs", Path: "/x"}}, Behaviours: plain}, []string{"s3:GetObject arn:aws:s3:::mine/*", "s3:GetObject arn:aws:s3:::theirs/*"}, false},
		"uploads":   {edge.Distribution{Behaviours: []edge.Behaviour{{Path: "*", Origin: "web", Upload: &edge.Upload{Bucket: "theirs", Prefix: "in/"}}}}, []string{"s3:PutObject arn:aws:s3:::theirs/in/*"}, false},
		"logs":      {edge.Distribution{Behaviours: plain, Log: &edge.LogTo{Bucket: "theirs", Prefix: "logs"}}, []string{"s3:PutObject arn:aws:s3:::theirs/logs*"}, false},
	} {
		caller, s := &reader{}, &stack{}
		room := &cloudfront.Distributions{Deployer: s, Authorizer: caller, Translate: func(id string, _ map[string]any) (edge.Distribution, error) {
			d := c.d
			d.ID = id
			return d, nil
		}}
		c.d.ID = "files"
		_, err := room.Put(t.Context(), c.d)
		check := func(how string, made int) {
			t.Helper()
			if (err == nil) != c.fine || err != nil && fault.KindOf(err) != fault.Denied || (len(s.revision.Distributions) == made) != c.fine {
				t.Errorf("%s, %s: got %v, %d distributions", name, how, err, len(s.revision.Distributions))
			}
		}
		check("put", 1)
		_, err = room.CreateDistribution(t.Context(), cloudfront.CreateDistributionInput{DistributionConfig: cloudfront.Config{"CallerReference": "1"}})
		check("create", 2)
		if diff := cmp.Diff(append(c.asked, c.asked...), caller.asked); diff != "" {
			t.Errorf("%s: asked (-want +got):\n%s", name, diff)
		}
		if !c.fine {
			continue
		}
		made := s.List()[deploy.APIStack].Distributions[1]
		seen, err := room.GetDistribution(t.Context(), cloudfront.IDInput{ID: made.ID})
		if err != nil {
			t.Fatal(err)
		}
		caller.asked = nil
		if _, err := room.UpdateDistribution(t.Context(), cloudfront.UpdateDistributionInput{ID: made.ID, IfMatch: seen.ETag(), DistributionConfig: cloudfront.Config{"CallerReference": "1"}}); err != nil || !slices.Equal(caller.asked, c.asked) {
			t.Errorf("%s, update: got %v, asked %q", name, err, caller.asked)
		}
	}
}
